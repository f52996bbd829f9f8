"""A false Arm CCA platform and realms on it (draft-ffm-rats-cca-token-04). Its keys are public: a token proves nothing.

Claims are named by their numbers, as in the draft. `...` in place of a value leaves a claim out. Left to others: checking
(`confide.attest.cca`).
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from confide.attest.evidence import Evidence, Kind, Root
from confide_sim import x509
from confide_sim.aws import Raw, cbor, head, key_of

ES256, ES384, ES512 = -7, -35, -36
OLD, NEW = "tag:arm.com,2023:cca_platform#1.0.0", "tag:arm.com,2026:cca_platform#2.0.0"
OLD_REALM, NEW_REALM = "tag:arm.com,2023:realm#1.0.0", "tag:arm.com,2026:realm#2.0.0"
FIRMWARE = {name: hashlib.sha256(f"simulated {name}".encode()).digest() for name in ("BL1", "BL2", "BL31", "RMM")}
SIGNER = hashlib.sha256(b"simulated signer").digest()
IMPLEMENTATION = hashlib.sha256(b"simulated implementation").digest()
RIM = b"\x41" * 48
CONFIG = bytes.fromhex("cfcfcfcf")
CPAK = key_of("arm/cpak")
_ALGORITHMS: Mapping[str, tuple[int, HashAlgorithm, int]] = {
    "secp256r1": (ES256, SHA256(), 1),
    "secp384r1": (ES384, SHA384(), 2),
    "secp521r1": (ES512, SHA512(), 3),
}


def root() -> Root:
    """The false platform's key, as a policy would pin one."""
    return Root(Kind.CCA, "SIMULATED CPAK", x509.spki(CPAK), simulated=True)


class FalseRealm:
    """A realm on the false platform.

    Args:
        seed: what its key follows from; random when left out.
        curve: of the realm's key.
    """

    def __init__(self, *, seed: bytes | None = None, curve: ec.EllipticCurve | None = None) -> None:
        label = (os.urandom(16) if seed is None else seed).hex()
        number = int.from_bytes(hashlib.sha256(b"rak/" + label.encode()).digest())
        self.key = ec.derive_private_key(number >> 8, curve or ec.SECP384R1())

    def __repr__(self) -> str:
        return "FalseRealm(SIMULATED)"

    def raw_key(self) -> bytes:
        """An uncompressed point, as older tokens have it."""
        numbers, size = self.key.public_key().public_numbers(), (self.key.curve.key_size + 7) // 8
        return b"\x04" + numbers.x.to_bytes(size) + numbers.y.to_bytes(size)

    def cose_key(self, **overrides: Any) -> bytes:
        """RFC 9053 section 7.1.1; overrides are `kty`, `crv`, `x`, `y`, `alg`."""
        point, size = self.raw_key(), (self.key.curve.key_size + 7) // 8
        members = {
            "kty": 2,
            "crv": _ALGORITHMS[self.key.curve.name][2],
            "x": point[1 : 1 + size],
            "y": point[1 + size :],
            **overrides,
        }
        labels = {"kty": 1, "alg": 3, "crv": -1, "x": -2, "y": -3}
        return cbor({labels[name]: value for name, value in members.items() if value is not ...})

    def realm(self, challenge: bytes, claims: Mapping[int, Any] | None = None, *, newer: bool = False) -> dict[int, Any]:
        """The realm's claims."""
        usual: dict[int, Any] = {
            10: challenge,
            265: NEW_REALM if newer else OLD_REALM,
            44235: bytes(64),
            44238: RIM,
            44239: [bytes(48)] * 4,
            44236: "sha-384",
            44237: self.cose_key(),
            44240: "sha-256",
        }
        usual |= {256: b"\x01" + bytes(32), 44243: 1, 44244: 0} if newer else {}
        return {key: value for key, value in {**usual, **(claims or {})}.items() if value is not ...}

    def platform(self, bound: bytes, claims: Mapping[int, Any] | None = None, *, newer: bool = False) -> dict[int, Any]:
        """The platform's claims; `bound` is the hash of the realm's key."""
        usual: dict[int, Any] = {
            265: NEW if newer else OLD,
            (2408 if newer else 10): bound,
            2396: IMPLEMENTATION,
            256: b"\x01" + hashlib.sha256(b"simulated instance").digest(),
            2401: CONFIG,
            2395: 0x3000,
            2402: "sha-256",
            2399: [{1: name, 2: value, 4: "1.0", 5: SIGNER, 6: "sha-256"} for name, value in FIRMWARE.items()],
            2400: "https://simulated.invalid",
        }
        usual |= {2394: 1} if newer else {}
        return {key: value for key, value in {**usual, **(claims or {})}.items() if value is not ...}

    def token(
        self,
        challenge: bytes,
        *,
        realm: Mapping[int, Any] | None = None,
        platform: Mapping[int, Any] | None = None,
        realm_message: Mapping[str, Any] | None = None,
        platform_message: Mapping[str, Any] | None = None,
        newer: bool = False,
        wrapped: Callable[[bytes, bytes], bytes] | None = None,
    ) -> bytes:
        """A whole token; `wrapped` puts both messages together in another way."""
        inner = self.realm(challenge, realm, newer=newer)
        key = inner.get(44237, b"")
        name = inner.get(44240, "sha-256")
        hashes = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}
        bound = hashes.get(name, hashlib.sha256)(key if isinstance(key, bytes) else b"").digest()
        first = message(cbor(self.platform(bound, platform, newer=newer)), **{"key": CPAK, **(platform_message or {})})
        second = message(cbor(inner), **{"key": self.key, **(realm_message or {})})
        return (wrapped or (cmw if newer else collection))(first, second)

    def evidence(self, *, report_data: bytes, **overrides: Any) -> Evidence:
        """Evidence whose challenge is the binding."""
        return Evidence(Kind.CCA.value, {"token": self.token(report_data, **overrides)})


def collection(platform: bytes, realm: bytes) -> bytes:
    """Tag 399, as up to draft 01."""
    return head(6, 399) + cbor({44234: platform, 44241: realm})


def cmw(platform: bytes, realm: bytes) -> bytes:
    """Tag 907 with content formats."""
    return head(6, 907) + cbor({0xACCA: [263, platform], 0xACD1: [263, realm]})


def message(
    payload: bytes,
    *,
    key: ec.EllipticCurvePrivateKey,
    protected: Mapping[Any, Any] | None = None,
    unprotected: Mapping[Any, Any] | None = None,
    tag: int | None = 18,
    signature: Callable[[bytes], bytes] = lambda signature: signature,
) -> bytes:
    """A COSE_Sign1 by the key's own algorithm (RFC 9052 section 4.2)."""
    algorithm, digest, _ = _ALGORITHMS[key.curve.name]
    header = cbor({1: algorithm} if protected is None else dict(protected))
    covered = cbor(["Signature1", header, b"", payload])
    size = (key.curve.key_size + 7) // 8
    r, s = decode_dss_signature(key.sign(covered, ec.ECDSA(digest, deterministic_signing=True)))
    items = [header, dict(unprotected or {}), payload, signature(r.to_bytes(size) + s.to_bytes(size))]
    return cbor(items) if tag is None else Raw(head(6, tag) + cbor(items)).data
