"""The private keys that a node opens requests with, by key id, each with its own replay store.

A key is advertised (active), may go on opening without being advertised (pending or stale), and dies: wiped, its replay store gone
with it. `key_id` is not reused while its key lives. Left to others: when to rotate, and the 24 hours before an id returns.
"""

from dataclasses import dataclass

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal.hpke import PrivateKey
from confide.seal.keyconfig import KeyConfig, by_preference, encode_key_configs
from confide.seal.replay import DEFAULT_CAPACITY, ReplayStore


@dataclass(slots=True)
class HeldKey:
    """A live key."""

    config: KeyConfig
    private_key: PrivateKey
    replay: ReplayStore
    advertised: bool


class KeyStore:
    """Live keys by id."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[int, HeldKey] = {}

    def add(
        self, config: KeyConfig, private_key: PrivateKey, *, advertised: bool = True, replay_capacity: int = DEFAULT_CAPACITY
    ) -> HeldKey:
        """Hold a key under its configuration's id; `ohttp.state` if that id is alive, `ohttp.key_config` if they do not match."""
        if config.key_id in self._keys:
            raise ChannelError(Code.OHTTP_STATE, found=f"key id {config.key_id} in use", wanted="another id")
        if private_key.kem is not config.kem or private_key.public_bytes != config.public_key:
            raise ChannelError(Code.OHTTP_KEY_CONFIG, found="another public key", wanted="that of the private key")
        held = HeldKey(config, private_key, ReplayStore(replay_capacity), advertised)
        self._keys[config.key_id] = held
        return held

    def get(self, key_id: int) -> HeldKey:
        """The live key of an id; `ohttp.key_id` if there is none."""
        held = self._keys.get(key_id)
        if held is None:
            raise ChannelError(Code.OHTTP_KEY_ID, found=f"key id {key_id}", wanted="an id from the keyset")
        return held

    def advertise(self, key_id: int) -> None:
        """Turn a pending key active."""
        self.get(key_id).advertised = True

    def withdraw(self, key_id: int) -> None:
        """Turn an active key stale: it still opens what was sealed to it."""
        self.get(key_id).advertised = False

    def retire(self, key_id: int) -> None:
        """The end of a key: wiped, forgotten, and its replay store dropped."""
        self.get(key_id).private_key.wipe()
        del self._keys[key_id]

    @property
    def configs(self) -> tuple[KeyConfig, ...]:
        """What is advertised, post-quantum first."""
        return by_preference(held.config for held in self._keys.values() if held.advertised)

    @property
    def spent(self) -> bool:
        """Whether an advertised key has accepted its last request: rotate, or start anew."""
        return any(held.advertised and held.replay.full for held in self._keys.values())

    def retire_all(self) -> None:
        """The end of every key."""
        for key_id in tuple(self._keys):
            self.retire(key_id)

    def encode(self) -> bytes:
        """`application/ohttp-keys` of what is advertised."""
        return encode_key_configs(self.configs)
