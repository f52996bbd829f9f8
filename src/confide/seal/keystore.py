"""The private keys that a node opens requests with, by key id, each with its own replay store.

A key is advertised (active), may go on opening without being advertised (pending or stale), and dies: wiped, its replay store gone
with it. Its id rests for 24 hours then, so that what was sealed to a dead key never meets another one under the same number while
someone may still remember it (DESIGN section 5). Left to others: when to rotate (`guest.epochs`), the clock.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal.hpke import PrivateKey
from confide.seal.keyconfig import KeyConfig, by_preference, encode_key_configs
from confide.seal.replay import DEFAULT_CAPACITY, ReplayStore, Room

KEY_IDS = 256  # one byte (RFC 9458 section 3.1)
REST_SECONDS = 24 * 3600.0


@dataclass(slots=True)
class HeldKey:
    """A live key."""

    config: KeyConfig
    private_key: PrivateKey
    replay: ReplayStore
    advertised: bool


class KeyStore:
    """Live keys by id.

    Args:
        clock: seconds that nobody can set back, for the rest of ids.
        room: how many requests all live keys together remember; by default each key counts by itself.
    """

    __slots__ = ("_clock", "_died", "_keys", "_room")

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, room: int | None = None) -> None:
        self._keys: dict[int, HeldKey] = {}
        self._died: dict[int, float] = {}
        self._clock = clock
        self._room = None if room is None else Room(room)

    def add(
        self, config: KeyConfig, private_key: PrivateKey, *, advertised: bool = True, replay_capacity: int = DEFAULT_CAPACITY
    ) -> HeldKey:
        """Hold a key under its configuration's id; `ohttp.state` if the id is not free, `ohttp.key_config` if they do not match."""
        if not self._free(config.key_id):
            raise ChannelError(Code.OHTTP_STATE, found=f"key id {config.key_id} in use", wanted="another id")
        if private_key.kem is not config.kem or private_key.public_bytes != config.public_key:
            raise ChannelError(Code.OHTTP_KEY_CONFIG, found="another public key", wanted="that of the private key")
        held = HeldKey(config, private_key, ReplayStore(replay_capacity, self._room), advertised)
        self._keys[config.key_id] = held
        self._died.pop(config.key_id, None)
        return held

    def get(self, key_id: int) -> HeldKey:
        """The live key of an id; `ohttp.key_id` if there is none."""
        held = self._keys.get(key_id)
        if held is None:
            raise ChannelError(Code.OHTTP_KEY_ID, found=f"key id {key_id}", wanted="an id from the keyset")
        return held

    def free_ids(self) -> tuple[int, ...]:
        """The ids that a new key may have: no key lives under them, and none has died there in the last 24 hours."""
        return tuple(key_id for key_id in range(KEY_IDS) if self._free(key_id))

    def advertise(self, key_id: int) -> None:
        """Turn a pending key active."""
        self.get(key_id).advertised = True

    def withdraw(self, key_id: int) -> None:
        """Turn an active key stale: it still opens what was sealed to it."""
        self.get(key_id).advertised = False

    def retire(self, key_id: int, *, shown: bool = True) -> None:
        """The end of a key: wiped, forgotten, its replay store dropped, its id at rest.

        Args:
            shown: False for a key that nobody was ever told of: nothing can have been sealed to it, and its id needs no rest.
        """
        held = self.get(key_id)
        held.private_key.wipe()
        held.replay.close()
        del self._keys[key_id]
        if shown:
            self._died[key_id] = self._clock()

    @property
    def configs(self) -> tuple[KeyConfig, ...]:
        """What is advertised, post-quantum first."""
        return by_preference(held.config for held in self._keys.values() if held.advertised)

    @property
    def crowding(self) -> float:
        """How full the room is that all live keys share, 0 to 1."""
        return self._room.taken / self._room.capacity if self._room else 0.0

    def retire_all(self) -> None:
        """The end of every key."""
        for key_id in tuple(self._keys):
            self.retire(key_id)

    def encode(self) -> bytes:
        """`application/ohttp-keys` of what is advertised."""
        return encode_key_configs(self.configs)

    def _free(self, key_id: int) -> bool:
        died = self._died.get(key_id)
        return key_id not in self._keys and (died is None or self._clock() - died >= REST_SECONDS)
