"""A little of `tests.fuzz.run` for every target, and that the fuzzer finds what it is for."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fuzz import run as command
from tests.fuzz.fuzzing import SLOW, change, fuzz
from tests.fuzz.target import Target, parser, untrue
from tests.fuzz.targets import TARGETS

from confide.attest import cbor
from confide.attest.tpm import platform
from confide.codes import Code
from confide.errors import EvidenceError

# What cannot be read has no end; what a service says, and a manifest that is bad, is for others to judge.
PATIENT = {"collateral-ends", "pcs", "signed-manifest"}


@pytest.mark.parametrize("name", TARGETS)
def test_changed_bytes_give_our_errors_or_what_was_signed(name: str) -> None:
    outcome = fuzz(TARGETS[name](), runs=150)
    assert outcome.failures == {}
    assert outcome.runs == 150
    assert outcome.refused > 0 or name in PATIENT


@pytest.mark.deep
@pytest.mark.parametrize("name", TARGETS)
def test_changed_bytes_give_our_errors_or_what_was_signed_for_longer(name: str) -> None:
    assert fuzz(TARGETS[name](), seed=1, seconds=30).failures == {}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_believes_what_is_whole(name: str) -> None:
    target = TARGETS[name]()
    target.run(target.items)


def picky(data: bytes) -> int:
    """Fails behind two steps: blind changes hardly get there."""
    if data[:1] == b"\x00":
        if data[1:2] == b"\x01":
            raise KeyError("found")
        raise EvidenceError(Code.CBOR_MALFORMED, found="x", wanted="y")
    return len(data)


def test_another_error_than_ours_is_found_and_told_with_its_place() -> None:
    outcome = fuzz(parser(b"\x02\x02", picky), runs=20000)
    (place,) = outcome.failures
    assert place.startswith("data: KeyError at test_fuzz_evidence.py")
    assert outcome.failures[place][1][:2] == b"\x00\x01"


def test_belief_in_something_untrue_is_found() -> None:
    def run(items: dict[str, bytes]) -> None:
        if items["a"] != b"whole":
            raise AssertionError("believed")

    assert fuzz(Target({"a": b"whole"}, run), runs=50).failures  # type: ignore[arg-type]


def test_claims_may_say_less_and_nothing_else() -> None:
    whole = platform.Platform(platform.Technology.AMD_SEV_SNP, 7, secure_boot=True)
    assert list(untrue(whole, whole)) == []
    assert list(untrue(replace(whole, firmware_version=None), whole)) == []
    assert list(untrue(replace(whole, firmware_version=8, secure_boot=False), whole)) == ["firmware_version", "secure_boot"]
    assert list(untrue(b"x", b"y", "hcl.hardware_report")) == []
    assert list(untrue(b"x", whole, "platform")) == ["platform"]


def test_a_slow_input_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.fuzzing.SLOW", 0.0)
    assert SLOW > 0
    outcome = fuzz(parser(b"\x01", cbor.loads), runs=5)
    assert any("slow" in what for what, _ in outcome.failures.values())


def test_the_same_seed_does_the_same() -> None:
    target = TARGETS["cbor"]()
    first, second = (fuzz(target, seed=7, runs=300) for _ in range(2))
    assert (first.believed, first.refused) == (second.believed, second.refused)


def test_nothing_to_change_is_no_fault() -> None:
    import random  # noqa: PLC0415

    rng = random.Random(0)
    assert all(isinstance(change(b"", [b""], rng), bytes) for _ in range(500))


def test_the_command_tells_of_failures_and_keeps_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(TARGETS, "picky", lambda: parser(b"\x00\x02", picky))
    assert command.main(["picky", "--minutes", "0.02", "--into", str(tmp_path)]) == 1
    assert "FAILED data: KeyError" in capsys.readouterr().out
    assert next(tmp_path.iterdir()).read_bytes()[:2] == b"\x00\x01"
    counts = tmp_path / "counts.json"
    for _ in range(2):
        assert command.main(["cbor", "--minutes", "0.01", "--results", str(counts)]) == 0
    written = json.loads(counts.read_text())
    assert (list(written), written["cbor"]["minutes"], written["cbor"]["failures"]) == (["cbor"], 0.01, 0)
    with pytest.raises(SystemExit):
        command.main(["nothing"])
