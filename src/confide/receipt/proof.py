"""A log proof: a checkpoint and the path from one receipt to its root, as a small JSON file (spec/10-log.md).

With it a receipt is complete: also its ML-DSA-65 signature covers it. Left to others: making proofs (`checkpointer`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import dsse, merkle, strictjson
from confide.formats.fields import Count, Hex32
from confide.receipt.checkpoint import MAX_CHECKPOINT, Checkpoint, require_version, verify_checkpoint
from confide.receipt.model import Receipt

MAX_PROOF = 32 << 10  # bytes: a checkpoint in base 64, and 63 hashes in hex
VERSION = 1


@dataclass(frozen=True)
class LogProof:
    """Unverified: a checkpoint envelope, and where under its root a receipt should be."""

    checkpoint: bytes = field(repr=False)
    index: int
    size: int
    path: tuple[bytes, ...] = field(repr=False)

    def to_bytes(self) -> bytes:
        """The JSON text."""
        path = [node.hex() for node in self.path]
        return msgspec.json.encode(_Proof(VERSION, self.index, self.size, path, strictjson.b64(self.checkpoint)))

    @classmethod
    def parse(cls, data: bytes) -> "LogProof":
        """Read the JSON text strictly: `log.malformed` or `log.version`."""
        try:
            value = strictjson.loads(data, limit=MAX_PROOF)
            require_version(value)
            parsed = strictjson.convert(value, _Proof)
            checkpoint = strictjson.unb64(parsed.checkpoint, limit=MAX_CHECKPOINT)
        except strictjson.JsonError as error:
            found = f"{error.code.value} {error.found}".strip()
            raise ReceiptError(Code.LOG_MALFORMED, found=found, wanted="a log proof") from None
        return cls(checkpoint, parsed.index, parsed.size, tuple(bytes.fromhex(node) for node in parsed.path))


class _Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    index: Count
    size: Count
    path: list[Hex32]
    checkpoint: str


def verify_proof(proof: LogProof, *, envelope: bytes, receipt: Receipt, keys: Sequence[dsse.PublicKey]) -> Checkpoint:
    """The checkpoint that covers the receipt; `envelope` is its exact bytes, `keys` all receipt keys of its verified keyset.

    Raises:
        ReceiptError: as `verify_checkpoint`; `log.index` when index or size are others', `log.inclusion` when the path does not
            lead to the root.
    """
    checkpoint = verify_checkpoint(proof.checkpoint, keys=keys)
    if proof.index != receipt.log_index:
        raise ReceiptError(Code.LOG_INDEX, found=f"index {proof.index}", wanted=f"index {receipt.log_index}, as in the receipt")
    if proof.size != checkpoint.size:
        raise ReceiptError(Code.LOG_INDEX, found=f"size {proof.size}", wanted=f"size {checkpoint.size}, as in the checkpoint")
    leaf = merkle.leaf_hash(envelope)
    try:
        merkle.verify_inclusion(leaf, index=proof.index, size=proof.size, path=proof.path, root=checkpoint.root)
    except merkle.ProofError as error:
        raise ReceiptError(Code.LOG_INCLUSION, found=error.found, wanted=error.wanted) from None
    return checkpoint
