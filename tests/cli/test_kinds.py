"""`confide verify`, `explain`, `bundle`, `collateral` and `policy check` for every kind of evidence, right and wrong: exit code,
code, what people read, and JSON by the published schema.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scripts import failures_page
from tests.cli.asked import answering
from tests.cli.failures import CELLS, LIVE, NONCE, NOT, OWN, ROLLBACK, ROWS, Failure
from tests.cli.kinds import COMPOSITE, KINDS, LAB, SINGLE, Lab, lab, members
from tests.cli.schema import SCHEMA, validate
from tests.policy.world import NOW, OTHERS

from confide.attest.document import parse_document
from confide.attest.evidence import Kind
from confide.attest.keyset import Isolation, Role
from confide.cli.app import run
from confide.codes import Code, Exit
from confide.collateral.files import write_folder
from confide.formats.fields import format_time
from confide.policy.explanation import Outcome
from confide.policy.load import load_policy
from confide.policy.model import Origin
from confide.policy.reference.model import MEMBERS
from confide.policy.rollback import RollbackState
from confide.policy.text import WIDTH
from confide.policy.verdict import Custody, Stage

Captured = pytest.CaptureFixture[str]
OTHERS_OF: Mapping[str, Mapping[str, Any]] = {  # values of other software, by kind
    "snp": {"measurements": ["00" * 48]},
    "sgx": {"mr_enclaves": ["00" * 32]},
    "tdx": {"mr_tds": ["00" * 48]},
    "nitro": {"pcrs": {"0": ["00" * 48]}},
    "nitrotpm": {"pcrs": {"4": ["00" * 48]}},
    "tpm": {"pcrs": {"4": ["00" * 32]}},
    "az-snp-vtpm": {"pcrs": {"4": ["00" * 32]}},
    "az-tdx-vtpm": {"pcrs": {"4": ["00" * 32]}},
    "cca": {"rims": ["00" * 48]},
}
FILES = {key: failure for key, failure in CELLS.items() if key[1] not in LIVE}
RIGHT = Failure(Code.CLI_INTERNAL)  # nothing lies
AT = format_time(NOW)
BUNDLE = ["bundle.json", "--offline", "--policy", "policy"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONFIDE_STATE", str(tmp_path / "state.json"))
    (tmp_path / "signer.json").write_text('{"alg":"ed25519","public_key":"' + "A" * 43 + '="}')
    return tmp_path


@pytest.fixture(scope="module")
def now() -> Lab:
    """The machines of this moment."""
    return lab(datetime.now(UTC))


def words(command: str, failure: Failure, kind: str, folder: Path) -> list[str]:
    """What is typed; files are written first."""
    (folder / "bundle.json").write_bytes(failure.document(kind))
    (folder / "policy").write_bytes(failure.policy_file(kind))
    return [command, *BUNDLE, "--at", format_time(failure.at), *failure.words]


def told(capsys: Captured) -> Any:
    """The one JSON object on standard output, which is as published."""
    found = json.loads(capsys.readouterr().out)
    validate(found)
    return found


# --- the table --------------------------------------------------------------------------------------------------------------------


def test_the_table_has_no_empty_cell_and_gives_a_reason_for_each_that_cannot_be() -> None:
    assert set(OWN) == set(KINDS) == {*SINGLE, *COMPOSITE}
    assert {kind for name in KINDS for kind in name.split("+")} == {kind.value for kind in Kind}
    for kind in KINDS:
        reasons = NOT.get(kind, {})
        assert all(reasons.values())
        assert {row for row in ROWS if (kind, row) in CELLS} | set(reasons) == set(ROWS)


@pytest.mark.parametrize(("kind", "row"), FILES, ids=lambda value: value)
def test_what_lies_is_refused_with_its_exit_code_and_code(kind: str, row: str, folder: Path, capsys: Captured) -> None:
    failure = FILES[kind, row]
    typed = words("verify", failure, kind, folder)
    code = run([*typed, "--json"])
    found = told(capsys)
    assert found["error"]["code"] == failure.code.value, found
    assert (code, found["exit"]) == (int(failure.code.exit), code)
    assert run(typed) == code
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == f"error: {failure.code.meaning} ({failure.code.value})"
    about = ["about"] if "about" in found["error"] else []
    assert [line.partition(":")[0].strip() for line in lines[1:]] == [*about, "found", "wanted", "hint"]


def test_the_page_is_the_table() -> None:
    assert failures_page.main(["--check"]) == 0, "run scripts/failures_page.py"


def explained(kind: str, row: str) -> bool:
    """A policy that does not load leaves nothing to explain."""
    return CELLS[kind, row].code not in {Code.POLICY_SIGNER, Code.POLICY_SHAPE}


@pytest.mark.parametrize(("kind", "row"), [key for key in FILES if explained(*key)], ids=lambda value: value)
def test_an_explanation_refuses_as_the_verification_does_and_shows_more(
    kind: str, row: str, folder: Path, capsys: Captured
) -> None:
    failure = FILES[kind, row]
    typed = words("explain", failure, kind, folder)
    assert run([*typed, "--json"]) == int(failure.code.exit)
    found = told(capsys)
    assert (found["outcome"], found["failure"]["code"]) == ("refused", failure.code.value)
    assert any(not check["ok"] and check["code"] == failure.code.value for check in found["checks"])
    assert run(typed) == int(failure.code.exit)
    text = capsys.readouterr().out
    assert f"\n{failure.code.value}: {failure.code.meaning}\n" in text
    readable(text)


def readable(text: str) -> None:
    """Lines fit, unless they hold something to be copied; nothing is cut; nothing is Python's."""
    for line in text.splitlines():
        assert len(line) <= WIDTH or max(map(len, line.split())) > 40, line
        assert line == line.rstrip()
        assert not re.search(r"\b(True|False|None)\b", line), line
        assert "+00:00" not in line, line


