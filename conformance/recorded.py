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
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "src"))  # an installed package goes first; a bare checkout works too

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence
from confide.attest.roots import VENDOR_ROOTS
from confide.errors import ConfideError
from conformance.kinds import ADAPTERS
from conformance.kinds.armour import bare
from conformance.kinds.case import Case, File, RefusedInputError, UnknownDialectError, require_inputs

INPUT_ROLES = {"nonce"}  # given beside evidence and endorsements
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # the clock of a case without a clock and without a certificate


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
    """Read the files of `use`; the kind's adapter sorts them."""
    roles = {file["name"]: file["role"] for file in entry["files"]}
    files = [File(roles[name], name, (folder / entry["path"] / name).read_bytes()) for name in judge["use"]]
    adapter = ADAPTERS[entry["kind"]]
    inputs = {role: data for role, _, data in files if role in INPUT_ROLES}
    parts = adapter.sort([bare(file) for file in files if file.role not in INPUT_ROLES])
    nonce = bytes.fromhex(judge["nonce_hex"]) if judge.get("nonce_hex") else inputs.get("nonce")
    as_of = datetime.fromisoformat(judge["as_of"]) if judge.get("as_of") else max([EPOCH, *adapter.starts(parts)])
    return Case(
        name=judge["case"],
        kind=entry["kind"],
        evidence=Evidence(entry["kind"], parts.evidence),
        endorsements=Endorsements(parts.endorsements),
        as_of=as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC),
        nonce=nonce,
        policy_inputs=judge.get("policy_inputs") or {},
    )


def judge_case(case: Case) -> Finding:
    """Ask the verifier of the case's kind. A defect of ours counts as wrong, never as a rejection that happened to be right."""
    finding, checks = Finding(), Checks()
    try:
        alone = ADAPTERS[case.kind].alone
        fields = None if alone is None else alone(case, checks)
        if fields is not None:
            finding.genuine = True
            require_inputs(case, fields)
            finding.default = "accept"
            return finding
        claims = verifiers.authenticate(
            case.evidence,
            case.endorsements,
            roots=(*VENDOR_ROOTS, *ADAPTERS[case.kind].roots(case)),
            now=case.as_of,
            revocation=verifiers.Revocation(required=False),
            checks=checks,
        )
        finding.genuine, finding.tcb_status = True, claims.tcb_status
        ADAPTERS[case.kind].judge(claims, case, checks)
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
