"""Complete proofs: the log's path from a receipt to a checkpoint that an ML-DSA-65 key signed too (spec/10-log.md).

1. Receipts are grouped by the log of their boot and asked for in batches: one checkpoint proves many. 2. The checkpoint is verified
under the boot's keys, which stand in the verified keyset, and each path leads to it. 3. The last checkpoint seen of a log is
remembered: the next one must be a later or an earlier state of the same log, so a node that forks its log is found out.

A node that was started anew proves receipts of its earlier boots where both kept their logs in one directory. Left to others:
the proofs themselves (`receipt.proof`), files (`saved`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confide.attest.keyset import Keyset
from confide.client.flow import Flow
from confide.client.remote import raise_remote
from confide.codes import Code
from confide.errors import MisuseError
from confide.formats import strictjson
from confide.receipt.checkpoint import Checkpoint, log_id, verify_checkpoint, verify_growth
from confide.receipt.model import Receipt
from confide.receipt.proof import BatchProof, ConsistencyProof, LogProof, require_included

if TYPE_CHECKING:
    from confide.client.core import Core

BATCH = 256  # receipts asked for at once; a node takes 1024
MAX_LOGS = 64  # remembered per client
_JSON = ((b"content-type", b"application/json"),)


@dataclass(frozen=True)
class Provable:
    """A checked receipt: its exact bytes, and the verified keyset of its signer."""

    envelope: bytes = field(repr=False)
    receipt: Receipt
    keyset: Keyset = field(repr=False)


@dataclass(frozen=True)
class Completed:
    """A receipt's place in its log: checked, and covered by an ML-DSA-65 signature."""

    proof: LogProof
    checkpoint: Checkpoint


def provable(envelope: bytes | None, receipt: Receipt | None, keyset: Keyset) -> Provable:
    """What `complete_flow` takes; `client.input` without a receipt."""
    if envelope is None or receipt is None:
        raise MisuseError(Code.CLIENT_INPUT, found="an answer without a receipt", wanted="one with a receipt")
    return Provable(envelope, receipt, keyset)


def complete_flow(core: "Core", items: Sequence[Provable]) -> Flow[list[Completed]]:
    """The proofs of these receipts, in their order.

    Raises:
        RemoteError: `log.unknown`, `log.storage`, `log.closed`: the node has no such log, or cannot read it now.
        ReceiptError: a `log` code: what it gave proves nothing, or its log has forked.
    """
    found: dict[bytes, Completed] = {}
    groups: dict[bytes, list[Provable]] = {}
    for item in items:
        groups.setdefault(log_id(item.keyset.receipt_keys), []).append(item)
    for log, members in groups.items():
        for start in range(0, len(members), BATCH):
            found |= yield from _batch(core, log, members[start : start + BATCH])
    return [found[item.envelope] for item in items]


def _batch(core: "Core", log: bytes, items: Iterable[Provable]) -> Flow[dict[bytes, Completed]]:
    items = list(items)
    indices = sorted({item.receipt.log_index for item in items})
    body = strictjson.dumps({"log_id": log.hex(), "indices": indices})
    content = yield from _asked(core, "POST", "/v1/receipts/proofs", body)
    batch = BatchProof.parse(content)
    checkpoint = verify_checkpoint(batch.checkpoint, keys=items[0].keyset.receipt_keys)
    done: dict[bytes, Completed] = {}
    for item in items:
        proof = batch.proof(item.receipt.log_index)
        require_included(proof, checkpoint, envelope=item.envelope, receipt=item.receipt)
        done[item.envelope] = Completed(proof, checkpoint)
    yield from _hold(core, checkpoint)
    return done


def _hold(core: "Core", checkpoint: Checkpoint) -> Flow[None]:
    """Hold a checkpoint to the last one seen of its log, and remember the longer of the two."""
    known = core.heads.get(checkpoint.log_id)
    if known is not None and known != checkpoint:
        first, second = sorted((known, checkpoint), key=lambda each: (each.size, each.time))
        if first.size == second.size:
            verify_growth(first, second, path=())
        else:
            path = f"/v1/logs/{checkpoint.log_id.hex()}/consistency?first={first.size}&second={second.size}"
            ConsistencyProof.parse((yield from _asked(core, "GET", path))).verify(first, second)
        checkpoint = second
    core.heads[checkpoint.log_id] = checkpoint
    while len(core.heads) > MAX_LOGS:
        core.heads.pop(next(iter(core.heads)))


def _asked(core: "Core", method: str, path: str, body: bytes = b"") -> Flow[bytes]:
    """The content of a good answer. It needs no proof of its own, which would need another."""
    done = yield from core.request(method, path, headers=_JSON if body else (), content=body, repeatable=True, proven=False)
    if done.status != 200:
        raise_remote(done.status, done.content)
    return done.content
