"""CCA attestation tokens (draft-ffm-rats-cca-token-04, section 4; -01 for the older wrapper): two signed maps of claims.

    399 {44234: platform, 44241: realm}                      profiles up to 2024
    907 {0xACCA: [263, platform], 0xACD1: [263, realm]}      a CMW collection; the same numbers, with their content format

Claims that are not known are allowed (section 4.11.3) and counted. Left to others: signatures and how the two are bound (`verify`),
what is wanted of the claims (`validate`), keys (`keys`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from confide.attest import cbor
from confide.attest.cbor import Tagged
from confide.codes import Code
from confide.errors import EvidenceError

COLLECTION, CMW = 399, 907
PLATFORM, REALM = 0xACCA, 0xACD1
EAT_CWT = 263  # CoAP content format of application/eat+cwt
HASH_SIZES = (32, 48, 64)  # section 4, arm-platform-hash-type
CHALLENGE_SIZE = RPV_SIZE = 64
REMS = 4
UEID_SIZE, RAND = 33, 1  # section 4.4.1
IMPLEMENTATION_SIZE = 32
MAX_TEXT, MAX_BYTES, MAX_COMPONENTS = 256, 4096, 256
RMSD = 1  # section 4.6.3: asked by the realm management security domain
_PLATFORM_CLAIMS = {10, 256, 265, 2394, 2395, 2396, 2399, 2400, 2401, 2402, 2403, 2404, 2405, 2406, 2407, 2408}
_REALM_CLAIMS = {10, 256, 265, 44235, 44236, 44237, 44238, 44239, 44240, 44243, 44244, 44257}


@dataclass(frozen=True)
class Component:
    """One measured component of the platform's firmware (section 4.6.1)."""

    kind: str
    measurement: bytes
    version: str
    signer: bytes


@dataclass(frozen=True)
class PlatformClaims:
    """The platform token (sections 4.2 to 4.7).

    Attributes:
        challenge: claim 10; None where there is none.
        workload_binding: claim 2408, of profiles of 2026.
        unknown: how many claims are not known here.
    """

    profile: str
    challenge: bytes | None = field(repr=False)
    workload_binding: bytes | None = field(repr=False)
    implementation_id: bytes
    instance_id: bytes = field(repr=False)
    lifecycle: int
    config: bytes
    components: tuple[Component, ...]
    hash_algorithm: str
    client: int | None
    unknown: int


@dataclass(frozen=True)
class RealmClaims:
    """The realm token (section 4.8).

    Attributes:
        public_key: claim 44237, as it stands: what the platform's token is bound to.
        private_memory: whether the realm has a memory encryption context of its own (claim 44243); None where it does not say.
        live_firmware: whether firmware may change under the realm (claim 44244).
        devices: SHA of the devices assigned to the realm (claim 44257); None for none.
    """

    profile: str | None
    challenge: bytes = field(repr=False)
    personalization: bytes
    initial_measurement: bytes
    extensible_measurements: tuple[bytes, ...]
    hash_algorithm: str
    public_key: bytes = field(repr=False)
    public_key_hash: str
    private_memory: bool | None
    live_firmware: bool
    devices: bytes | None
    unknown: int


def parse_token(data: bytes) -> tuple[bytes, bytes]:
    """Both COSE_Sign1 messages, platform first; each with its tag.

    Raises:
        EvidenceError: `cbor.*`, `cca.token`.
    """
    token = cbor.loads(data)
    if not isinstance(token, Tagged) or token.tag not in {COLLECTION, CMW} or not isinstance(token.value, dict):
        raise malformed("another item", f"a map with tag {COLLECTION} or {CMW}")
    return _entry(token, PLATFORM), _entry(token, REALM)


def _entry(token: Tagged, key: int) -> bytes:
    entry = token.value.get(key)
    if token.tag == CMW:  # RFC 9999 section 3.1: a record of type and value
        whole = isinstance(entry, list) and len(entry) == 2 and entry[0] == EAT_CWT and type(entry[0]) is int
        entry = entry[1] if whole else None
    if not isinstance(entry, bytes):
        raise malformed(f"no entry {key:#x}", "a signed token")
    return entry


def parse_platform(payload: bytes) -> PlatformClaims:
    """The claims of the platform. Raises as `parse_token`."""
    claims = _claims(payload)
    components = claims.get(2399)
    if not isinstance(components, list) or not 1 <= len(components) <= MAX_COMPONENTS:
        raise malformed("no components", f"1 to {MAX_COMPONENTS} (claim 2399)")
    return PlatformClaims(
        profile=_text(claims, 265),
        challenge=_digest(claims, 10) if 10 in claims else None,
        workload_binding=_digest(claims, 2408) if 2408 in claims else None,
        implementation_id=_bytes(claims, 2396, IMPLEMENTATION_SIZE),
        instance_id=_ueid(claims),
        lifecycle=_number(claims, 2395, 0xFFFF),
        config=_bytes(claims, 2401),
        components=tuple(map(_component, components)),
        hash_algorithm=_text(claims, 2402),
        client=_client(claims) if 2394 in claims else None,
        unknown=len(set(claims) - _PLATFORM_CLAIMS),
    )


