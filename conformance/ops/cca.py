"""Operations of vectors/07h-cca.json: `cca.authenticate`, `cca.validate`.

The second takes the first's input and `constraints` in the words of an entry of `accept`. Bytes are hex.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from confide.attest import verifiers
from confide.attest.binding import require_binding
from confide.attest.cca.claims import CcaClaims
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind, Root
from confide.policy.accept import cca

NOW = datetime(2026, 6, 1, tzinfo=UTC)  # tokens say no time


def _claims(given: dict[str, Any], checks: Checks) -> CcaClaims:
    claims = verifiers.authenticate(
        Evidence(Kind.CCA.value, {"token": bytes.fromhex(given["token"]) + bytes(given.get("zeros", 0))}),
        Endorsements({}),
        roots=tuple(Root(Kind.CCA, "vector", bytes.fromhex(key), simulated=True) for key in given["keys"]),
        now=NOW,
        revocation=verifiers.Revocation(),
        checks=checks,
    )
    if not isinstance(claims, CcaClaims):
        raise TypeError(type(claims).__name__)
    return claims


def _authenticate(given: dict[str, Any]) -> dict[str, Any]:
    checks = Checks()
    claims = _claims(given, checks)
    return {
        "platform_profile": claims.platform.profile,
        "realm_profile": claims.realm.profile,
        "lifecycle": claims.platform.lifecycle,
        "instance": claims.platform_id,
        "challenge": claims.report_data.hex(),
        "measurements": [[name, value.hex()] for name, value in claims.measurements],
        "not_checked": [item.what for item in checks.not_checked],
    }


def _validate(given: dict[str, Any]) -> dict[str, Any]:
    checks = Checks()
    claims = _claims(given, checks)
    verifiers.validate(claims, cca.constraints({"tee": "cca", **given["constraints"]}), checks=checks)
    if "binding" in given:
        require_binding(claims.report_data, expected=bytes.fromhex(given["binding"]), checks=checks)
    return {
        "not_checked": [item.what for item in checks.not_checked],
        "relaxations": [item.setting for item in checks.relaxations],
    }


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"cca.authenticate": _authenticate, "cca.validate": _validate}
