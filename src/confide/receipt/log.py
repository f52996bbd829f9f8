"""The log of receipts: one append-only RFC 9162 tree per boot, in memory (spec/10-log.md).

Each level of the tree is one byte string of the hashes of its complete subtrees, so that appending costs two hashes on average,
and a root or a proof, also for an earlier size, O(log n). Only hashes are kept: 64 bytes a receipt. Left to others: signing
(`checkpoint`), proofs as files (`proof`), keeping leaves on disk (a later issue), one writer at a time (the server's loop).
"""

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import merkle

EMPTY_ROOT = merkle.root(())


class Log:
    """Append, root, inclusion and consistency."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = [bytearray()]
        self._closed = False

    @property
    def size(self) -> int:
        """The number of leaves, and the index of the next one."""
        return len(self._levels[0]) // merkle.HASH_SIZE

    @property
    def closed(self) -> bool:
        """Whether the closing checkpoint was made."""
        return self._closed

    def close(self) -> None:
        """Take no more leaves."""
        self._closed = True

    def append(self, leaf: bytes, *, index: int | None = None) -> int:
        """Add the bytes of an envelope and return their index; with `index`, only if that is the next one.

        Raises:
            ReceiptError: `log.closed`, or `log.index` when a receipt was signed for another place.
        """
        if self._closed:
            raise ReceiptError(Code.LOG_CLOSED, found=f"{self.size} leaves and a closing checkpoint", wanted="an open log")
        place = self.size
        if index is not None and index != place:
            raise ReceiptError(Code.LOG_INDEX, found=f"index {index}", wanted=f"index {place}")
        self._push(merkle.leaf_hash(leaf))
        return place

    def root(self, size: int | None = None) -> bytes:
        """The Merkle tree head of the first `size` leaves (RFC 9162 section 2.1.1)."""
        size = self._bounded(size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The audit path of leaf `index` in the tree of `size` leaves (RFC 9162 section 2.1.3.1)."""
        size = self._bounded(size)
        if not 0 <= index < size:
            raise ReceiptError(Code.LOG_INDEX, found=f"index {index}", wanted=f"a leaf of {size}")
        start, end, path = 0, size, []
        while end - start > 1:
            split = start + _split(end - start)
            if index < split:
                path.append(self._range(split, end))
                end = split
            else:
                path.append(self._range(start, split))
                start = split
        return path[::-1]

    def consistency(self, first: int, second: int | None = None) -> list[bytes]:
        """What joins the tree of `first` leaves to that of `second` (RFC 9162 section 2.1.4.1); empty for 0 and for equal sizes."""
        second = self._bounded(second)
        if not 0 <= first <= second:
            raise ReceiptError(Code.LOG_INDEX, found=f"size {first}", wanted=f"0 to {second}")
        if first in (0, second):
            return []
        start, end, path = 0, second, []
        while end != first:  # SUBPROOF: until the earlier tree ends where a subtree of the later one does
            split = start + _split(end - start)
            if first <= split:
                path.append(self._range(split, end))
                end = split
            else:
                path.append(self._range(start, split))
                start = split
        return [self._range(start, end), *path[::-1]] if start else path[::-1]

    def _bounded(self, size: int | None) -> int:
        size = self.size if size is None else size
        if not 0 <= size <= self.size:
            raise ReceiptError(Code.LOG_INDEX, found=f"size {size}", wanted=f"at most {self.size}")
        return size

    def _push(self, node: bytes) -> None:
        """Add a leaf hash, and every subtree it completes."""
        height = 0
        while True:
            if height == len(self._levels):
                self._levels.append(bytearray())
            level = self._levels[height]
            level += node
            if len(level) // merkle.HASH_SIZE % 2:
                return
            node = merkle.node_hash(bytes(level[-2 * merkle.HASH_SIZE : -merkle.HASH_SIZE]), node)
            height += 1

    def _range(self, start: int, end: int) -> bytes:
        """The hash of leaves `start` to `end`; `start` is a multiple of a power of two not smaller than their number."""
        right: list[bytes] = []
        while True:
            size = end - start
            if size & (size - 1) == 0:
                right.append(self._node(size.bit_length() - 1, start))
                break
            split = _split(size)
            right.append(self._node(split.bit_length() - 1, start))
            start += split
        result = right.pop()
        while right:
            result = merkle.node_hash(right.pop(), result)
        return result

    def _node(self, height: int, start: int) -> bytes:
        place = (start >> height) * merkle.HASH_SIZE
        return bytes(self._levels[height][place : place + merkle.HASH_SIZE])


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (RFC 9162 section 2.1.1)."""
    return 1 << ((size - 1).bit_length() - 1)
