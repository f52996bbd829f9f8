"""The HPKE and key configuration cases of `vectors/08-channel.json`."""

from collections.abc import Iterator, Sequence
from typing import Any

from confide.codes import Code
from confide.seal.aead import SEQUENCE_LIMIT
from confide.seal.hpke import Aead, Kdf, Kem, Suite
from confide.seal.keyconfig import KeyConfig, build_key_config, encode_key_configs
from scripts.vectors._cases import accept, reject
from scripts.vectors._channel import CONFIGS, EPHEMERAL, PIECES, PRIVATE, SECRETS, SMALL_ORDER, Given, Random, flip

Cases = Iterator[dict[str, Any]]
X, W = Kem.X25519, Kem.XWING
INFO, AADS = b"confide vectors", (b"", b"aad")
BAD_MLKEM = b"\xff" * 1184


def _context(kem: Kem, aead: Aead, enc: bytes, ciphertexts: Sequence[bytes], **changes: Any) -> Given:
    messages = [{"aad": aad.hex(), "ciphertext": ct.hex()} for aad, ct in zip(AADS, ciphertexts, strict=False)]
    exports = [{"context": b"exporter".hex(), "length": length} for length in (16, 32)]
    suite = {"kem": int(kem), "kdf": 1, "aead": int(aead)}
    private = {"private_key": SECRETS[kem].hex(), "enc": enc.hex(), "info": INFO.hex()}
    return suite | private | {"messages": messages, "exports": exports} | changes


def _sender(aead: Aead, **changes: Any) -> Given:
    messages = [{"aad": aad.hex(), "plaintext": piece.hex()} for aad, piece in zip(AADS, PIECES, strict=True)]
    given = {"kem": int(X), "kdf": 1, "aead": int(aead), "public_key": PRIVATE[X].public_bytes.hex(), "info": INFO.hex()}
    exports = [{"context": b"exporter".hex(), "length": length} for length in (16, 32)]
    return given | {"ephemeral": EPHEMERAL.hex(), "messages": messages, "exports": exports} | changes


def hpke(random: Random) -> Cases:
    """Contexts that seal, open and export."""
    for aead in Aead:
        sealed = accept(f"hpke-seal-x25519-{int(aead)}", "CH-3 CH-6 CH-7", "hpke.seal", _sender(aead))
        yield sealed
        enc = bytes.fromhex(sealed["expected"]["ok"]["enc"])
        ciphertexts = tuple(bytes.fromhex(item) for item in sealed["expected"]["ok"]["ciphertexts"])
        given = _context(X, aead, enc, ciphertexts)
        yield accept(f"hpke-open-x25519-{int(aead)}", "CH-1 CH-2 CH-4 CH-5 CH-7 CH-8", "hpke.open", given)
        enc, ciphertexts = random.context(Suite(W, Kdf.HKDF_SHA256, aead), INFO, AADS)
        given = _context(W, aead, enc, ciphertexts)
        yield accept(f"hpke-open-xwing-{int(aead)}", "CH-1 CH-2 CH-4 CH-5 CH-7 CH-8", "hpke.open", given)
    last = {"sequence": str(SEQUENCE_LIMIT - 1), "messages": _sender(Aead.AES_256_GCM)["messages"][:1]}
    yield accept("hpke-seal-last-number", "CH-6", "hpke.seal", _sender(Aead.AES_256_GCM, **last))
    longest = {"exports": [{"context": "", "length": 8160}], "messages": []}
    yield accept("hpke-export-longest", "CH-7", "hpke.seal", _sender(Aead.AES_256_GCM, **longest))


def hpke_refusals(random: Random) -> Cases:
    """One thing wrong with a suite, a key, a message or a number."""
    aead = Aead.AES_256_GCM
    sealed = accept("", "", "hpke.seal", _sender(aead))["expected"]["ok"]
    enc, (first, second) = bytes.fromhex(sealed["enc"]), [bytes.fromhex(item) for item in sealed["ciphertexts"]]
    wing, (wing_first, _) = random.context(Suite(W, Kdf.HKDF_SHA256, aead), INFO, AADS)
    for name, change in (("kem", {"kem": 0x0010}), ("kdf", {"kdf": 2}), ("aead", {"aead": 0xFFFF})):
        yield reject(f"hpke-reject-{name}", "CH-1", "hpke.open", _context(X, aead, enc, [first]) | change, Code.HPKE_SUITE)
    for name, key in (("short", bytes(31)), ("long", bytes(33)), ("empty", b"")):
        given = _context(X, aead, enc, [first], private_key=key.hex())
        yield reject(f"hpke-reject-private-key-{name}", "CH-2", "hpke.open", given, Code.HPKE_PRIVATE_KEY)
    for name, kem, key in (("short", X, bytes(31)), ("small-order", X, SMALL_ORDER), ("modulus", W, BAD_MLKEM + bytes(32))):
        given = _sender(aead) | {"kem": int(kem), "public_key": key.hex()}
        yield reject(f"hpke-reject-public-key-{name}", "CH-3", "hpke.seal", given, Code.HPKE_PUBLIC_KEY)
    for name, kem, bad in (
        ("short", X, enc[:-1]),
        ("small-order", X, SMALL_ORDER),
        ("xwing-long", W, wing + b"\x00"),
        ("xwing-small-order", W, wing[:-32] + SMALL_ORDER),
    ):
        yield reject(f"hpke-reject-enc-{name}", "CH-4", "hpke.open", _context(kem, aead, bad, [first]), Code.HPKE_ENC)
    for name, kem, key, messages in (
        ("flipped", X, enc, [flip(first, 0)]),
        ("tag", X, enc, [flip(first, -1)]),
        ("reordered", X, enc, [second, first]),
        ("repeated", X, enc, [first, first]),
        ("short", X, enc, [first[:15]]),
        ("enc", X, flip(enc, 3), [first]),
        ("xwing-mlkem", W, flip(wing, 0), [wing_first]),
        ("xwing-x25519", W, flip(wing, -4), [wing_first]),
    ):
        yield reject(f"hpke-reject-open-{name}", "CH-5", "hpke.open", _context(kem, aead, key, messages), Code.HPKE_OPEN)
    given = _context(X, aead, enc, [first], info=b"other".hex())
    yield reject("hpke-reject-open-info", "CH-5", "hpke.open", given, Code.HPKE_OPEN)
    limit = {"sequence": str(SEQUENCE_LIMIT)}
    yield reject("hpke-reject-limit-seal", "CH-6", "hpke.seal", _sender(aead, **limit), Code.HPKE_MESSAGE_LIMIT)
    yield reject(
        "hpke-reject-limit-second", "CH-6", "hpke.seal", _sender(aead, sequence=str(SEQUENCE_LIMIT - 1)), Code.HPKE_MESSAGE_LIMIT
    )
    yield reject("hpke-reject-limit-open", "CH-6", "hpke.open", _context(X, aead, enc, [first], **limit), Code.HPKE_MESSAGE_LIMIT)
    for length in (0, 8161):
        given = _sender(aead, messages=[], exports=[{"context": "", "length": length}])
        yield reject(f"hpke-reject-export-{length}", "CH-7", "hpke.seal", given, Code.HPKE_EXPORT_LENGTH)
    yield reject("hpke-reject-wiped", "CH-8", "hpke.open", _context(X, aead, enc, [first], wiped=True), Code.HPKE_KEY_WIPED)
    yield reject("hpke-reject-wiped-xwing", "CH-8", "hpke.open", _context(W, aead, wing, [], wiped=True), Code.HPKE_KEY_WIPED)


