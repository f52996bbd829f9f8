"""Log proofs as JSON (spec/10-log.md): a checkpoint and the path from a receipt to its root, the same for many receipts, growth.

With a log proof a receipt is complete: also an ML-DSA-65 signature covers it. Left to others: making proofs (`checkpointer`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, TypeVar

import msgspec

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import dsse, merkle, strictjson
from confide.formats.fields import Count, Hex32
from confide.receipt.checkpoint import MAX_CHECKPOINT, Checkpoint, require_version, verify_checkpoint, verify_growth
from confide.receipt.model import Receipt

MAX_PROOF = 32 << 10  # bytes: a checkpoint in base 64, and 63 hashes in hex
MAX_BATCH = 1024  # receipts proven under one checkpoint
MAX_BATCH_PROOF = 5 << 20  # bytes: as many paths of 63 hashes in hex
MAX_CONSISTENCY = 8 << 10  # bytes: 64 hashes in hex
VERSION = 1

T = TypeVar("T")


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
        parsed = _parse(data, _Proof, limit=MAX_PROOF)
        return cls(_checkpoint(parsed.checkpoint), parsed.index, parsed.size, _nodes(parsed.path))


@dataclass(frozen=True)
class BatchProof:
    """Unverified: one checkpoint, and by index the paths of many receipts to its root."""

    checkpoint: bytes = field(repr=False)
    size: int
    paths: Mapping[int, tuple[bytes, ...]] = field(repr=False)

    def to_bytes(self) -> bytes:
        """The JSON text."""
        proofs = [_Path(index, [node.hex() for node in path]) for index, path in sorted(self.paths.items())]
        return msgspec.json.encode(_Batch(VERSION, self.size, strictjson.b64(self.checkpoint), proofs))

    @classmethod
    def parse(cls, data: bytes) -> "BatchProof":
        """Read the JSON text strictly: `log.malformed`, also where the indices do not ascend, or `log.version`."""
        parsed = _parse(data, _Batch, limit=MAX_BATCH_PROOF)
        if any(first.index >= second.index for first, second in pairwise(parsed.proofs)):
            raise ReceiptError(Code.LOG_MALFORMED, found="indices that do not ascend", wanted="each index once, in order")
        return cls(_checkpoint(parsed.checkpoint), parsed.size, {item.index: _nodes(item.path) for item in parsed.proofs})

    def proof(self, index: int) -> LogProof:
        """The log proof of one receipt; `log.index` when this batch has none."""
        path = self.paths.get(index)
        if path is None:
            raise ReceiptError(Code.LOG_INDEX, found=f"a batch without index {index}", wanted="the path of every receipt asked for")
        return LogProof(self.checkpoint, index, self.size, path)


@dataclass(frozen=True)
class ConsistencyProof:
    """Unverified: the path that joins the log of `first` leaves to that of `second`."""

    first: int
    second: int
    path: tuple[bytes, ...] = field(repr=False)

    def to_bytes(self) -> bytes:
        """The JSON text."""
        return msgspec.json.encode(_Consistency(VERSION, self.first, self.second, [node.hex() for node in self.path]))

    @classmethod
    def parse(cls, data: bytes) -> "ConsistencyProof":
        """Read the JSON text strictly: `log.malformed` or `log.version`."""
        parsed = _parse(data, _Consistency, limit=MAX_CONSISTENCY)
        return cls(parsed.first, parsed.second, _nodes(parsed.path))

    def verify(self, first: Checkpoint, second: Checkpoint) -> None:
        """Raise unless it proves that `second` is a later state of the log of `first` (`verify_growth`, and `log.index`)."""
        if (self.first, self.second) != (first.size, second.size):
            found, wanted = f"sizes {self.first} and {self.second}", f"sizes {first.size} and {second.size}, as in the checkpoints"
            raise ReceiptError(Code.LOG_INDEX, found=found, wanted=wanted)
        verify_growth(first, second, path=self.path)


class _Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    index: Count
    size: Count
    path: list[Hex32]
    checkpoint: str


class _Path(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    index: Count
    path: list[Hex32]


class _Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    size: Count
    checkpoint: str
    proofs: Annotated[list[_Path], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class _Consistency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    first: Count
    second: Count
    path: list[Hex32]


def verify_proof(proof: LogProof, *, envelope: bytes, receipt: Receipt, keys: Sequence[dsse.PublicKey]) -> Checkpoint:
    """The checkpoint that covers the receipt; `envelope` is its exact bytes, `keys` all receipt keys of its verified keyset.

    Raises:
        ReceiptError: as `verify_checkpoint`; `log.index` when index or size are others', `log.inclusion` when the path does not
            lead to the root.
    """
    checkpoint = verify_checkpoint(proof.checkpoint, keys=keys)
    require_included(proof, checkpoint, envelope=envelope, receipt=receipt)
    return checkpoint


def require_included(proof: LogProof, checkpoint: Checkpoint, *, envelope: bytes, receipt: Receipt) -> None:
    """Raise unless the receipt is under this verified checkpoint: the rest of `verify_proof`, once per receipt of a batch."""
    if proof.index != receipt.log_index:
        raise ReceiptError(Code.LOG_INDEX, found=f"index {proof.index}", wanted=f"index {receipt.log_index}, as in the receipt")
    if proof.size != checkpoint.size:
        raise ReceiptError(Code.LOG_INDEX, found=f"size {proof.size}", wanted=f"size {checkpoint.size}, as in the checkpoint")
    leaf = merkle.leaf_hash(envelope)
    try:
        merkle.verify_inclusion(leaf, index=proof.index, size=proof.size, path=proof.path, root=checkpoint.root)
    except merkle.ProofError as error:
        raise ReceiptError(Code.LOG_INCLUSION, found=error.found, wanted=error.wanted) from None


def _parse(data: bytes, kind: type[T], *, limit: int) -> T:
    try:
        value = strictjson.loads(data, limit=limit)
        require_version(value)
        return strictjson.convert(value, kind)
    except strictjson.JsonError as error:
        raise _malformed(error) from None


def _checkpoint(text: str) -> bytes:
    try:
        return strictjson.unb64(text, limit=MAX_CHECKPOINT)
    except strictjson.JsonError as error:
        raise _malformed(error) from None


def _malformed(error: strictjson.JsonError) -> ReceiptError:
    return ReceiptError(Code.LOG_MALFORMED, found=f"{error.code.value} {error.found}".strip(), wanted="a log proof")


def _nodes(path: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(node) for node in path)