def parse_realm(payload: bytes) -> RealmClaims:
    """The claims of the realm. Raises as `parse_token`."""
    claims = _claims(payload)
    measurements = claims.get(44239)
    if not isinstance(measurements, list) or len(measurements) != REMS or not all(map(_is_digest, measurements)):
        raise malformed("extensible measurements of another form", f"{REMS} digests (claim 44239)")
    if 256 in claims:
        _ueid(claims)
    return RealmClaims(
        profile=_text(claims, 265) if 265 in claims else None,
        challenge=_bytes(claims, 10, CHALLENGE_SIZE),
        personalization=_bytes(claims, 44235, RPV_SIZE),
        initial_measurement=_digest(claims, 44238),
        extensible_measurements=tuple(measurements),
        hash_algorithm=_text(claims, 44236),
        public_key=_bytes(claims, 44237),
        public_key_hash=_text(claims, 44240),
        private_memory=bool(_number(claims, 44243, 1)) if 44243 in claims else None,
        live_firmware=bool(_number(claims, 44244, 1)) if 44244 in claims else False,
        devices=_digest(claims, 44257) if 44257 in claims else None,
        unknown=len(set(claims) - _REALM_CLAIMS),
    )


def _claims(payload: bytes) -> Mapping[Any, Any]:
    claims = cbor.loads(payload)
    if not isinstance(claims, dict):
        raise malformed("no map", "a map of claims")
    return claims


def _component(value: Any) -> Component:
    """Section 4.6.1: 1 type, 2 measurement, 4 version, 5 signer; others of it are not relied on."""
    if not isinstance(value, dict) or not _is_digest(value.get(2)) or not _is_digest(value.get(5)):
        raise malformed("a component of another form", "measurement and signer, 32, 48 or 64 bytes")
    kind, version = (value.get(key, "") for key in (1, 4))
    if not _is_text(kind, 0) or not _is_text(version, 0):
        raise malformed("a component with texts of another form", f"up to {MAX_TEXT} printable characters")
    return Component(kind, value[2], version, value[5])


def _text(claims: Mapping[Any, Any], key: int) -> str:
    value = claims.get(key)
    if not isinstance(value, str) or not _is_text(value, 1):
        raise malformed(f"claim {key} of another form", f"up to {MAX_TEXT} printable characters")
    return value


def _is_text(value: Any, least: int) -> bool:
    return isinstance(value, str) and least <= len(value) <= MAX_TEXT and value.isascii() and (value.isprintable() or not value)


def _bytes(claims: Mapping[Any, Any], key: int, size: int | None = None) -> bytes:
    value = claims.get(key)
    if not isinstance(value, bytes) or len(value) > MAX_BYTES or (size is not None and len(value) != size):
        raise malformed(f"claim {key} of another form", f"{size or f'up to {MAX_BYTES}'} bytes")
    return value


def _digest(claims: Mapping[Any, Any], key: int) -> bytes:
    value = claims.get(key)
    if not isinstance(value, bytes) or not _is_digest(value):
        raise malformed(f"claim {key} of another form", "32, 48 or 64 bytes")
    return value


def _is_digest(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) in HASH_SIZES


def _number(claims: Mapping[Any, Any], key: int, largest: int) -> int:
    value = claims.get(key)
    if type(value) is not int or not 0 <= value <= largest:
        raise malformed(f"claim {key} of another form", f"a number up to {largest}")
    return value


def _client(claims: Mapping[Any, Any]) -> int:
    """Section 4.6.3."""
    if _number(claims, 2394, RMSD) != RMSD:
        raise malformed("a token for another client", "for the realm management security domain (claim 2394 is 1)")
    return RMSD


def _ueid(claims: Mapping[Any, Any]) -> bytes:
    """Type RAND, then 32 bytes (section 4.4.1)."""
    value = _bytes(claims, 256, UEID_SIZE)
    if value[0] != RAND:
        raise malformed(f"claim 256 of type {value[0]}", "type 1, RAND")
    return value


def malformed(found: str, wanted: str) -> EvidenceError:
    """`cca.token`."""
    return EvidenceError(Code.CCA_TOKEN, found=found, wanted=wanted)
