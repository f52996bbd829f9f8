"""Which sealed requests a key has accepted: each once (DESIGN section 5, Replay; RFC 9458 section 6.5).

The identifier is `SHA-256(key configuration || enc)`. It is recorded after the first successful open and before any processing, and
kept as long as the key lives: nothing is ever evicted, a full store refuses, and the node rotates to a new key. Memory only: a key
does not outlive its process. Left to others: rotation (`guest`), and agreement between replicas.
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


class ReplayStore:
    """The accepted identifiers of one key."""

    __slots__ = ("_lock", "_seen", "capacity")

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self.capacity = capacity
        self._seen: set[bytes] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def full(self) -> bool:
        """Whether the next new identifier will be refused; rotate the key before."""
        return len(self._seen) >= self.capacity

    def record(self, identifier: bytes) -> None:
        """Remember `identifier`, or refuse: `ohttp.replayed` if it is known, `ohttp.replay_store_full` if there is no room."""
        if len(identifier) != IDENTIFIER_SIZE:
            raise ChannelError(Code.OHTTP_STATE, found=f"an identifier of {len(identifier)} bytes", wanted=str(IDENTIFIER_SIZE))
        with self._lock:
            if identifier in self._seen:
                raise ChannelError(Code.OHTTP_REPLAYED, found=identifier.hex(), wanted="a request sealed afresh")
            if len(self._seen) >= self.capacity:
                raise ChannelError(Code.OHTTP_REPLAY_STORE_FULL, found=f"{self.capacity} requests", wanted="a new key")
            self._seen.add(identifier)
