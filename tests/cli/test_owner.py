"""`confide key` and `confide policy`: what an owner types before there is a node."""

import json
from pathlib import Path

import pytest
from tests.client.policies import text

from confide.cli.app import run

Captured = pytest.CaptureFixture[str]


def made(folder: Path, capsys: Captured, *words: str) -> str:
    assert run(["key", "new", str(folder / "owner.key"), *words]) == 0
    return capsys.readouterr().out.strip()


def test_a_new_key_prints_what_settings_and_policies_take(tmp_path: Path, capsys: Captured) -> None:
    printed = made(tmp_path, capsys)
    assert printed.startswith("ed25519:")
    assert run(["key", "public", str(tmp_path / "owner.key"), "-o", str(tmp_path / "again.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["key"] == printed
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "owner.key.pub.json").read_bytes()
    assert run(["key", "new", str(tmp_path / "owner.key")]) == 2
    assert "client.key_file" in capsys.readouterr().err


def test_a_post_quantum_key_is_told_in_json(tmp_path: Path, capsys: Captured) -> None:
    told = json.loads(made(tmp_path, capsys, "--alg", "ml-dsa-65", "--json"))
    assert told["key"].startswith("ml-dsa-65:")
    assert told["encrypted"] is False


@pytest.mark.parametrize("words", [["--passphrase", "x"], ["--alg", "rsa"]], ids=" ".join)
def test_no_option_takes_a_secret_or_another_algorithm(tmp_path: Path, capsys: Captured, words: list[str]) -> None:
    assert run(["key", "new", str(tmp_path / "k"), *words]) == 2
    assert not (tmp_path / "k").exists()


def test_a_signed_policy_loads_by_its_signer_and_by_nobody_else(tmp_path: Path, capsys: Captured) -> None:
    made(tmp_path, capsys)
    (tmp_path / "policy.toml").write_bytes(text(simulated=True))
    signed, key = str(tmp_path / "policy.json"), str(tmp_path / "owner.key")
    sign = ["policy", "sign", str(tmp_path / "policy.toml"), "--key", key, "-o", signed]
    assert run(sign) == 0
    assert "wrote" in capsys.readouterr().out
    assert run(sign) == 2  # it exists
    assert run([*sign, "--force", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out.split("\n", 0)[0])["signer"]) == 64
    assert run(["policy", "check", signed]) == 5
    assert "policy.signer" in capsys.readouterr().err
    assert run(["policy", "check", signed, "--policy-signer", key + ".pub.json", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["relaxed"][:3] == ["unsafe_accept_simulated", "accept.measurements", "accept.minimum_tcb"]
    assert shown["custody"] == ["not checked"]


def test_a_policy_that_demands_custody_says_so(tmp_path: Path, capsys: Captured) -> None:
    printed = made(tmp_path, capsys)
    chips = b'tee = "snp"\nchip_ids = ["' + b"0c" * 64 + b'"]'
    policy = text().replace(b'"none"', f'"{printed}"'.encode()).replace(b'tee = "snp"', chips)
    (tmp_path / "policy.toml").write_bytes(policy + b'\n[require]\nplaces = ["Paris", "Lyon"]\n')
    assert run(["policy", "check", str(tmp_path / "policy.toml")]) == 0
    out = capsys.readouterr().out
    assert f"admission by {printed}\n            platform allow-list of 1\n" in out
    assert "places      Paris\n            Lyon\n" in out


def test_a_policy_that_does_not_load_is_neither_checked_nor_signed(tmp_path: Path, capsys: Captured) -> None:
    made(tmp_path, capsys)
    (tmp_path / "policy.toml").write_text("version = 1\n")
    assert run(["policy", "check", str(tmp_path / "policy.toml")]) == 5
    sign = ["policy", "sign", str(tmp_path / "policy.toml"), "--key", str(tmp_path / "owner.key"), "-o", str(tmp_path / "out")]
    assert run(sign) == 5
    assert not (tmp_path / "out").exists()
