"""Which sealed requests a key has accepted: each once (DESIGN section 5, Replay; RFC 9458 section 6.5).

The identifier is `SHA-256(key configuration || enc)`. It is recorded after the first successful open and before any processing, and
kept as long as the key lives: nothing is ever evicted, a full store refuses, and the node rotates to a new key before (`fill`). The
stores of all live keys share one `Room`, so that several epochs together are bounded too. Memory only: a key does not outlive its
process. Left to others: rotation (`guest.epochs`), and agreement between replicas.
"""

import hashlib
import threading

from confide.codes import Code
from confide.errors import ChannelError

IDENTIFIER_SIZE = 32
DEFAULT_CAPACITY = 1 << 20  # about 120 MB of identifiers when full


def request_id(key_config: bytes, enc: bytes) -> bytes:
    """The identifier of one encapsulation; also the outer header `Confide-Request-Id`."""
    return hashlib.sha256(key_config + enc).digest()


class Room:
    """Places for identifiers that several stores share."""

    __slots__ = ("capacity", "lock", "taken")

    def __init__(self, capacity: int) -> None:
        self.capacity, self.taken = capacity, 0
        self.lock = threading.Lock()


class ReplayStore:
    """The accepted identifiers of one key."""

    __slots__ = ("_closed", "_room", "_seen", "capacity")

    def __init__(self, capacity: int = DEFAULT_CAPACITY, room: Room | None = None) -> None:
        self.capacity = capacity
        self._room = room or Room(capacity)
        self._seen: set[bytes] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def full(self) -> bool:
        """Whether the next new identifier will be refused; rotate the key before."""
        return len(self._seen) >= self.capacity or self._room.taken >= self._room.capacity

    @property
    def fill(self) -> float:
        """How much of what this key alone may remember is taken, 0 to 1."""
        return len(self._seen) / self.capacity

    def require_open(self) -> None:
        """`ohttp.key_id` when the key died while the request was being opened: as for any dead key."""
        if self._closed:
            raise ChannelError(Code.OHTTP_KEY_ID, found="a key that has died", wanted="a live one")

    def record(self, identifier: bytes) -> None:
        """Remember `identifier`, or refuse.

        Raises:
            ChannelError: `ohttp.replayed` if it is known, `ohttp.replay_store_full` if there is no room, `ohttp.key_id` as
                `require_open`.
        """
        if len(identifier) != IDENTIFIER_SIZE:
            raise ChannelError(Code.OHTTP_STATE, found=f"an identifier of {len(identifier)} bytes", wanted=str(IDENTIFIER_SIZE))
        with self._room.lock:
            self.require_open()
            if identifier in self._seen:
                raise ChannelError(Code.OHTTP_REPLAYED, found=identifier.hex(), wanted="a request sealed afresh")
            if self.full:
                raise ChannelError(Code.OHTTP_REPLAY_STORE_FULL, found=f"{len(self._seen)} requests", wanted="a new key")
            self._seen.add(identifier)
            self._room.taken += 1

    def close(self) -> None:
        """The key is dead: its places are free again, and nothing is recorded any more, so nothing half-open slips through."""
        with self._room.lock:
            self._room.taken -= len(self._seen)
            self._seen = set()
            self._closed = True
