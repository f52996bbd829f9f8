"""`confide policy import`: what an owner types when a maker publishes new values."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.client.policies import text
from tests.policy.reference.manifests import KEY, amd, corim, launch, launched, signed

from confide.cli.app import run
from confide.policy.load import load_policy

Captured = pytest.CaptureFixture[str]
HEX = "5a" * 48


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "image.corim").write_bytes(signed(corim(amd(), more={8: []})))
    (tmp_path / "tdx.corim").write_bytes(launched(launch("Intel", "TDX", "MRTD")))
    (tmp_path / "maker.pem").write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "image.json").write_text(json.dumps({"version": 1, "references": [{"tee": "snp", "measurements": [HEX]}]}))
    (tmp_path / "policy.toml").write_bytes(text())
    return tmp_path


INTO = ["--into", "policy.toml", "-o", "new.toml"]


def test_a_signed_manifest_goes_into_a_policy(folder: Path, capsys: Captured) -> None:
    assert run(["policy", "import", "image.corim", "--signer", "maker.pem", *INTO]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "image 7, signed",
        "  snp           measurements 5a5a5a5a5a5a5a5a...",
        "left out: conditional endorsement series",
        "1 accept entry of snp",
    ]
    assert err == "wrote new.toml\n"
    assert HEX in (folder / "new.toml").read_text()
    assert load_policy((folder / "new.toml").read_bytes()).serial == load_policy(text()).serial
    assert run(["policy", "import", "image.corim", "--signer", "maker.pem", *INTO]) == 2
    assert "cli.exists" in capsys.readouterr().err


def test_json_is_told_in_json(folder: Path, capsys: Captured) -> None:
    assert run(["policy", "import", "image.json", "--unsigned", *INTO, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "name": "",
        "signed": False,
        "references": [{"tee": "snp", "measurements": [HEX]}],
        "left_out": [],
        "entries": {"snp": 1},
        "skipped": [],
    }


def test_without_a_policy_the_file_is_shown(folder: Path, capsys: Captured) -> None:
    assert run(["policy", "import", "tdx.corim", "--unsigned"]) == 0
    assert "tdx           mr_tds 5a5a" in capsys.readouterr().out
    assert not (folder / "new.toml").exists()


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        (["image.corim"], 2, "cli.input"),
        (["image.corim", "--unsigned", "--signer", "maker.pem"], 2, "cli.input"),
        (["image.json", "--unsigned", "--into", "policy.toml"], 2, "cli.input"),
        (["image.corim", "--unsigned"], 5, "reference.malformed"),
        (["image.json", "--signer", "maker.pem"], 5, "reference.malformed"),
        (["image.corim", "--signer", "image.json"], 2, "reference.key"),
        (["tdx.corim", "--unsigned", *INTO], 5, "reference.no_entry"),
        (["missing.json", "--unsigned"], 2, "client.file"),
        (["image.json", "--unsigned", "--into", "image.json", "-o", "new.toml"], 5, "policy"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    folder: Path, capsys: Captured, words: list[str], exit_code: int, code: str
) -> None:
    assert run(["policy", "import", *words]) == exit_code
    assert code in capsys.readouterr().err
    assert not (folder / "new.toml").exists()
