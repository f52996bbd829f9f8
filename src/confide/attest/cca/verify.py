"""Is a CCA token genuine? Both signatures, and that they are one token's; nothing about what is acceptable.

1. Read the wrapper and both COSE_Sign1: `layout`, `cose`.
2. Platform token: signed by a pinned CPAK (`_platform`); its profile is a known one of the delegated model (section 4.3.3).
3. Realm token: its key, RAK, hashed by the algorithm that it names, is what the platform's token was made for: claim 10, or claim
   2408 from the profiles of 2026 on (section 4.10): `_bound`.
4. Realm token: signed by the RAK.

There is no public key infrastructure of a vendor: whoever builds or buys a platform knows its CPAK, and a policy pins it
(`Root.der` is a SubjectPublicKeyInfo here). Tokens say no time. Left to others: measurements, lifecycle (`validate`).
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from confide.attest import cose, x509
from confide.attest.cca.claims import CcaClaims
from confide.attest.cca.keys import algorithm_of, platform_key, realm_key
from confide.attest.cca.layout import PlatformClaims, RealmClaims, parse_platform, parse_realm, parse_token
from confide.attest.checks import Checks
from confide.attest.cose import Algorithm, Sign1
from confide.attest.evidence import Endorsements, Evidence, Kind, Root, Roots
from confide.attest.x509 import Revocation
from confide.codes import Code
from confide.errors import CollateralError, EvidenceError

HEADERS = frozenset({3, 4, 16, 33, 34})  # content type, kid, typ, x5chain, x5t (RFC 9052, 9596, 9360): none of them chooses a key
HASHES: Mapping[str, Callable[[bytes], Any]] = MappingProxyType(  # IANA Named Information, hash name strings
    {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}
)
# Section 4.3.3; the direct model has no realm key and is not read.
BY_CHALLENGE = frozenset(
    {
        "http://arm.com/CCA-SSD/1.0.0",
        "tag:arm.com,2023:cca_platform#1.0.0",
        "tag:arm.com,2024:cca_platform#1.1.0",
        "tag:arm.com,2024:cca_platform#2.0.0",
    }
)
BY_WORKLOAD = frozenset(
    f"tag:arm.com,2026:cca_platform#{version}{model}" for version in ("2.0.0", "2.1.0") for model in ("", ";delegated")
)
BY_WORKLOAD_AND_CHALLENGE = frozenset(f"tag:arm.com,2026:cca_platform#{version};HESRAK" for version in ("2.0.0", "2.1.0"))
PLATFORM_PROFILES = BY_CHALLENGE | BY_WORKLOAD | BY_WORKLOAD_AND_CHALLENGE
REALM_PROFILES = frozenset(
    {
        "tag:arm.com,2023:realm#1.0.0",
        "tag:arm.com,2024:realm#1.1.0",
        "tag:arm.com,2024:realm#2.0.0",
        "tag:arm.com,2026:realm#2.0.0",
    }
)
# The false platform of `confide-sim`, whose private key is public: simulated whoever pins it.
FALSE_KEYS = frozenset({bytes.fromhex("ea9db8d4aeccb7280aa82002242f8e4698292ccea6a9d9235254c01b9650123a")})
NOT_BEFORE, NOT_AFTER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


def authenticate(
    evidence: Evidence,
    endorsements: Endorsements,  # noqa: ARG001 - every kind is called alike; a token needs its platform's key alone
    *,
    roots: Roots,
    now: datetime,
    revocation: Revocation,  # noqa: ARG001 - nobody publishes lists
    checks: Checks,
) -> CcaClaims:
    """Verify `evidence["token"]` of kind `cca`.

    Raises:
        EvidenceError: not genuine.
        CollateralError: `cca.anchor` where no platform key is pinned.
    """
    x509.require_clock(now)
    first, second = parse_token(_token(evidence))
    root, platform = _platform(first, roots, checks)
    message = _message(second, checks)
    realm = parse_realm(message.payload)
    _profiles(platform, realm, checks)
    _bound(platform, realm, checks)
    key = realm_key(realm.public_key)
    matches = message.algorithm is algorithm_of(key)
    checks.require(
        matches, Code.COSE_ALGORITHM, "realm token's algorithm", found=message.algorithm.name, wanted=algorithm_of(key).name
    )
    cose.require_signed(message, key, title="realm token", checks=checks)
    checks.skip("revocation", "nobody publishes lists for platform keys: the policy that pins them is all there is")
    checks.skip("age", "a token says no time: that it is fresh rests on the nonce alone")
    if platform.unknown + realm.unknown:
        checks.skip("unknown claims", f"{platform.unknown + realm.unknown} that this version does not know")
    checks.conclude()
    return CcaClaims(
        kind=Kind.CCA,
        simulated=root.simulated or hashlib.sha256(root.der).digest() in FALSE_KEYS,
        measurements=_measurements(platform, realm),
        report_data=realm.challenge,
        platform_id=platform.instance_id.hex(),
        tcb_status=None,
        advisories=(),
        not_before=NOT_BEFORE,
        not_after=NOT_AFTER,
        platform=platform,
        realm=realm,
        platform_key=root.der,
    )


def _token(evidence: Evidence) -> bytes:
    found = evidence.items.get("token")
    if found is None:
        raise EvidenceError(Code.EVIDENCE_MISSING, found=", ".join(sorted(evidence.items)) or "nothing", wanted="token")
    return found


def _message(data: bytes, checks: Checks) -> Sign1:
    """Section 4.11.1: a tagged COSE_Sign1. Any of the algorithms is read; the key decides."""
    return cose.parse_sign1(
        data,
        algorithms=tuple(Algorithm),
        tagged=True,
        checks=checks,
        protected_labels=HEADERS,
        unprotected_labels=HEADERS,
    )


def _platform(data: bytes, roots: Roots, checks: Checks) -> tuple[Root, PlatformClaims]:
    """Step 2: which pinned key signed; nothing in the token is read before."""
    message = _message(data, checks)
    pinned = [(root, platform_key(root.der)) for root in roots if root.kind is Kind.CCA]
    if not pinned:
        hint = "get the platform's key from its maker or owner, and name it: accept.platform_keys"
        raise CollateralError(Code.CCA_ANCHOR, found="no platform key", wanted="that of the platform, pinned", hint=hint)
    root = next((root for root, key in pinned if cose.verifies(message, key)), None)
    names = ", ".join(root.name for root, _ in pinned[:4])
    found = "by none of them" if root is None else f"by {root.name}"
    checks.require(
        root is not None, Code.COSE_SIGNATURE, "platform token signature", found=found, wanted=f"one by a pinned key: {names}"
    )
    if root is None:  # a lenient record goes on to other things, never with claims that nobody signed
        raise EvidenceError(Code.COSE_SIGNATURE, found=found, wanted=f"one by a pinned key: {names}")
    return root, parse_platform(message.payload)


def _profiles(platform: PlatformClaims, realm: RealmClaims, checks: Checks) -> None:
    """Sections 4.5.1 and 4.8.2; a realm token without a profile is described by the platform's."""
    for found, known, title, wanted in (
        (platform.profile, PLATFORM_PROFILES, "platform profile", "one of the delegated model, up to that of 2026"),
        (realm.profile, REALM_PROFILES | {None}, "realm profile", "one up to that of 2026, or none"),
    ):
        checks.require(found in known, Code.CCA_PROFILE, title, found=found or "none", wanted=wanted)
    checks.conclude()


