"""Operations of vectors/07a-snp.json: `snp.parse`, `snp.authenticate`, `snp.validate`. Reports and certificates are hex."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.evidence import Endorsements, Evidence, Kind, Root
from confide.attest.snp.claims import SnpClaims
from confide.attest.snp.layout import GuestPolicy, PlatformInfo, Product, SigningKey, Tcb, parse_report
from confide.attest.snp.validate import BYTE_LISTS, SnpConstraints, validate
from confide.attest.snp.verify import authenticate
from confide.attest.x509 import Revocation
from confide.formats.fields import format_time, parse_time

_PLAIN = ("max_vmpl", "smt", "cxl", "minimum_guest_svn", "launch_mit_vector", "current_mit_vector")


def _parse(given: dict[str, Any]) -> dict[str, Any]:
    """The fields, bytes as hex; TCBs as their eight bytes."""
    report = parse_report(bytes.fromhex(given["report"]) + bytes(given.get("zeros", 0)))
    fields = {
        key: getattr(report, key) for key in report.__dataclass_fields__ if key not in {"signed", "signature_r", "signature_s"}
    }
    return {key: _shown(value) for key, value in fields.items()}


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, SigningKey):
        return value.name
    return str(value) if hasattr(value, "order") else list(value) if isinstance(value, tuple) else value


def _authenticate(given: dict[str, Any]) -> dict[str, Any]:
    """What is proven, what holds until when, and what was not checked."""
    checks = Checks()
    age = given["revocation"].get("max_age")
    claims = authenticate(
        Evidence(Kind.SNP.value, {"report": bytes.fromhex(given["report"])}),
        Endorsements({role: bytes.fromhex(value) for role, value in given["endorsements"].items()}),
        roots=tuple(Root(Kind.SNP, "root", bytes.fromhex(der), simulated=True) for der in given["roots"]),
        now=parse_time(given["now"]),
        revocation=Revocation(given["revocation"]["required"], None if age is None else timedelta(seconds=age)),
        checks=checks,
    )
    return {
        "product": claims.product.value,
        "signing_key": claims.signing_key.name,
        "platform_id": claims.platform_id,
        "csp_id": claims.csp_id,
        "reported_tcb": asdict(claims.reported_tcb),
        "not_before": format_time(claims.not_before),
        "not_after": format_time(claims.not_after),
        "not_checked": [item.what for item in checks.not_checked],
    }


def _validate(given: dict[str, Any]) -> dict[str, Any]:
    """Constraints against a report that is taken as genuine; its signature is not looked at."""
    checks = Checks()
    validate(_claims(given), _constraints(given["constraints"]), checks=checks)
    return {
        "not_checked": [item.what for item in checks.not_checked],
        "relaxations": [item.setting for item in checks.relaxations],
    }


def _claims(given: dict[str, Any]) -> SnpClaims:
    report, product = parse_report(bytes.fromhex(given["report"])), Product(given["product"])
    current, committed, reported, launch = (
        Tcb.from_bytes(raw, product.tcb_layout)
        for raw in (report.current_tcb, report.committed_tcb, report.reported_tcb, report.launch_tcb)
    )
    return SnpClaims(
        kind=Kind.SNP,
        simulated=True,
        measurements=(("measurement", report.measurement),),
        report_data=report.report_data,
        platform_id=report.chip_id.hex(),
        tcb_status=None,
        advisories=(),
        not_before=datetime(2020, 1, 1, tzinfo=UTC),
        not_after=datetime(2050, 1, 1, tzinfo=UTC),
        report=report,
        product=product,
        signing_key=report.signing_key,
        current_tcb=current,
        committed_tcb=committed,
        reported_tcb=reported,
        launch_tcb=launch,
        csp_id=given.get("csp_id"),
        chip_masked=not any(report.chip_id),
    )


def _constraints(given: dict[str, Any]) -> SnpConstraints:
    known: dict[str, Any] = {key: given[key] for key in _PLAIN if key in given}
    known |= {key: _list(given[key], bytes.fromhex) for key in BYTE_LISTS if key in given}
    known |= {key: Ignored(given[key]) for key in ("allow_debug", "allow_migration") if key in given}
    readers: dict[str, Callable[[Any], Any]] = {
        "minimum_tcb": _minimum,
        "products": lambda value: _list(value, Product),
        "signing_keys": lambda value: _list(value, lambda name: SigningKey[name]),
        "csp_ids": lambda value: _list(value, str),
        "minimum_abi": tuple,
        "platform_info": PlatformInfo,
        "guest_policy": GuestPolicy,
    }
    return SnpConstraints(**known, **{key: read(given[key]) for key, read in readers.items() if key in given})


def _list(value: Any, read: Callable[[str], Any]) -> Any:
    return Ignored(value) if isinstance(value, str) else tuple(read(item) for item in value)


def _minimum(value: Any) -> Any:
    return Ignored(value) if isinstance(value, str) else {Product(name): Tcb(**tcb) for name, tcb in value.items()}


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "snp.parse": _parse,
    "snp.authenticate": _authenticate,
    "snp.validate": _validate,
}
