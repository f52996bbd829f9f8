"""Checkpoints, the signed heads of a log, and its growth from one to the next (10-log.md, LOG-3 to LOG-5, LOG-9, LOG-12).

The steps of a checkpoint: envelope (LOG-3), Ed25519 signature, ML-DSA-65 signature (LOG-4), payload (LOG-3), `log_id` (LOG-5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.second.dsse import ED25519, KIB, ML_DSA_65, parse_envelope
from conformance.second.keyset import Keyset
from conformance.second.merkle import EMPTY_ROOT, consistency_holds
from conformance.second.strict_json import Reader, Refused

PAYLOAD_TYPE = "application/vnd.confide.checkpoint+json"
MAX_CHECKPOINT = 16 * KIB
MAX_CONSISTENCY = 8 * KIB
LOG = Reader("log.malformed")
VERSION = "log.version"


@dataclass(frozen=True)
class Checkpoint:
    """A head that both keys of the boot signed: the first `size` leaves have this root."""

    log_id: bytes
    size: int
    root: bytes
    time: str
    closing: bool


@dataclass(frozen=True)
class Consistency:
    """A consistency proof as it came; it holds between two checkpoints or it does not."""

    first: int
    second: int
    path: tuple[bytes, ...]


def parse_checkpoint(data: bytes, keyset: Keyset) -> Checkpoint:
    """The checkpoint in an envelope, of the log of this keyset's boot."""
    envelope = parse_envelope(data, limit=MAX_CHECKPOINT, payload_type=PAYLOAD_TYPE, reader=LOG)
    for alg in (ED25519, ML_DSA_65):
        if envelope.signed_by(keyset.keys(alg)) is None:
            raise Refused("log.signature", f"no {alg} key of the keyset")
    checkpoint = _payload(envelope.payload)
    if checkpoint.log_id != keyset.log_id:
        raise Refused("log.id", checkpoint.log_id.hex())
    return checkpoint


def _payload(data: bytes) -> Checkpoint:
    members = LOG.versioned(LOG.json(data, MAX_CHECKPOINT), VERSION)
    LOG.members(members, {"version", "log_id", "size", "root", "time", "closing"})
    checkpoint = Checkpoint(
        log_id=LOG.digest(members["log_id"]),
        size=LOG.integer(members["size"]),
        root=LOG.digest(members["root"]),
        time=LOG.time(members["time"]),
        closing=LOG.boolean(members["closing"]),
    )
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        LOG.refuse("a size of 0 with a root that is not the empty tree's")
    return checkpoint


def parse_consistency(data: bytes) -> Consistency:
    """LOG-12, the members."""
    members = LOG.versioned(LOG.json(data, MAX_CONSISTENCY), VERSION)
    LOG.members(members, {"version", "first", "second", "path"})
    return Consistency(LOG.integer(members["first"]), LOG.integer(members["second"]), read_path(members["path"]))


def read_path(value: object) -> tuple[bytes, ...]:
    """Nodes of a path; only the bound of the text that holds it bounds their number."""
    return tuple(LOG.digest(node) for node in LOG.array(value, 0, MAX_CONSISTENCY * KIB))


def check_order(first: Checkpoint, second: Checkpoint) -> None:
    """Of two checkpoints of one log the later is not of an earlier time, not larger than a closing one, not smaller."""
    if second.time < first.time:
        raise Refused("log.time", f"{second.time} after {first.time}")
    if first.closing and second.size > first.size:
        raise Refused("log.closed", f"{second.size} leaves after closing at {first.size}")
    if second.size < first.size:
        raise Refused("log.consistency", f"{second.size} leaves after {first.size}")


def check_growth(first: Checkpoint, second: Checkpoint, path: Sequence[bytes]) -> int:
    """LOG-9; the number of new leaves."""
    if first.log_id != second.log_id:
        raise Refused("log.id", second.log_id.hex())
    check_order(first, second)
    if not consistency_holds(first=first.size, first_root=first.root, second=second.size, second_root=second.root, path=path):
        raise Refused("log.consistency", f"from {first.size} to {second.size}")
    return second.size - first.size


def check_joined(first: Checkpoint, second: Checkpoint, proof: Consistency) -> int:
    """LOG-12, the sizes, and then LOG-9."""
    if (proof.first, proof.second) != (first.size, second.size):
        raise Refused("log.index", f"a proof from {proof.first} to {proof.second}")
    return check_growth(first, second, proof.path)


def describe(checkpoint: Checkpoint) -> dict[str, object]:
    """The checkpoint as the vectors show it."""
    return {
        "log_id": checkpoint.log_id.hex(),
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "time": checkpoint.time,
        "closing": checkpoint.closing,
    }
