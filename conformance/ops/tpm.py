"""Operations of vectors/07e-tpm.json: `tpm.parse`, `tpm.authenticate`, `tpm.validate`, `tpm.bound`. Bytes are hex."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.evidence import Endorsements, Evidence, Kind, Root
from confide.attest.tpm.ak import Authority
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.instance import Instance
from confide.attest.tpm.keyset import require_named
from confide.attest.tpm.platform import Platform, Technology
from confide.attest.tpm.quote import Attest, parse_attest, parse_signature
from confide.attest.tpm.validate import TpmConstraints, validate
from confide.attest.tpm.verify import authenticate
from confide.attest.x509 import Revocation
from confide.formats.fields import format_time, parse_time


def _parse(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a quote and of its signature."""
    attest, signature = parse_attest(bytes.fromhex(given["attest"])), parse_signature(bytes.fromhex(given["signature"]))
    return {
        "qualified_signer": attest.qualified_signer.hex(),
        "extra_data": attest.extra_data.hex(),
        "clock": attest.clock,
        "reset_count": attest.reset_count,
        "restart_count": attest.restart_count,
        "safe": attest.safe,
        "firmware_version": f"{attest.firmware_version:016x}",
        "selection": {str(bank): list(indexes) for bank, indexes in attest.selection.items()},
        "pcr_digest": attest.pcr_digest.hex(),
        "scheme": signature.scheme,
        "hash": signature.hash_algorithm,
    }


def evidence_of(kind: Kind, given: dict[str, Any]) -> tuple[Evidence, Endorsements]:
    """Roles from hex; `pcrs` is a JSON text."""
    items = {role: bytes.fromhex(value) for role, value in given["evidence"].items()}
    return Evidence(kind, items), Endorsements({role: bytes.fromhex(value) for role, value in given["endorsements"].items()})


def revocation_of(given: dict[str, Any]) -> Revocation:
    """Whether a list is required, and its greatest age in seconds."""
    age = given["revocation"].get("max_age")
    return Revocation(given["revocation"]["required"], None if age is None else timedelta(seconds=age))


def _authenticate(given: dict[str, Any]) -> dict[str, Any]:
    """What is proven, what holds until when, and what was not checked."""
    checks = Checks()
    evidence, endorsements = evidence_of(Kind.TPM, given)
    claims = authenticate(
        evidence,
        endorsements,
        roots=tuple(Root(Kind.TPM, "root", bytes.fromhex(der), simulated=True) for der in given["roots"]),
        now=parse_time(given["now"]),
        revocation=revocation_of(given),
        checks=checks,
    )
    instance, platform = claims.instance, claims.platform
    return {
        "authority": claims.authority.value,
        "ak_spki_sha256": claims.ak_spki_sha256.hex(),
        "extra_data": claims.report_data.hex(),
        "bank": claims.bank,
        "pcrs": {str(index): value.hex() for index, value in claims.pcrs.items()},
        "instance": None if instance is None else [instance.zone, instance.project_id, str(instance.instance_id)],
        "event_log_replayed": claims.event_log_replayed,
        "technology": None if platform.technology is None else platform.technology.name,
        "firmware_version": platform.firmware_version,
        "secure_boot": platform.secure_boot,
        "not_before": format_time(claims.not_before),
        "not_after": format_time(claims.not_after),
        "not_checked": [item.what for item in checks.not_checked],
    }


def _validate(given: dict[str, Any]) -> dict[str, Any]:
    """Constraints against claims that are taken as genuine."""
    checks = Checks()
    validate(_claims(given), _constraints(given["constraints"]), checks=checks)
    return {
        "not_checked": [item.what for item in checks.not_checked],
        "relaxations": [item.setting for item in checks.relaxations],
    }


def _claims(given: dict[str, Any]) -> TpmClaims:
    attest = Attest(b"", b"", b"", 0, 0, 0, True, 0, MappingProxyType({}), b"")
    instance, technology = given.get("instance"), given.get("technology")
    return TpmClaims(
        kind=Kind.TPM,
        simulated=True,
        measurements=(),
        report_data=b"",
        platform_id="",
        tcb_status=None,
        advisories=(),
        not_before=datetime(2020, 1, 1, tzinfo=UTC),
        not_after=datetime(2050, 1, 1, tzinfo=UTC),
        attest=attest,
        bank=given["bank"],
        pcrs={int(index): bytes.fromhex(value) for index, value in given["pcrs"].items()},
        ak_spki_sha256=bytes(32),
        authority=Authority(given["authority"]),
        instance=None if instance is None else Instance(instance[0], 0, instance[1], int(instance[2]), "", 0, production=True),
        event_log_replayed=technology is not None,
        platform=Platform(None if technology is None else Technology[technology], None, given.get("secure_boot")),
    )


def pcrs_of(value: Any) -> Any:
    """Index to values, or the word that skips."""
    if isinstance(value, str):
        return Ignored(value)
    return {int(index): tuple(bytes.fromhex(each) for each in values) for index, values in value.items()}


READERS: dict[str, Callable[[Any], Any]] = {
    "pcrs": pcrs_of,
    "banks": tuple,
    "allow_host_trusted": Ignored,
    "allow_no_quote": Ignored,
    "authorities": lambda names: tuple(Authority(name) for name in names),
    "instances": lambda numbers: tuple(map(int, numbers)),
    "technologies": lambda names: tuple(Technology[name] for name in names),
}


def read(given: dict[str, Any]) -> dict[str, Any]:
    """Constraints' members; lists become tuples."""
    return {
        name: READERS[name](value) if name in READERS else tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
    }


def _constraints(given: dict[str, Any]) -> TpmConstraints:
    return TpmConstraints(**read(given))


def _bound(given: dict[str, Any]) -> dict[str, Any]:
    """The keyset's name for the attestation key, or null."""
    named = given["named"]
    require_named(bytes.fromhex(given["key"]), named=None if named is None else bytes.fromhex(named), checks=Checks())
    return {}


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "tpm.parse": _parse,
    "tpm.authenticate": _authenticate,
    "tpm.validate": _validate,
    "tpm.bound": _bound,
}
