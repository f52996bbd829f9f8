"""`confide explain` of evidence without a document: files and folders by their roles, all kinds, and every recorded case."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conformance.kinds import ADAPTERS
from conformance.kinds.case import UnknownDialectError
from tests.cli.kinds import LAB, SINGLE
from tests.cli.schema import validate
from tests.collateral.doubles import serving
from tests.collateral.test_collect import pcs
from tests.policy.world import NOW, members
from tests.support import need_recorded_vectors, recorded_vectors, refused

from confide.attest.document import parse_document
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.wire import evidence_roles
from confide.cli.app import run
from confide.client import recorded as reading
from confide.codes import Code, Exit
from confide.formats.fields import format_time
from conformance import recorded

Captured = pytest.CaptureFixture[str]
AT = ["--at", format_time(NOW)]
BOUND = bytes(range(64))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: Captured) -> Any:
    found = json.loads(capsys.readouterr().out)
    validate(found)
    return found


def pieces(kind: str) -> list[tuple[Evidence, Endorsements]]:
    """The evidence of a false machine, taken out of its document."""
    document = parse_document(LAB.genuine(kind))
    return [(each, document.endorsements_of(each)) for each in document.evidence]


def write(folder: Path, piece: tuple[Evidence, Endorsements]) -> None:
    folder.mkdir(parents=True)
    for part in piece:
        for role, data in part.items.items():
            if "/" not in role:  # the harness' own: anchors of kinds without a vendor's, which a policy pins
                (folder / f"{role}.bin").write_bytes(data)


@pytest.mark.parametrize("kind", SINGLE)
def test_a_folder_of_one_kind_is_explained(kind: str, folder: Path, capsys: Captured) -> None:
    [piece] = pieces(kind)
    write(folder / "some", piece)
    assert run(["explain", "some", "--tee", kind, *AT, "--json"]) == 0
    found = told(capsys)
    assert (found["outcome"], found["keyset"], found["exit"]) == ("unbound", None, 0)
    assert found["claims"][0]["kind"] == kind
    assert "binding, freshness" in {item["what"] for item in found["not_checked"]}
    assert run(["explain", "some", "--tee", kind, *AT]) == 0
    text = capsys.readouterr().out
    assert "but compared with no policy; bound to no keys" in text
    assert f"carries: {found['claims'][0]['carries']}" in " ".join(text.split())
    assert "trust no node by this" in text


@pytest.mark.parametrize("kind", ["snp", "sgx", "tdx", "nitro", "nitrotpm", "cca"])
def test_a_file_is_explained_with_collateral_from_elsewhere(kind: str, folder: Path, capsys: Captured) -> None:
    [(evidence, endorsements)] = pieces(kind)
    [data] = evidence.items.values()
    (folder / "anything.dat").write_bytes(data)
    write(folder / "given", (Evidence(kind, {}), endorsements))
    assert run(["explain", "anything.dat", "--tee", kind, "--collateral", "given", *AT, "--json"]) == 0
    assert told(capsys)["outcome"] == "unbound"


@pytest.mark.parametrize("kind", ["snp+nvidia", "snp+tpm", "tdx+nvidia+nvidia+tpm"])
def test_a_folder_of_folders_is_one_machine(kind: str, folder: Path, capsys: Captured) -> None:
    for piece in pieces(kind):
        name = f"nvidia-{piece[0].index}" if piece[0].kind == "nvidia" else piece[0].kind
        write(folder / "host" / name, piece)
    assert run(["explain", "host", *AT, "--json"]) == 0
    found = told(capsys)
    assert sorted(claims["kind"] for claims in found["claims"]) == sorted(kind.split("+"))
    assert {check["piece"] for check in found["checks"]} >= {"tpm" if "tpm" in kind else "nvidia 0"}


@pytest.mark.parametrize("kind", SINGLE)
def test_an_entry_of_a_policy_is_compared_with_it(kind: str, folder: Path, capsys: Captured) -> None:
    [piece] = pieces(kind)
    write(folder / "some", piece)
    (folder / "policy").write_bytes(LAB.policy(kind))
    (folder / "other").write_bytes(LAB.policy("sgx" if kind != "sgx" else "snp"))
    typed = ["explain", "some", "--tee", kind, *AT]
    assert run([*typed, "--policy", "policy"]) == 0
    text = capsys.readouterr().out
    assert f"and as policy {kind} serial 1 (first-use) wants; bound to no keys" in " ".join(text.split())
    assert "node, models, custody: there is no keyset to compare with" in text
    assert run([*typed, "--policy", "other", "--json"]) == int(Exit.POLICY)
    assert told(capsys)["failure"]["code"] == "policy.tee"


def test_what_is_missing_or_over_says_what_to_do(folder: Path, capsys: Captured) -> None:
    [(evidence, endorsements)] = pieces("sgx")
    (folder / "quote.bin").write_bytes(evidence.items["quote"])
    assert run(["explain", "quote.bin", "--tee", "sgx", *AT]) == int(Exit.COLLATERAL)
    text = capsys.readouterr().out
    assert "--source vendors asks the vendor's service" in " ".join(text.split())
    write(folder / "some", (evidence, endorsements))
    late = ["--at", format_time(NOW + timedelta(days=60))]
    assert run(["explain", "some", "--tee", "sgx", *late]) == int(Exit.COLLATERAL)
    capsys.readouterr()
    old = reading.read(folder / "some", "sgx")
    from confide.client import judge  # noqa: PLC0415 - the door that the command uses

    shown = judge.look_at(old.pieces, None, now=NOW + timedelta(days=60), at=None)
    assert shown.failure is not None
    assert "--at TIME" in shown.failure.hint


def test_files_by_other_names_are_told_and_not_read(folder: Path, capsys: Captured) -> None:
    [piece] = pieces("nitro")
    write(folder / "some", piece)
    (folder / "some" / "notes.txt").write_text("mine")
    assert run(["explain", "some", "--tee", "nitro", *AT]) == 0
    assert "not read, by their names no part of this evidence: some/notes.txt" in capsys.readouterr().err


WRONG: dict[str, tuple[Code, list[str]]] = {
    "no kind said": (Code.CLIENT_INPUT, ["explain", "empty"]),
    "an unknown kind": (Code.CLIENT_INPUT, ["explain", "empty", "--tee", "sev"]),
    "collateral for a bundle": (Code.CLI_INPUT, ["explain", "x", "--collateral", "empty"]),
    "a vendor for a bundle": (Code.CLI_INPUT, ["explain", "x", "--source", "vendors"]),
    "offline and a vendor": (Code.CLI_INPUT, ["explain", "empty", "--tee", "snp", "--offline", "--source", "vendors"]),
    "no such file": (Code.CLIENT_FILE, ["explain", "x", "--tee", "snp"]),
    "no such folder of collateral": (Code.CLIENT_FILE, ["explain", "empty", "--tee", "snp", "--collateral", "x"]),
    "a folder of an unknown piece": (Code.CLIENT_INPUT, ["explain", "unknown"]),
    "a device without a number": (Code.CLIENT_INPUT, ["explain", "unnumbered"]),
    "a machine with a number": (Code.CLIENT_INPUT, ["explain", "numbered"]),
    "a number too high": (Code.CLIENT_INPUT, ["explain", "high"]),
    "a role twice": (Code.CLIENT_INPUT, ["explain", "twice", "--tee", "snp"]),
}


@pytest.mark.parametrize(("code", "words"), WRONG.values(), ids=WRONG)
def test_a_place_that_does_not_say_what_is_there_is_refused(code: Code, words: list[str], folder: Path, capsys: Captured) -> None:
    for name in ("empty", "unknown/abc", "unnumbered/nvidia", "numbered/snp-0", "high/nvidia-32", "twice"):
        (folder / name).mkdir(parents=True)
    for name in ("report.bin", "report.dat"):
        (folder / "twice" / name).write_bytes(b"x")
    assert run([*words, "--json"]) == int(Exit.MISUSE)
    assert told(capsys)["error"]["code"] == code.value


def test_too_many_files_are_not_read(folder: Path) -> None:
    (folder / "some").mkdir()
    for index in range(reading.MAX_FILES + 1):
        (folder / "some" / f"{index}.bin").touch()
    with refused(Code.CLIENT_FILE):
        reading.read(folder / "some", "snp")


def test_a_vendors_service_gives_what_a_quote_lacks(folder: Path, capsys: Captured) -> None:
    (folder / "quote.bin").write_bytes(LAB.machines["sgx"].quote(report_data=BOUND))
    with serving(pcs(LAB.machines["sgx"])) as here:
        assert run(["explain", "quote.bin", "--tee", "sgx", "--source", here.url, *AT, "--json"]) == 0
    assert told(capsys)["claims"][0]["carries"] == BOUND.hex()


# --- recorded cases ---------------------------------------------------------------------------------------------------------------


def cases() -> list[Any]:
    """Of every recorded case its folder, entry and expectation; one that is skipped where there are none."""
    folder = recorded_vectors()
    if folder is None:
        return [pytest.param(None, None, id="none")]
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    return [
        pytest.param(entry, judge, id=judge["case"])
        for entry in manifest["vectors"]
        for judge in entry.get("judge", ())
        if entry["kind"] in ADAPTERS
    ]


@pytest.mark.parametrize(("entry", "expected"), cases())
def test_a_recorded_case_is_explained_as_it_is_verified(entry: Any, expected: Any, folder: Path, capsys: Captured) -> None:
    vectors = need_recorded_vectors()
    try:
        case = recorded.read_case(vectors, entry, expected)
    except UnknownDialectError:
        pytest.skip("the recording holds none of its kind's evidence")
    if not set(case.evidence.items) & set(evidence_roles(Kind(case.kind))):
        pytest.skip("the recording is of a manifest by itself, which is about no machine")
    write(folder / "some", (case.evidence, case.endorsements))
    keys = [root.der.hex() for root in ADAPTERS[case.kind].roots(case)]
    (folder / "policy").write_text(json.dumps(without_lists(keys)))
    typed = ["explain", "some", "--tee", case.kind, "--at", format_time(case.as_of), "--policy", "policy", "--json"]
    code = run(typed)
    found = told(capsys)
    assert bool(found["claims"]) == recorded.judge_case(case).genuine
    assert code == found["exit"] != 0  # no entry of the policy is for anything that was recorded


def without_lists(keys: list[str]) -> dict[str, Any]:
    """A policy that needs no revocation list, and accepts a machine that does not exist."""
    found = members()
    found["expires"] = "2099-01-01T00:00:00Z"
    found["require"] = {"max_crl_age": "unsafe_ignored"}
    found["accept"] = [{"tee": "nitro", "pcrs": {"0": ["5a" * 48]}}]
    if keys:
        found["accept"].append({"tee": "cca", "platform_keys": keys, "rims": ["5a" * 48], "firmware": ["5a" * 32]})
    return found
