"""Runs recorded vendor evidence through the verifier and counts who was right (DESIGN section 14).

    python conformance/recorded.py DIR [--kind K]... [--exclude K]... [--json]

DIR holds a MANIFEST.json; every entry of `judge` is one case. The verifier is given the files named by `use`, the clock, the nonce
and the policy inputs, never the expectation. Its policy is `recorded-v1`: debug, migration, VMPL above 0, broken binding and a TCB
other than UpToDate are refused; measurements and the cloud provider are explicitly ignored, as they are nobody's in particular;
revocation is applied where the files carry a list; SNP has no minimum TCB. Left to others: wrappings
of source projects (`unwrap.py`).

Exit status: 0 all right, 1 something wrong or unsupported, 2 the folder or its manifest cannot be read.
"""

import argparse
import dataclasses
import gzip
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "src"))  # an installed package goes first; a bare checkout works too

from confide.attest import verifiers, x509
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.roots import AMD_ROOTS
from confide.attest.snp.claims import SnpClaims
from confide.attest.snp.layout import GuestPolicy, PlatformInfo, SigningKey
from confide.attest.snp.validate import SnpConstraints
from confide.errors import ConfideError
from conformance.reports import from_protobuf
from conformance.unwrap import join_certificates, unwrap_collateral, unwrap_json, unwrap_report

EVIDENCE_ROLES = {"quote", "report", "document", "token", "gpu-report", "hcl-report", "td-quote", "tpm-attest", "tpm-signature"}
EVIDENCE_ROLES |= {"pcrs", "attestation-protobuf", "attestation-json", "rim"}
DIALECTS = {"attestation-json", "attestation-protobuf"}
INPUT_ROLES = {"nonce", "event-log", "ccel-table", "trust-anchor"}
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # the clock of a case without a clock and without a certificate


@dataclass(frozen=True)
class Case:
    """What the verifier may know of a case: no expectation."""

    name: str
    kind: str
    evidence: Evidence
    endorsements: Endorsements
    as_of: datetime
    nonce: bytes | None
    policy_inputs: Mapping[str, Any]


@dataclass
class Finding:
    """What the verifier said."""

    genuine: bool = False
    default: str = "reject"
    tcb_status: str | None = None
    code: str | None = None
    not_checked: list[str] = field(default_factory=list)
    supported: bool = True
    crashed: bool = False


def read_case(folder: Path, entry: Mapping[str, Any], judge: Mapping[str, Any]) -> Case:
    """Read the files of `use` and sort them by role."""
    roles = {file["name"]: file["role"] for file in entry["files"]}
    evidence: dict[str, bytes] = {}
    endorsements: dict[str, bytes] = {}
    inputs: dict[str, bytes] = {}
    for name in judge["use"]:
        role, data = roles[name], (folder / entry["path"] / name).read_bytes()
        if role in DIALECTS and entry["kind"] == Kind.SNP:
            found = undo(role, data)
            evidence |= {key: value for key, value in found.items() if key == "report"}
            endorsements |= {key: value for key, value in found.items() if key != "report"}
        elif role in EVIDENCE_ROLES:
            evidence[role] = unwrap_report(data) if entry["kind"] == Kind.SNP else data
        elif role in INPUT_ROLES:
            inputs[role] = data
        elif entry["kind"] == Kind.SNP:
            for key, value in unwrap_collateral(role, data).items():
                endorsements[key] = join_certificates(endorsements[key], value) if key in endorsements else value
        else:
            endorsements[role] = data
    nonce = bytes.fromhex(judge["nonce_hex"]) if judge.get("nonce_hex") else inputs.get("nonce")
    as_of = datetime.fromisoformat(judge["as_of"]) if judge.get("as_of") else earliest(endorsements)
    return Case(
        name=judge["case"],
        kind=entry["kind"],
        evidence=Evidence(entry["kind"], evidence),
        endorsements=Endorsements(endorsements),
        as_of=as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC),
        nonce=nonce,
        policy_inputs=judge.get("policy_inputs") or {},
    )


