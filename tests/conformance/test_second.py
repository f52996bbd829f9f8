"""The second verifier: all published cases right, and everything that was changed refused."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conformance.second import __main__ as program
from conformance.second import merkle, proof, receipt, vectors
from conformance.second.check import Exchange, check_receipt
from conformance.second.checkpoint import check_growth, parse_checkpoint
from conformance.second.dsse import pre_authentication_encoding
from conformance.second.keyset import parse_keyset
from conformance.second.strict_json import Refused
from tests.conformance import boots

ROOT = Path(__file__).parents[2]
BOOT = boots.Boot()
KEYSET = parse_keyset(BOOT.keyset)
NEXT = BOOT.make_keyset(epoch=2)
LEAVES = [BOOT.receipt(index, NEXT if index > 3 else None) for index in range(7)]
Changes = Callable[[list[bytes], list[bytes]], None]


def test_every_published_case_is_right() -> None:
    files = [ROOT / "vectors" / name for name in ("09-receipt.json", "10-log.json")]
    command = [sys.executable, "-m", "conformance.second", "vectors", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line.split()[0]: [int(count) for count in line.split()[1:]] for line in done.stdout.splitlines()[1:]}
    assert sum(wrong for _, wrong, _ in rows.values()) == 0
    assert sum(right for right, _, _ in rows.values()) >= 233


def test_the_package_is_not_imported() -> None:
    code = "import sys, conformance.second.__main__; sys.exit(any(name.split('.')[0] == 'confide' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_every_code_is_listed() -> None:
    listed = {entry["code"] for entry in json.loads((ROOT / "spec" / "codes.json").read_text())["codes"]}
    texts = "".join(file.read_text() for file in (ROOT / "conformance" / "second").glob("*.py"))
    named = set(re.findall(r'"((?:client|document|keyset|log|receipt)\.[a-z_]+)"', texts)) - set(vectors.OPERATIONS)
    assert named <= listed
    assert {f"receipt.{label}" for label in receipt.LABELS} <= listed


def test_the_encoding_is_that_of_dsse() -> None:
    """The test vector of the DSSE protocol."""
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    status = program.main([str(argument) for argument in arguments])
    return status, json.loads(capsys.readouterr().out)


@pytest.fixture
def exchange(tmp_path: Path) -> dict[str, Path]:
    """The files of one exchange, by their option."""
    contents = {
        "receipt": LEAVES[2],
        "bundle": BOOT.document(),
        "request": boots.REQUEST,
        "response": boots.RESPONSE,
        "salts": boots.salts(),
        "enc": boots.ENC,
        "proof": BOOT.proof(2, LEAVES),
    }
    paths = {name: tmp_path / name for name in contents}
    for name, path in paths.items():
        path.write_bytes(contents[name])
    return paths


def options(exchange: dict[str, Path]) -> list[object]:
    named = [part for name, path in exchange.items() if name != "receipt" for part in (f"--{name}", path)]
    return ["receipt", exchange["receipt"], *named, "--model", boots.PACKAGE, "--status", 200]


def test_a_receipt_with_everything_is_complete(exchange: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    status, answer = said(capsys, *options(exchange))
    assert (status, answer["ok"]["complete"], answer["ok"]["not_checked"]) == (0, True, [])
    assert answer["ok"]["evidence"].startswith("not judged")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("receipt", b"{}", "receipt.malformed"),
        ("receipt", boots.Boot("stranger").receipt(2), "receipt.signature"),
        ("bundle", BOOT.document(NEXT), "receipt.keyset"),
        ("bundle", b"{}", "document.malformed"),
        ("request", b"another", "receipt.request"),
        ("response", b"another", "receipt.response"),
        ("salts", b"{}", "receipt.salts"),
        ("enc", b"another", "receipt.enc"),
        ("proof", BOOT.proof(3, LEAVES), "log.index"),
        ("proof", BOOT.proof(2, LEAVES[::-1]), "log.inclusion"),
    ],
)
def test_an_exchange_with_one_lie_is_refused(
    exchange: dict[str, Path], capsys: pytest.CaptureFixture[str], name: str, data: bytes, code: str
) -> None:
    exchange[name].write_bytes(data)
    status, answer = said(capsys, *options(exchange))
    assert answer["error"] == code
    assert status == (3 if code.startswith("document") else 8)


def test_no_changed_byte_passes_a_receipt_with_its_proof() -> None:
    proofs = proof.parse_proof(BOOT.proof(2, LEAVES))
    for at in range(len(LEAVES[2])):
        changed = LEAVES[2][:at] + bytes([LEAVES[2][at] ^ 1]) + LEAVES[2][at + 1 :]
        with pytest.raises(Refused):
            proof.check_included(changed, check_receipt(changed, KEYSET, Exchange()).receipt.log_index, proofs, KEYSET)


def test_a_changed_proof_proves_nothing_else() -> None:
    whole = BOOT.proof(2, LEAVES)
    proven = proof.check_included(LEAVES[2], 2, proof.parse_proof(whole), KEYSET)
    for at in range(0, len(whole), 3):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with contextlib.suppress(Refused):
            assert proof.check_included(LEAVES[2], 2, proof.parse_proof(changed), KEYSET) == proven


def test_a_batch_proves_its_receipts_and_no_other() -> None:
    proofs = proof.parse_batch(BOOT.batch([0, 2, 6], LEAVES))
    assert [proof.check_included(LEAVES[index], index, proofs, KEYSET).size for index in (0, 2, 6)] == [7, 7, 7]
    with pytest.raises(Refused, match=r"log\.index"):
        proof.check_included(LEAVES[1], 1, proofs, KEYSET)
    with pytest.raises(Refused, match=r"log\.malformed"):
        proof.parse_batch(BOOT.batch([2, 0], LEAVES))


@pytest.mark.parametrize("first", range(8))
@pytest.mark.parametrize("second", range(8))
def test_growth_holds_forward_along_its_path_only(first: int, second: int) -> None:
    old, new = (parse_checkpoint(BOOT.checkpoint(LEAVES[:size]), KEYSET) for size in (first, second))
    if first > second:
        with pytest.raises(Refused, match=r"log\.consistency"):
            check_growth(old, new, [])
        return
    path = merkle.consistency_path(first, LEAVES[:second])
    assert check_growth(old, new, path) == second - first
    for lie in (path[:-1] or [bytes(32)], [*path, bytes(32)]):
        with pytest.raises(Refused, match=r"log\.consistency"):
            check_growth(old, new, lie)


def write(folder: Path, change: Changes | None = None) -> None:
    leaves = list(LEAVES)
    checkpoints = [BOOT.checkpoint(LEAVES[:size]) for size in (0, 3, 6)]
    if change:
        change(leaves, checkpoints)
    boots.write_folder(folder, BOOT, leaves=leaves, checkpoints=checkpoints, keysets=[BOOT.keyset, NEXT])


def test_a_whole_log_stands_as_its_end_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "open")
    write(tmp_path / "closed", lambda leaves, heads: heads.append(BOOT.checkpoint(leaves, closing=True)))
    status, answer = said(capsys, "log", tmp_path / "open")
    assert (status, answer["ok"]["leaves"], answer["ok"]["covered"]) == (0, 7, 6)
    assert answer["ok"]["standing"] == "ended uncleanly"
    with (tmp_path / "open" / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert said(capsys, "log", tmp_path / "open")[1]["ok"]["standing"] == "live"
    assert said(capsys, "log", tmp_path / "closed")[1]["ok"]["standing"] == "closed"


BREAKS: list[tuple[str, dict[str, int], Changes]] = [
    ("log.index", {"first_leaf": 1}, lambda leaves, _: leaves.__delitem__(1)),
    ("log.index", {"first_leaf": 4}, lambda leaves, _: leaves.insert(4, leaves[1])),
    ("log.missing", {"checkpoint": 2}, lambda leaves, _: leaves.__delitem__(slice(5, 7))),
    ("log.root", {"checkpoint": 1}, lambda leaves, _: leaves.__setitem__(1, leaves[1] + b" ")),
    ("receipt.signature", {"first_leaf": 6}, lambda leaves, _: leaves.__setitem__(6, boots.Boot("stranger").receipt(6))),
    ("receipt.time", {"first_leaf": 6}, lambda ls, _: ls.__setitem__(6, BOOT.receipt(6, issued_at="2026-11-26T00:00:00Z"))),
    ("log.consistency", {"checkpoint": 2}, lambda _, heads: heads.__setitem__(slice(1, 3), heads[:0:-1])),
    ("log.time", {"checkpoint": 3}, lambda ls, heads: heads.append(BOOT.checkpoint(ls, time="2026-11-25T12:00:00Z"))),
    ("log.closed", {"checkpoint": 3}, lambda ls, heads: heads.insert(2, BOOT.checkpoint(ls[:4], closing=True))),
    ("log.closed", {"first_leaf": 6}, lambda ls, heads: heads.__setitem__(2, BOOT.checkpoint(ls[:6], closing=True))),
    ("log.signature", {"checkpoint": 0}, lambda _, heads: heads.__setitem__(0, boots.Boot("stranger").checkpoint([]))),
]


@pytest.mark.parametrize(("code", "where", "change"), BREAKS)
def test_a_log_that_breaks_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, where: dict[str, int], change: Changes
) -> None:
    write(tmp_path / "log", change)
    status, answer = said(capsys, "log", tmp_path / "log")
    assert status == 8
    assert {key: value for key, value in answer.items() if key != "found"} == {"error": code, **where}


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 4096, b"\0\0\x01", b"\0\0\x01\0{", (9).to_bytes(4) + b"12345678"])
def test_a_torn_tail_is_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str], tail: bytes) -> None:
    write(tmp_path / "log")
    with (tmp_path / "log" / "leaves").open("ab") as file:
        file.write(tail)
    assert said(capsys, "log", tmp_path / "log")[1]["ok"]["cut"] == {"leaves": len(tail), "checkpoints": 0}


@pytest.mark.parametrize("tail", [b"\0\0\0\0\x01", b"\xff" * 4, (40 * 1024 + 1).to_bytes(4)])
def test_a_tail_that_no_crash_leaves_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], tail: bytes) -> None:
    write(tmp_path / "log")
    with (tmp_path / "log" / "leaves").open("ab") as file:
        file.write(tail)
    assert said(capsys, "log", tmp_path / "log")[1]["error"] == "log.record"


def test_keysets_of_two_boots_are_no_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "log")
    (tmp_path / "stranger").write_bytes(boots.Boot("stranger").document())
    assert said(capsys, "log", tmp_path / "log", "--bundle", tmp_path / "stranger")[1]["error"] == "log.id"
