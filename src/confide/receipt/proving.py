"""Makes proofs from a tree and the size of its latest checkpoint (spec/10-log.md): of this boot's log, or of one read from a disk.

Left to others: signing checkpoints (`checkpointer`), files (`server.storage`).
"""

from collections.abc import Iterable

from confide.codes import Code
from confide.errors import ReceiptError
from confide.receipt.log import Log
from confide.receipt.proof import BatchProof, ConsistencyProof


def require_leaves(log: Log, indices: Iterable[int]) -> list[int]:
    """The indices in order, each once; `log.index` unless the log has a leaf at each of them, and there is one."""
    wanted = sorted(set(indices))
    for index in (wanted[0], wanted[-1]) if wanted else (-1,):
        if not 0 <= index < log.size:
            raise ReceiptError(Code.LOG_INDEX, found=f"index {index}", wanted=f"a leaf of {log.size}")
    return wanted


def prove(log: Log, checkpoint: bytes, size: int, indices: Iterable[int]) -> BatchProof:
    """Inclusion of many leaves under one checkpoint of `size` leaves; `log.index`, or `log.pending` when it does not cover them."""
    wanted = require_leaves(log, indices)
    if wanted[-1] >= size:
        raise ReceiptError(Code.LOG_PENDING, found=f"a checkpoint of {size}", wanted=f"one of {wanted[-1] + 1}")
    return BatchProof(checkpoint, size, {index: tuple(log.inclusion(index, size)) for index in wanted})


def grown(log: Log, covered: int, first: int, second: int) -> ConsistencyProof:
    """Growth from `first` to `second` leaves, both within the `covered` ones; `log.index` otherwise."""
    if not 0 <= first <= second <= covered:
        raise ReceiptError(Code.LOG_INDEX, found=f"sizes {first} and {second}", wanted=f"ascending, at most {covered}")
    return ConsistencyProof(first, second, tuple(log.consistency(first, second)))