def undo(role: str, data: bytes) -> dict[str, bytes]:
    """A source project's wrapping undone. What is not even JSON or protobuf goes to the verifier as it is; a wrapping that is read
    but holds no report known here is a gap of this harness, and says so."""
    plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    try:
        found = unwrap_json(plain) if role == "attestation-json" else from_protobuf(plain)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return {"report": plain}
    if "report" not in found:
        raise UnknownDialectError
    return found


def earliest(endorsements: Mapping[str, bytes]) -> datetime:
    """The earliest time at which all certificates in use are valid: the latest notBefore (thisUpdate) of them."""
    starts = [EPOCH]
    for role, data in endorsements.items():
        try:
            if role == "crl":
                starts += [crl.last_update_utc for crl in x509.load_crls(data)]
            else:
                starts += [certificate.not_valid_before_utc for certificate in x509.load_certificates(data)]
        except ConfideError:
            continue  # the verifier will say so
    return max(starts)


def judge_case(case: Case) -> Finding:
    """Ask the verifier of the case's kind. A defect of ours counts as wrong, never as a rejection that happened to be right."""
    finding, checks = Finding(), Checks()
    try:
        claims = verifiers.authenticate(
            case.evidence,
            case.endorsements,
            roots=AMD_ROOTS,
            now=case.as_of,
            revocation=verifiers.Revocation(required=False),
            checks=checks,
        )
        finding.genuine, finding.tcb_status = True, claims.tcb_status
        ADAPTERS[case.kind](claims, case, checks)
        finding.default = "accept"
    except ConfideError as error:
        finding.code = error.code.value
    except RefusedInputError as error:
        finding.code = str(error)
    except Exception as error:  # noqa: BLE001 - the harness must see a crash as a wrong case and go on
        finding.code, finding.crashed = f"crash.{type(error).__name__}", True
    finding.not_checked = [f"{item.what}: {item.why}" for item in checks.not_checked]
    finding.not_checked += [f"{item.setting}: {item.effect}" for item in checks.relaxations]
    return finding


class UnknownDialectError(Exception):
    """The file is well formed, but nothing in it looks like a report."""


class RefusedInputError(Exception):
    """The nonce or an extra expectation of the case does not hold, or cannot be enforced; the argument is a harness code."""


# --- SEV-SNP ----------------------------------------------------------------------------------------------------------------------

RECORDED_V1 = SnpConstraints(
    measurements=Ignored.UNSAFE_IGNORED,
    minimum_tcb=Ignored.UNSAFE_IGNORED,
    signing_keys=(SigningKey.VCEK, SigningKey.VLEK),
    csp_ids=Ignored.UNSAFE_IGNORED,
)


def judge_snp(claims: Claims, case: Case, checks: Checks) -> None:
    """`recorded-v1`, then the nonce, then what else the case expects."""
    verifiers.validate(claims, RECORDED_V1, checks=checks)
    if case.nonce is not None and claims.report_data not in snp_bindings(case.nonce):
        raise RefusedInputError("recorded.nonce")
    if case.nonce is None and "report_data" not in case.policy_inputs:
        checks.skip("REPORT_DATA", "the case records no nonce")
    if not isinstance(claims, SnpClaims):
        raise TypeError(type(claims).__name__)
    known = snp_fields(claims)
    for name, wanted in case.policy_inputs.items():
        if name not in known:
            raise RefusedInputError(f"recorded.policy_input_unknown:{name}")
        if not any(same(known[name], value) for value in (wanted if isinstance(wanted, list) else [wanted])):
            raise RefusedInputError(f"recorded.policy_input:{name}")


