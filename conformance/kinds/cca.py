"""Arm CCA cases: the token as it is; the platform's key, PEM beside it, is what a policy would pin."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from confide.attest import verifiers
from confide.attest.cca.claims import CcaClaims
from confide.attest.cca.layout import REMS
from confide.attest.cca.validate import CcaConstraints
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Kind, Root, Roots
from conformance.kinds.case import Adapter, Case, File, Parts, RefusedInputError, require_inputs, require_nonce

SKIP = Ignored.UNSAFE_IGNORED
ANCHORS = frozenset({"trust-anchor", "trust-anchor-alt", "negative"})
REFERENCES = "reference-values"
# SubjectPublicKeyInfo up to the point (RFC 5480): a key that is no point of its curve is the verifier's to refuse
_SPKI = {
    "P-256": bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"),
    "P-384": bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200"),
    "P-521": bytes.fromhex("30819b301006072a8648ce3d020106052b8104002303818600"),
}


def sort(files: Sequence[File]) -> Parts:
    """The token as evidence; keys and reference values as endorsements of the harness, which `roots` and `judge` read."""
    beside: dict[str, bytes] = {}
    for role, _, data in files:
        if role in ANCHORS:
            beside |= {f"{role}/{index}": key for index, key in enumerate(spkis(data))}
        elif role == REFERENCES:
            beside[role] = data
    return Parts({role: data for role, _, data in files if role not in ANCHORS | {REFERENCES}}, beside)


def spkis(data: bytes) -> list[bytes]:
    """Keys in DER: from PEM, or all of a store of JWKs."""
    if data.lstrip()[:1] not in {b"[", b"{"}:
        return [load_pem_public_key(data).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]
    store = json.loads(data)
    return [_spki(entry.get("pkey", entry)) for entry in (store if isinstance(store, list) else [store])]


def _spki(key: dict[str, str]) -> bytes:
    point = b"".join(base64.urlsafe_b64decode(key[name] + "=" * (-len(key[name]) % 4)) for name in ("x", "y"))
    return _SPKI[key["crv"]] + b"\x04" + point


def roots(case: Case) -> Roots:
    """What the case pins."""
    return tuple(
        Root(Kind.CCA, "recorded platform key", data) for role, data in case.endorsements.items.items() if role != REFERENCES
    )


def judge(claims: Claims, case: Case, checks: Checks) -> None:
    """`recorded-v1`, then the nonce, then what else the case expects."""
    if not isinstance(claims, CcaClaims):
        raise TypeError(type(claims).__name__)
    keys = tuple(root.der for root in roots(case))
    verifiers.validate(claims, CcaConstraints(platform_keys=keys, rims=SKIP, rems=(SKIP,) * REMS, firmware=SKIP), checks=checks)
    _require_references(claims, case)
    if case.nonce is not None:
        require_nonce(case, claims.realm.challenge, {case.nonce})
    else:
        checks.skip("nonce", "the case records none")
    require_inputs(case, fields(claims))


def _require_references(claims: CcaClaims, case: Case) -> None:
    """A store of reference values beside the token: every component, and the realm, must be in it."""
    data = case.endorsements.items.get(REFERENCES)
    if data is None:
        return
    store, platform = json.loads(data), claims.platform
    own = [each for each in store["platform"] if bytes.fromhex(each["implementation-id"]) == platform.implementation_id]
    known = {(part["measurement-value"], part["signer-id"]) for each in own for part in each["sw-components"]}
    listed = all((part.measurement.hex(), part.signer.hex()) in known for part in platform.components)
    realms = [each.get("initial-measurement") for each in store.get("realm", [])]
    if not listed or (realms and claims.realm.initial_measurement.hex() not in realms):
        raise RefusedInputError("recorded.reference_values")


def fields(claims: CcaClaims) -> dict[str, Any]:
    """Field names of the manifests to values."""
    platform, realm = claims.platform, claims.realm
    found: dict[str, Any] = {
        "platform_profile": platform.profile,
        "platform_challenge": platform.challenge,
        "implementation_id": platform.implementation_id,
        "instance_id": platform.instance_id,
        "lifecycle": platform.lifecycle,
        "config": platform.config,
        "sw_components": len(platform.components),
        "platform_hash_alg": platform.hash_algorithm,
        "realm_profile": realm.profile,
        "realm_challenge": realm.challenge,
        "rim": realm.initial_measurement,
        "rem": list(realm.extensible_measurements),
        "rpv": realm.personalization,
        "realm_hash_alg": realm.hash_algorithm,
        "rak_hash_alg": realm.public_key_hash,
    }
    return found | {f"expected_{name}": value for name, value in found.items()}


def starts(parts: Parts) -> list[datetime]:  # noqa: ARG001 - tokens say no time
    """None: neither tokens nor keys say when they begin."""
    return []


ADAPTER = Adapter(sort, judge, starts, roots=roots)