def _bound(platform: PlatformClaims, realm: RealmClaims, checks: Checks) -> None:
    """Step 3 (sections 4.3.1 to 4.3.3 and 4.10)."""
    hashed = HASHES.get(realm.public_key_hash)
    if hashed is None:
        raise EvidenceError(Code.CCA_BINDING, found=realm.public_key_hash[:20], wanted=", ".join(HASHES))
    wanted: bytes = hashed(realm.public_key).digest()
    if platform.profile in BY_CHALLENGE:
        pairs = [("challenge", platform.challenge, wanted)]
    else:
        pairs = [("workload binding", platform.workload_binding, wanted)]
        other = realm.challenge if platform.profile in BY_WORKLOAD_AND_CHALLENGE else None
        pairs += [("challenge", platform.challenge, other)] if other is not None else []
        absent = other is not None or platform.challenge is None
        checks.require(
            absent, Code.CCA_BINDING, "platform challenge", found="present" if not absent else "as wanted", wanted="none"
        )
    for title, found, expected in pairs:
        good = found is not None and hmac.compare_digest(found, expected)
        shown = "none" if found is None else found.hex()
        checks.require(good, Code.CCA_BINDING, f"platform {title}", found=shown, wanted=expected.hex())
    checks.conclude()


def _measurements(platform: PlatformClaims, realm: RealmClaims) -> tuple[tuple[str, bytes], ...]:
    rems = tuple((f"rem{index}", value) for index, value in enumerate(realm.extensible_measurements))
    firmware = tuple((f"firmware {index} {each.kind}".strip(), each.measurement) for index, each in enumerate(platform.components))
    return (("rim", realm.initial_measurement), *rems, *firmware)