def snp_bindings(nonce: bytes) -> set[bytes]:
    """What relying parties put into REPORT_DATA: the nonce or a digest of it, zeros behind it, all 64 bytes compared."""
    forms = [nonce, *(hashlib.new(name, nonce).digest() for name in ("sha256", "sha384", "sha512"))]
    return {form.ljust(64, b"\x00") for form in forms if len(form) <= 64}


def snp_fields(claims: SnpClaims) -> dict[str, Any]:
    """Field names of the manifests to values."""
    report = claims.report
    fields: dict[str, Any] = {key: getattr(report, key) for key in report.__dataclass_fields__}
    fields |= dict(claims.measurements)
    fields |= _decoded_fields(claims)
    fields |= {
        "product": claims.product.value,
        "signing_key": claims.signing_key.name,
        "csp_id": claims.csp_id,
        "cpuid_fms": bytes(report.cpuid) if report.cpuid else None,
        "debug": bool(report.policy >> 19 & 1),
        "migrate_ma": bool(report.policy >> 18 & 1),
        "smt_allowed": bool(report.policy >> 16 & 1),
        "chip_id": report.chip_id,
    }
    return fields | {f"expected_{name}": value for name, value in fields.items()}


def _decoded_fields(claims: SnpClaims) -> dict[str, Any]:
    """The nested fields of the manifests: bits by name, and TCBs by component."""
    report = claims.report
    tcbs = {
        "current": claims.current_tcb,
        "committed": claims.committed_tcb,
        "reported": claims.reported_tcb,
        "launch": claims.launch_tcb,
    }
    names = {"ciphertext_hiding_dram": "ciphertext_hiding", "ciphertext_hiding_dram_en": "ciphertext_hiding_en"}
    bits = {names.get(bit.name.lower(), bit.name.lower()): bool(report.policy & bit) for bit in GuestPolicy if bit.name}
    platform = {names.get(bit.name.lower(), bit.name.lower()): bool(report.platform_info & bit) for bit in PlatformInfo if bit.name}
    major, minor = report.policy_abi
    policy: dict[str, bool | int] = {
        **bits,
        "abi_major": major,
        "abi_minor": minor,
        "smt_allowed": bits["smt"],
        "reserved_mbo_17": bits["reserved_one"],
    }
    fields: dict[str, Any] = {"policy_bits": policy, "platform_info_bits": platform}
    return fields | {f"{name}_tcb_decoded": dataclasses.asdict(tcb) for name, tcb in tcbs.items()}


def same(found: Any, wanted: Any) -> bool:
    """Equality across spellings: hex for bytes (short ones zero-extended), hex or decimal for numbers, any case for names.

    Of nested fields, those that are wanted; a name that is not known here is not the same.
    """
    if isinstance(found, dict):
        return (
            isinstance(wanted, dict)
            and bool(wanted)
            and all(key in found and same(found[key], item) for key, item in wanted.items())
        )
    if isinstance(found, bytes):
        text = str(wanted).lower().removeprefix("0x")
        return text.ljust(2 * len(found), "0") == found.hex() and len(text) % 2 == 0 and bool(text)
    if isinstance(found, int) and not isinstance(found, bool) and isinstance(wanted, str):
        return wanted.isascii() and wanted.removeprefix("0x").isalnum() and _integer(wanted) == found
    if isinstance(found, str) and isinstance(wanted, str):
        return found.lower() == wanted.lower()
    return bool(type(found) is type(wanted) and found == wanted)


