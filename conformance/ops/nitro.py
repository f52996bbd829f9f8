"""Operations of vectors/07d-nitro.json: `nitro.authenticate`, `nitro.validate`.

The second takes the first's input and `constraints` in the words of an entry of `accept`. Bytes are hex.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from confide.attest import verifiers
from confide.attest.binding import require_binding
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind, Root
from confide.attest.nitro.claims import NitroClaims
from confide.policy.accept import table


def _claims(given: dict[str, Any], checks: Checks) -> NitroClaims:
    claims = verifiers.authenticate(
        Evidence(given["kind"], {"document": bytes.fromhex(given["document"])}),
        Endorsements({}),
        roots=tuple(Root(Kind.NITRO, "vector", bytes.fromhex(der), simulated=True) for der in given["roots"]),
        now=datetime.fromisoformat(given["now"]),
        revocation=verifiers.Revocation(),
        checks=checks,
    )
    if not isinstance(claims, NitroClaims):
        raise TypeError(type(claims).__name__)
    return claims


def _authenticate(given: dict[str, Any]) -> dict[str, Any]:
    checks = Checks()
    claims = _claims(given, checks)
    return {
        "module_id": claims.document.module_id,
        "region": claims.region,
        "user_data": claims.report_data.hex(),
        "pcrs": {str(index): value.hex() for index, value in claims.document.pcrs.items()},
        "not_after": claims.not_after.isoformat(),
        "not_checked": [item.what for item in checks.not_checked],
    }


def _validate(given: dict[str, Any]) -> dict[str, Any]:
    checks = Checks()
    claims = _claims(given, checks)
    _, entries = table.of(given["kind"])
    verifiers.validate(claims, entries.constraints({"tee": given["kind"], **given["constraints"]}), checks=checks)
    if "binding" in given:
        require_binding(claims.report_data, expected=bytes.fromhex(given["binding"]), checks=checks)
    return {
        "not_checked": [item.what for item in checks.not_checked],
        "relaxations": [item.setting for item in checks.relaxations],
    }


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "nitro.authenticate": _authenticate,
    "nitro.validate": _validate,
}
