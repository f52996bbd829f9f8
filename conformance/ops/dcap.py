"""Operations of vectors/07b-dcap.json, in the order of the page: `dcap.parse`, `dcap.pck`, `dcap.collateral`, `dcap.authenticate`,
`dcap.tcb`, `dcap.platform`, `sgx.validate`. Quotes, certificates and collateral are hex.

Left to others: what a TD's body says (`tdx`).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.dcap import pck as pck_extension
from confide.attest.dcap.claims import IntelClaims
from confide.attest.dcap.collateral import parse_identity, parse_tcb_info
from confide.attest.dcap.constraints import IntelConstraints, validate_platform
from confide.attest.dcap.pck import Pck, SgxType
from confide.attest.dcap.quote import TeeType, parse_quote
from confide.attest.dcap.report import EnclaveReport
from confide.attest.dcap.tcb import Evaluation, TcbStatus, TdxTcb, evaluate
from confide.attest.evidence import Endorsements, Evidence, Kind, Root
from confide.attest.sgx.claims import SgxClaims
from confide.attest.sgx.validate import SgxConstraints, validate
from confide.attest.x509 import Revocation, load_certificate
from confide.formats.fields import format_time, parse_time

THEN = datetime(2026, 6, 1, tzinfo=UTC)
_BYTES = {"platform_ids", "fmspcs", "mr_enclaves", "mr_signers", "config_ids", "ext_prod_ids", "family_ids"}


def _parse(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parts by size, and the innermost certification data."""
    quote = parse_quote(bytes.fromhex(given["quote"]), tee=TeeType[given["tee"]], checks=Checks())
    return {
        "version": quote.version,
        "body_type": quote.body_type.name,
        "user_data": quote.user_data.hex(),
        "signed": len(quote.signed),
        "body": quote.body.hex(),
        "auth_data": quote.qe_auth_data.hex(),
        "certification_type": quote.certification_type,
        "certification": len(quote.certification),
    }


def _pck(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _shown(value) for name, value in asdict(pck_extension.decode(load_certificate(bytes.fromhex(given["pck"])))).items()
    }


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return value.name if isinstance(value, IntEnum) else list(value) if isinstance(value, tuple) else value


def _collateral(given: Mapping[str, Any]) -> dict[str, Any]:
    """What both kinds share; the number of levels."""
    found = (
        parse_tcb_info(bytes.fromhex(given["tcb_info"]))
        if "tcb_info" in given
        else parse_identity(bytes.fromhex(given["qe_identity"]))
    )
    return {
        "id": found.id,
        "issue_date": format_time(found.issue_date),
        "next_update": format_time(found.next_update),
        "evaluation_number": found.evaluation_number,
        "levels": len(found.levels),
    }