def _integer(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None


ADAPTERS: Mapping[str, Callable[[Claims, Case, Checks], None]] = {Kind.SNP.value: judge_snp}


# --- counting ---------------------------------------------------------------------------------------------------------------------


def is_right(finding: Finding, judge: Mapping[str, Any]) -> bool:
    """Genuine, default and TCB status as expected, where an expectation is stated; a crash or a gap is never right."""
    if finding.crashed or not finding.supported:
        return False
    found = {"genuine": finding.genuine, "default": finding.default, "tcb_status": finding.tcb_status}
    return all(judge.get(key) is None or judge[key] == value for key, value in found.items())


def is_wrong_accept(finding: Finding, judge: Mapping[str, Any]) -> bool:
    """Accepted where the default is to reject, or genuine where it is not."""
    return (judge.get("default") == "reject" and finding.default == "accept") or (judge.get("genuine") is False and finding.genuine)


def rows(folder: Path, manifest: Mapping[str, Any], *, kinds: Sequence[str], excluded: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One row per case, in the manifest's order."""
    for entry in manifest["vectors"]:
        if (kinds and entry["kind"] not in kinds) or entry["kind"] in excluded:
            continue
        for judge in entry.get("judge", ()):
            finding, as_of = run_case(folder, entry, judge)
            gap = not finding.supported
            yield {
                "case": judge["case"],
                "kind": entry["kind"],
                "as_of": as_of,
                "genuine": None if gap else finding.genuine,
                "default": None if gap else finding.default,
                "tcb_status": finding.tcb_status,
                "code": finding.code,
                "right": is_right(finding, judge),
                "not_checked": finding.not_checked,
                "unsupported": gap,
                "wrong_accept": is_wrong_accept(finding, judge),
            }


def run_case(folder: Path, entry: Mapping[str, Any], judge: Mapping[str, Any]) -> tuple[Finding, str | None]:
    """The finding and the clock used. A kind without a verifier is not read; files that cannot be read make the case wrong."""
    if entry["kind"] not in ADAPTERS:
        return Finding(code="evidence.kind", supported=False), judge.get("as_of")
    try:
        case = read_case(folder, entry, judge)
    except UnknownDialectError:
        return Finding(code="recorded.dialect", supported=False), judge.get("as_of")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Finding(code=f"recorded.unreadable.{type(error).__name__}", crashed=True), judge.get("as_of")
    return judge_case(case), case.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def totals(done: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Counts per kind."""
    table: dict[str, dict[str, int]] = {}
    for row in done:
        counts = table.setdefault(row["kind"], {"right": 0, "wrong": 0, "wrong_accepts": 0, "unsupported": 0})
        counts["unsupported" if row["unsupported"] else "right" if row["right"] else "wrong"] += 1
        counts["wrong_accepts"] += row["wrong_accept"]
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module docstring."""
    parser = argparse.ArgumentParser(description="Run recorded vendor evidence through the verifier.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder with a MANIFEST.json")
    parser.add_argument("--kind", action="append", default=[], help="only this kind (may be repeated)")
    parser.add_argument("--exclude", action="append", default=[], help="not this kind (may be repeated)")
    parser.add_argument("--json", action="store_true", help="one JSON line per case, last one of totals")
    options = parser.parse_args(arguments)
    try:
        manifest = json.loads((options.folder / "MANIFEST.json").read_text("utf-8"))
        done = list(rows(options.folder, manifest, kinds=options.kind, excluded=options.exclude))
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(
            f"error: {options.folder}: the manifest or a file of it cannot be read: {type(error).__name__}: {error}",
            file=sys.stderr,
        )
        return 2
    table = totals(done)
    shown = ("case", "kind", "as_of", "genuine", "default", "tcb_status", "code", "right", "not_checked")
    for row in done:
        print(json.dumps({key: row[key] for key in shown}) if options.json else as_text(row))
    print(json.dumps({"totals": table}) if options.json else "\n".join(f"{kind}: {counts}" for kind, counts in table.items()))
    return 1 if any(counts["wrong"] or counts["unsupported"] for counts in table.values()) else 0


def as_text(row: Mapping[str, Any]) -> str:
    """One line for people."""
    mark = "unsupported" if row["unsupported"] else "right" if row["right"] else "WRONG"
    return f"{mark:<12}{row['case']:<56}{row['default'] or '-':<8}{row['code'] or ''}"


if __name__ == "__main__":
    sys.exit(main())