def _with_algorithms(algorithms: str, kem: Kem = X) -> bytes:
    raw = bytes.fromhex(algorithms)
    return b"\x07" + kem.to_bytes(2, "big") + PRIVATE[kem].public_bytes + len(raw).to_bytes(2, "big") + raw


def keyconfigs() -> Cases:
    """Key configurations, and the suite taken from one."""
    for kem in Kem:
        yield accept(f"keyconfig-{kem.name.lower()}", "CH-1 CH-3 CH-9", "keyconfig.parse", {"config": CONFIGS[kem].raw.hex()})
    mixed = _with_algorithms("0011000100010003ffffffff00010001")
    yield accept("keyconfig-unknown-algorithms", "CH-9", "keyconfig.parse", {"config": mixed.hex()})
    good = CONFIGS[X].raw
    for name, raw in (
        ("empty", b""),
        ("short-key", good[:20]),
        ("no-algorithms", _with_algorithms("")),
        ("half-a-pair", _with_algorithms("000100010001")),
        ("too-many", _with_algorithms("00010001" * 33)),
        ("cut", good[:-1]),
        ("trailing", good + b"\x00"),
    ):
        yield reject(f"keyconfig-reject-{name}", "CH-9", "keyconfig.parse", {"config": raw.hex()}, Code.OHTTP_KEY_CONFIG)
    yield reject("keyconfig-reject-kem", "CH-1", "keyconfig.parse", {"config": "010010" + "00" * 71}, Code.HPKE_SUITE)
    bad = b"\x01\x64\x7a" + BAD_MLKEM + bytes(32) + bytes.fromhex("000400010002")
    yield reject("keyconfig-reject-key", "CH-3", "keyconfig.parse", {"config": bad.hex()}, Code.HPKE_PUBLIC_KEY)
    for name, config, aead in (("first", good, None), ("told", good, 3), ("skips-unknown", mixed, None)):
        yield accept(f"keyconfig-suite-{name}", "CH-11", "keyconfig.suite", {"config": config.hex(), "aead": aead})
    none = _with_algorithms("00110001")
    for name, config, aead in (("none", none, None), ("not-offered", mixed, 2)):
        given = {"config": config.hex(), "aead": aead}
        yield reject(f"keyconfig-reject-suite-{name}", "CH-11", "keyconfig.suite", given, Code.OHTTP_NO_SUITE)


def lists() -> Cases:
    """Lists of configurations."""
    more = [build_key_config(key_id, kem, PRIVATE[kem].public_bytes) for key_id, kem in ((3, X), (4, W))]
    unknown = bytes.fromhex("0005010099") + b"??"
    both: list[KeyConfig] = [CONFIGS[X], CONFIGS[W]]
    for name, data in (
        ("post-quantum-first", encode_key_configs([*both, *more])),
        ("skips-unknown-kem", unknown + encode_key_configs(both) + unknown),
        ("empty", b""),
    ):
        yield accept(f"keyconfig-list-{name}", "CH-10 CH-11", "keyconfig.list", {"list": data.hex()})
    good = encode_key_configs(both)
    for name, data in (
        ("bare", CONFIGS[X].raw),
        ("cut", good[:-1]),
        ("trailing", good + b"\x00"),
        ("empty-entry", b"\x00\x00" + good),
        ("too-many", unknown * 33),
        ("malformed-entry", good + b"\x00\x04\x01\x00\x20\x00"),
    ):
        yield reject(f"keyconfig-reject-list-{name}", "CH-10", "keyconfig.list", {"list": data.hex()}, Code.OHTTP_KEY_CONFIG)
    too_long = {"list": [["00", 65537]]}
    yield reject("keyconfig-reject-list-too-long", "CH-10", "keyconfig.list", too_long, Code.OHTTP_KEY_CONFIG)