# --- what holds -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_right_is_verified_and_explained(kind: str, folder: Path, capsys: Captured) -> None:
    assert run([*words("verify", RIGHT, kind, folder), "--json"]) == 0
    verdict = told(capsys)
    assert (verdict["outcome"], verdict["exit"], verdict["historic"]) == ("held", 0, True)
    assert "+".join(claims["kind"] for claims in verdict["claims"]) == kind
    assert run([*words("explain", RIGHT, kind, folder), "--json"]) == 0
    assert told(capsys) == verdict
    assert run(words("verify", RIGHT, kind, folder)) == 0
    short = capsys.readouterr().out
    assert run(words("explain", RIGHT, kind, folder)) == 0
    whole = capsys.readouterr().out
    for claims in verdict["claims"]:
        for text in (claims["name"], claims["vouched_by"], claims["proves"], *claims["not_proven"]):
            assert text in " ".join(whole.replace("    ", " ").split()), text
    assert whole.count("✓") == len(verdict["checks"]) + short.count("✓")
    readable(short)
    readable(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_explained_without_a_policy(kind: str, folder: Path, capsys: Captured) -> None:
    (folder / "bundle.json").write_bytes(LAB.genuine(kind))
    assert run(["explain", "bundle.json", "--at", AT, "--json"]) == 0
    found = told(capsys)
    assert (found["outcome"], found["policy"], found["simulated"]) == ("no-policy", None, True)
    pieces = {check["piece"] for check in found["checks"] if check["stage"] == "genuine"}
    assert {piece.split()[0] for piece in pieces} == set(kind.split("+"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_is_shown_by_the_names_of_its_kinds(kind: str, folder: Path, capsys: Captured) -> None:
    (folder / "policy").write_bytes(LAB.policy(kind))
    assert run(["policy", "check", "policy"]) == 0
    out = capsys.readouterr().out
    assert all(f"({each})" in out for each in kind.split("+"))
    assert "ANY software" not in out
    assert run(["policy", "check", "policy", "--json"]) == 0
    assert len(told(capsys)["accepts"]) == len(set(kind.split("+")))


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_bundle_holds_is_listed(kind: str, folder: Path, capsys: Captured) -> None:
    (folder / "bundle.json").write_bytes(LAB.genuine(kind))
    assert run(["collateral", "list", "bundle.json"]) == 0
    out = capsys.readouterr().out
    assert ("holds no collateral" in out) == (kind in {"nitro", "nitrotpm", "cca"})
    assert run(["collateral", "list", "bundle.json", "--json"]) == 0
    pieces = told(capsys)["pieces"]
    assert len(pieces) == len(json.loads(LAB.genuine(kind))["collateral"])


GIVEN = ("ask", "ark", "nvidia-cert-chain-")  # shipped with `confide`, or told by the device itself


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"nitro", "nitrotpm", "cca"}])
def test_a_bundle_that_lacks_collateral_is_completed_from_a_nodes_folder(kind: str, folder: Path, capsys: Captured) -> None:
    whole = parse_document(LAB.genuine(kind))
    for evidence in whole.evidence:
        write_folder(folder / "given", Kind(evidence.kind), whole.endorsements_of(evidence).items, index=evidence.index)
    found = json.loads(LAB.genuine(kind))
    found["collateral"] = [item for item in found["collateral"] if item["type"].startswith(GIVEN)]
    (folder / "bundle.json").write_text(json.dumps(found))
    (folder / "policy").write_bytes(LAB.policy(kind))
    assert run(["verify", *BUNDLE, "--at", AT]) == int(Exit.COLLATERAL)
    assert "hint: `confide bundle complete` adds what is missing" in capsys.readouterr().err
    assert run(["bundle", "complete", "bundle.json", "-o", "bundle.json", "--collateral", "given"]) == 0
    assert run(["verify", *BUNDLE, "--at", AT]) == 0
    capsys.readouterr()
    assert run(["collateral", "list", "given", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["pieces"]) == len(list((folder / "given").iterdir()))


def test_collateral_that_has_ended_and_that_never_ends_is_told(folder: Path, capsys: Captured) -> None:
    (folder / "bundle.json").write_bytes(lab(NOW - timedelta(days=60)).genuine("snp+nvidia"))
    assert run(["collateral", "list", "bundle.json"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1].split()[0].startswith("nvidia-ocsp")
    assert "days ago" in out[1]
    assert out[-1].split()[0] == "nvidia-cert-chain-0"
    assert out[-1].endswith("never ends")


@pytest.mark.parametrize("kind", SINGLE)
def test_a_makers_values_go_into_a_policy_of_every_kind(kind: str, folder: Path, capsys: Captured) -> None:
    [entry] = members(kind)["accept"]
    values = {name: value for name, value in entry.items() if name in MEMBERS[Kind(kind)]}
    (folder / "image.json").write_text(json.dumps({"version": 1, "references": [{"tee": kind, **values}]}))
    other = Failure(Code.CLI_INTERNAL, policy=lambda policy: policy["accept"][0].update(OTHERS_OF[kind]))
    typed = words("verify", other, kind, folder)
    (folder / "policy.json").write_bytes((folder / "policy").read_bytes())
    assert run(typed) == int(Exit.POLICY)
    assert run(["policy", "import", "image.json", "--unsigned", "--into", "policy.json", "-o", "policy", "--force"]) == 0
    assert f"1 accept entry of {kind}" in capsys.readouterr().out
    assert run(typed) == 0


# --- a node that is asked now -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_is_verified_saved_and_judged_again(kind: str, folder: Path, capsys: Captured, now: Lab) -> None:
    (folder / "policy").write_bytes(now.policy(kind))
    with answering(lambda nonce: now.document(kind, nonces=(nonce,))) as url:
        assert run(["verify", url, "--policy", "policy", "--json"]) == 0
        assert told(capsys)["outcome"] == "accepted"
        assert run(["bundle", "save", url, "bundle.json"]) == 0
        assert "not verified" in capsys.readouterr().out
        assert run(["bundle", "save", url, "bundle.json", "--json"]) == 0
        assert sorted(piece.split()[0] for piece in told(capsys)["evidence"]) == sorted(kind.split("+"))
        assert run(["explain", url]) == 0
        assert "GENUINE at" in capsys.readouterr().out
    assert run(["verify", *BUNDLE]) == 0
    assert "HELD as of" in capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_is_looked_at_trusted_and_vouched_for(kind: str, folder: Path, capsys: Captured, now: Lab) -> None:
    assert run(["key", "new", "results.key"]) == 0
    with answering(lambda nonce: now.document(kind, nonces=(nonce,))) as url:
        typed = ["trust", url, "-o", "policy", "--unsafe-accept-simulated"]
        assert run(typed) == int(Exit.POLICY)  # nobody is there to ask
        shown = capsys.readouterr().err
        entries = shown.partition("A YES WOULD TRUST")[2]
        assert all(f"({each})\n" in entries for each in kind.split("+"))
        assert "the policy names none" not in shown  # there is no policy
        readable(shown)
        assert run([*typed, "--accept-digest", shown.rpartition("--accept-digest ")[2].strip()]) == 0
        assert run(["verify", url, "--policy", "policy", "--ear", "node.jwt", "--ear-key", "results.key"]) == 0
    capsys.readouterr()
    checked = ["ear", "check", "node.jwt", "--key", "results.key.pub.json", "--accept", "contraindicated"]
    assert run(checked) == 0  # whose word on simulated evidence is the worst there is
    out = capsys.readouterr().out
    assert all(f"  {each}" in out for each in kind.split("+"))
    assert run(checked[:-2]) == int(Exit.POLICY)


@pytest.mark.parametrize("kind", KINDS)
def test_evidence_for_anothers_nonce_is_refused(kind: str, folder: Path, capsys: Captured, now: Lab) -> None:
    (folder / "policy").write_bytes(now.policy(kind))
    with answering(lambda _: now.document(kind, nonces=OTHERS[:1])) as url:
        code = run(["verify", url, "--policy", "policy", "--json"])
    assert told(capsys)["error"]["code"] == CELLS[kind, NONCE].code.value
    assert code == int(CELLS[kind, NONCE].code.exit)


@pytest.mark.parametrize("kind", KINDS)
def test_an_older_policy_than_was_seen_is_refused(kind: str, folder: Path, capsys: Captured, now: Lab) -> None:
    (folder / "policy").write_bytes(now.policy(kind))
    seen = RollbackState({load_policy(now.policy(kind)).name: 2})
    (folder / "state.json").write_bytes(seen.to_json())
    with answering(lambda nonce: now.document(kind, nonces=(nonce,))) as url:
        code = run(["verify", url, "--policy", "policy", "--json"])
    assert told(capsys)["error"]["code"] == CELLS[kind, ROLLBACK].code.value
    assert code == int(CELLS[kind, ROLLBACK].code.exit)


def test_a_bundle_of_what_cannot_be_read_is_not_written(folder: Path, capsys: Captured) -> None:
    with answering(lambda _: b"{}") as url:
        assert run(["bundle", "save", url, "new.json"]) == 3
    assert "document.malformed" in capsys.readouterr().err
    (folder / "bundle.json").write_bytes(LAB.genuine("snp"))
    assert run(["bundle", "save", "bundle.json", "new.json"]) == 2
    assert "client.url" in capsys.readouterr().err
    assert not (folder / "new.json").exists()


# --- what to do -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["verify", "explain"])
@pytest.mark.parametrize("kind", ["nitro", "sgx", "snp+nvidia"])
def test_a_file_that_has_ended_says_as_of_when_to_judge_it(kind: str, command: str, folder: Path, capsys: Captured) -> None:
    old = lab(NOW - timedelta(days=60))
    (folder / "bundle.json").write_bytes(old.genuine(kind))
    (folder / "policy").write_bytes(old.policy(kind))
    assert run([command, *BUNDLE]) == int(Exit.COLLATERAL)
    hint = f"--at {format_time(NOW - timedelta(days=60))}"
    assert hint in "".join(capsys.readouterr())
    assert run([command, *BUNDLE, *hint.split()]) == 0


def test_a_folder_that_an_answer_was_saved_to_is_its_bundle(folder: Path, capsys: Captured) -> None:
    (folder / "kept").mkdir()
    (folder / "kept" / "bundle.json").write_bytes(LAB.genuine("snp"))
    (folder / "policy").write_bytes(LAB.policy("snp"))
    for command in ("verify", "explain"):
        assert run([command, "kept", "--policy", "policy", "--at", AT]) == 0
    assert capsys.readouterr().out.count("HELD as of") == 2
    (folder / "empty").mkdir()
    assert run(["verify", "empty", "--policy", "policy"]) == int(Exit.MISUSE)
    assert "empty/bundle.json: No such file" in capsys.readouterr().err


def test_a_file_that_is_no_bundle_says_what_writes_one(folder: Path, capsys: Captured) -> None:
    (folder / "bundle.json").write_bytes(b"tee = 1")
    (folder / "policy").write_bytes(LAB.policy("snp"))
    for command in ("verify", "explain"):
        assert run([command, *BUNDLE]) == int(Exit.EVIDENCE)
        said = "".join(capsys.readouterr())
        assert "`confide bundle save URL FILE` writes a bundle" in said
        assert "no JSON from line 1, column 1 on" in said


# --- the schema -------------------------------------------------------------------------------------------------------------------


def test_the_schema_knows_every_word_that_the_code_does() -> None:
    found = SCHEMA["definitions"]
    judged = found["judged"]["properties"]
    words = {
        "kind": (found["kind"]["enum"], Kind),
        "outcome": (judged["outcome"]["enum"], Outcome),
        "custody": (judged["custody"]["anyOf"][0]["enum"], Custody),
        "stage": (found["check"]["properties"]["stage"]["enum"], Stage),
        "origin": (found["policy"]["properties"]["origin"]["enum"], Origin),
        "role": (found["keyset"]["properties"]["role"]["enum"], Role),
        "isolation": (found["keyset"]["properties"]["isolation"]["enum"], Isolation),
    }
    for name, (listed, known) in words.items():
        assert set(listed) == {each.value for each in known}, name
    assert all(each.get("additionalProperties") is False for each in found.values() if each.get("type") == "object")


def test_a_misuse_is_told_by_the_schema_too(folder: Path, capsys: Captured) -> None:
    assert run(["verify", "http://127.0.0.1:1", "--offline", "--policy", "policy", "--json"]) == int(Exit.MISUSE)
    assert told(capsys)["error"]["code"] == "client.file"
    assert run(["verify", "--json"]) == int(Exit.MISUSE)
    assert told(capsys)["error"]["code"] == "cli.input"