def _authenticate(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is proven, what holds until when, what was not checked, and which relaxations were used."""
    checks, revocation = Checks(), given["revocation"]
    ages = {name: timedelta(seconds=revocation[name]) for name in ("max_age", "grace") if name in revocation}
    claims = verifiers.authenticate(
        Evidence(given["kind"], {"quote": bytes.fromhex(given["quote"])}),
        Endorsements({role: bytes.fromhex(value) for role, value in given["endorsements"].items()}),
        roots=tuple(Root(Kind.SGX, "root", bytes.fromhex(der), simulated=True) for der in given["roots"]),
        now=parse_time(given["now"]),
        revocation=Revocation(required=revocation["required"], **ages),
        checks=checks,
    )
    if not isinstance(claims, IntelClaims):
        raise TypeError(type(claims).__name__)
    return {
        "platform_id": claims.platform_id,
        "fmspc": claims.pck.fmspc.hex(),
        "tcb_status": claims.tcb_status,
        "advisories": list(claims.advisories),
        "evaluation_number": claims.tcb_evaluation_number,
        "not_before": format_time(claims.not_before),
        "not_after": format_time(claims.not_after),
        "not_checked": [item.what for item in checks.not_checked],
        "relaxations": [item.setting for item in checks.relaxations],
    }


def _tcb(given: Mapping[str, Any]) -> dict[str, Any]:
    """The status by the levels, then whether the constraints accept it."""
    info, identity = parse_tcb_info(bytes.fromhex(given["tcb_info"])), parse_identity(bytes.fromhex(given["qe_identity"]))
    tdx = given.get("tdx")
    launched = None
    if tdx is not None:
        parts = {name: bytes.fromhex(value) for name, value in tdx.items()}
        launched = TdxTcb(parts["tee_tcb_svn"], parts.get("tee_tcb_svn2"), parts["mr_signer_seam"], parts["seam_attributes"])
    found = evaluate(info, _platform_of(given["pck"]), given["qe_isv_svn"], identity, tdx=launched)
    checks = Checks()
    validate_platform(
        IntelClaims(**_common(found, given["pck"])), IntelConstraints(**_constraints(given["constraints"])), checks=checks
    )
    module = None if found.module is None else found.module.value
    return {"status": found.status.value, "advisories": list(found.advisories), "module": module, "qe": found.qe.value}


def _platform(given: Mapping[str, Any]) -> dict[str, Any]:
    """Constraints on a platform that is taken as genuine."""
    checks = Checks()
    claims = IntelClaims(**_common(_evaluation(given), given.get("pck", {}), given.get("evaluation_number", 17)))
    validate_platform(claims, IntelConstraints(**_constraints(given["constraints"])), checks=checks)
    return _told(checks)


def _validate(given: Mapping[str, Any]) -> dict[str, Any]:
    """Constraints on an enclave that is taken as genuine, on a platform that is up to date."""
    checks, enclave = Checks(), EnclaveReport.parse(bytes.fromhex(given["body"]))
    claims = SgxClaims(**_common(_evaluation({"status": "UpToDate"}), {}), enclave=enclave)
    validate(claims, SgxConstraints(**_constraints(given["constraints"])), checks=checks)
    return _told(checks)


def _told(checks: Checks) -> dict[str, Any]:
    return {
        "not_checked": [item.what for item in checks.not_checked],
        "relaxations": [item.setting for item in checks.relaxations],
    }


def _evaluation(given: Mapping[str, Any]) -> Evaluation | None:
    if given["status"] is None:
        return None
    status = TcbStatus(given["status"])
    return Evaluation(status, tuple(given.get("advisories", ())), status, None, TcbStatus.UP_TO_DATE)


def _common(found: Evaluation | None, pck: Mapping[str, Any], number: int = 17) -> dict[str, Any]:
    platform = _platform_of(pck)
    return {
        "kind": Kind.SGX,
        "simulated": True,
        "measurements": (),
        "report_data": bytes(64),
        "platform_id": (platform.platform_instance_id or platform.ppid).hex(),
        "tcb_status": None if found is None else found.status.value,
        "advisories": () if found is None else found.advisories,
        "not_before": THEN,
        "not_after": THEN,
        "pck": platform,
        "tcb": found,
        "tcb_evaluation_number": None if found is None else number,
        "quote_version": 3,
    }


def _platform_of(given: Mapping[str, Any]) -> Pck:
    """Of a server's certificate, where the input says nothing else."""
    usual: dict[str, Any] = {
        "ppid": bytes(16),
        "components": tuple(given.get("components", (5,) * 16)),
        "pce_svn": given.get("pce_svn", 13),
        "cpu_svn": bytes(16),
        "pce_id": bytes(2),
        "fmspc": bytes.fromhex("00806f050000"),
        "sgx_type": SgxType.SCALABLE,
        "platform_instance_id": bytes(range(16)),
    }
    flags = {name: given.get(name, usually) for name, usually in (("dynamic_platform", True), ("cached_keys", True))}
    return Pck(**usual, **flags, smt_enabled=given.get("smt_enabled", False))


def _constraints(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _constraint(name, value) for name, value in given.items()}


def _constraint(name: str, value: Any) -> Any:
    if value == Ignored.UNSAFE_IGNORED.value:
        return Ignored.UNSAFE_IGNORED
    if name == "tcb":
        return {TcbStatus(status): _constraint("", accepted) for status, accepted in value.items()}
    if isinstance(value, list):
        return tuple(bytes.fromhex(item) for item in value) if name in _BYTES else tuple(value)
    return bytes.fromhex(value) if isinstance(value, str) else value


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "dcap.parse": _parse,
    "dcap.pck": _pck,
    "dcap.collateral": _collateral,
    "dcap.authenticate": _authenticate,
    "dcap.tcb": _tcb,
    "dcap.platform": _platform,
    "sgx.validate": _validate,
}
