"""Key configurations and lists of them (RFC 9458 section 3).

A configuration keeps its exact bytes: the keyset names them, the replay identifier and the receipt hash them. In a list
(`application/ohttp-keys`) each has a two-byte length, so that one of an unknown KEM is skipped. Left to others: which of them are
trusted. Clients take them from a verdict, never from `/.well-known/ohttp-gateway`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal.hpke import Aead, Kdf, Kem, PublicKey, Suite, parse_public_key

OHTTP_KEYS = "application/ohttp-keys"
MAX_CONFIGS = 32  # a node has one per KEM and epoch
MAX_ALGORITHMS = 32  # three are ours
MAX_LIST = 1 << 16
DEFAULT_AEADS = (Aead.AES_256_GCM, Aead.AES_128_GCM, Aead.CHACHA20_POLY1305)


@dataclass(frozen=True, slots=True)
class KeyConfig:
    """One key configuration; `algorithms` are `(kdf_id, aead_id)` in the sender's order of preference, unknown ones included."""

    key_id: int
    kem: Kem
    public_key: bytes
    algorithms: tuple[tuple[int, int], ...]
    raw: bytes

    @property
    def parsed_key(self) -> PublicKey:
        """The parsed public key, remembered between calls."""
        return parse_public_key(self.kem, self.public_key)

    def suites(self) -> tuple[Suite, ...]:
        """The suites that both sides know, most preferred first."""
        return tuple(Suite(self.kem, Kdf(kdf), Aead(aead)) for kdf, aead in self.algorithms if (kdf, aead) in _KNOWN_ALGORITHMS)

    def suite(self, aead: Aead | None = None) -> Suite:
        """The first suite that both sides know, or the one with `aead`; `ohttp.no_suite` if there is none."""
        for suite in self.suites():
            if aead is None or suite.aead is aead:
                return suite
        wanted = aead.name if aead else "HKDF-SHA256 with AEAD 0001, 0002 or 0003"
        raise ChannelError(Code.OHTTP_NO_SUITE, found=f"{len(self.algorithms)} algorithms of key {self.key_id}", wanted=wanted)


_KNOWN_ALGORITHMS = frozenset((int(Kdf.HKDF_SHA256), int(aead)) for aead in Aead)


def build_key_config(key_id: int, kem: Kem, public_key: bytes, aeads: Sequence[Aead] = DEFAULT_AEADS) -> KeyConfig:
    """The configuration of a key: one byte of id, KEM, public key, and the AEADs in order of preference."""
    if not 0 <= key_id <= 0xFF:
        raise ChannelError(Code.OHTTP_KEY_CONFIG, found=f"key id {key_id}", wanted="0 to 255")
    algorithms = b"".join(int(Kdf.HKDF_SHA256).to_bytes(2, "big") + int(aead).to_bytes(2, "big") for aead in aeads)
    raw = b"".join((bytes((key_id,)), kem.to_bytes(2, "big"), public_key, len(algorithms).to_bytes(2, "big"), algorithms))
    return parse_key_config(raw)


def parse_key_config(raw: bytes) -> KeyConfig:
    """One configuration, all of `raw` (RFC 9458 section 3.1).

    Raises:
        ChannelError: `ohttp.key_config` when malformed, `hpke.suite` for a KEM that is not ours, `hpke.public_key` for a bad key.
    """
    if len(raw) < 3:
        raise _malformed(f"{len(raw)} bytes", "a key id and a KEM id")
    kem_id = int.from_bytes(raw[1:3], "big")
    if kem_id not in Kem._value2member_map_:
        raise ChannelError(Code.HPKE_SUITE, found=f"KEM 0x{kem_id:04x}", wanted="0x0020 or 0x647a")
    kem = Kem(kem_id)
    end = 3 + kem.n_pk
    size = int.from_bytes(raw[end : end + 2], "big")
    if len(raw) < end + 2 or len(raw) != end + 2 + size:
        raise _malformed(f"{len(raw)} bytes", f"{end + 2} and the algorithms")
    if size % 4 or not 1 <= size // 4 <= MAX_ALGORITHMS:
        raise _malformed(f"{size} bytes of algorithms", f"1 to {MAX_ALGORITHMS} pairs of four bytes")
    numbers = [int.from_bytes(raw[at : at + 2], "big") for at in range(end + 2, len(raw), 2)]
    public_key = parse_public_key(kem, bytes(raw[3:end])).raw
    return KeyConfig(raw[0], kem, public_key, tuple(zip(numbers[::2], numbers[1::2], strict=True)), bytes(raw))


def parse_key_configs(data: bytes) -> tuple[KeyConfig, ...]:
    """A list with two-byte lengths (RFC 9458 section 3.2): KEMs that we do not know are skipped, anything malformed refuses all."""
    if len(data) > MAX_LIST:
        raise _malformed(f"a list of {len(data)} bytes", f"at most {MAX_LIST}")
    configs, at, seen = [], 0, 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        seen += 1
        if at + 2 > len(data) or end > len(data) or seen > MAX_CONFIGS:
            raise _malformed("a broken list", f"at most {MAX_CONFIGS} configurations, each after its length")
        try:
            configs.append(parse_key_config(data[at + 2 : end]))
        except ChannelError as error:
            if error.code is not Code.HPKE_SUITE:
                raise
        at = end
    return tuple(configs)


def encode_key_configs(configs: Iterable[KeyConfig]) -> bytes:
    """The list form (RFC 9458 section 3.2), in the order given."""
    return b"".join(len(config.raw).to_bytes(2, "big") + config.raw for config in configs)


def by_preference(configs: Iterable[KeyConfig]) -> tuple[KeyConfig, ...]:
    """Those with a suite that we know, post-quantum first, otherwise in the order given."""
    return tuple(sorted((c for c in configs if c.suites()), key=lambda config: not config.kem.post_quantum))


def _malformed(found: str, wanted: str) -> ChannelError:
    return ChannelError(Code.OHTTP_KEY_CONFIG, found=found, wanted=wanted)
