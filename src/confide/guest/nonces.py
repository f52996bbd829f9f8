"""Many nonces, one quote: the RFC 9162 tree over gathered nonces with every leaf's audit path, hashing each node once.

`formats.merkle.inclusion_path` rebuilds the tree for each leaf; for a thousand askers that is a million hashes.
Left to others: gathering and quoting (`guest.documents`), checking paths (`attest.document`).
"""

from collections.abc import Sequence

from confide.attest.document import NoncePath
from confide.formats import merkle


class NonceTree:
    """A tree over at least one nonce, in the order given."""

    def __init__(self, nonces: Sequence[bytes]) -> None:
        self._levels = [[merkle.leaf_hash(nonce) for nonce in nonces]]
        while len(self._levels[-1]) > 1:
            self._levels.append(_parents(self._levels[-1]))

    @property
    def root(self) -> bytes:
        """What the quote covers as `nonces`."""
        return self._levels[-1][0]

    def path(self, index: int) -> NoncePath:
        """The audit path of one nonce, leaf side first (RFC 9162 section 2.1.3.1)."""
        path, position = [], index
        for level in self._levels[:-1]:
            sibling = position ^ 1
            if sibling < len(level):  # the last node of an odd level is promoted and has no sibling
                path.append(level[sibling])
            position >>= 1
        return NoncePath(index=index, size=len(self._levels[0]), path=tuple(path))


def _parents(level: list[bytes]) -> list[bytes]:
    return [merkle.node_hash(level[i], level[i + 1]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
