"""Complete proofs: fetched in batches, checked, held to what was seen before, saved; and whole logs judged from disk."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.client.nodes import changed, place, write

from confide.cli.app import run as confide
from confide.client import completion
from confide.codes import Code
from confide.errors import ConfideError, MisuseError, ReceiptError
from confide.formats import merkle
from confide.receipt.proof import LogProof

PROOFS = ("[node]", "[require]\nlog_proof = true\n\n[node]")


def test_answers_are_completed_in_one_batch_and_hold_alone(tmp_path: Path) -> None:
    with place(log_dir=str(tmp_path / "log")) as node, node.connect() as client:
        answers = [client.run("encoder", f"text {number}") for number in range(3)]
        completed = client.complete(*answers)
        assert [answer.checkpoint.size for answer in completed if answer.checkpoint] == [3, 3, 3]
        saved = completed[1].save(tmp_path / "answer")
        policy = write(node.policy, tmp_path / "policy.toml")
        assert (saved / "proof.json").exists()
        assert confide(["receipt", "verify", str(saved), "--policy", str(policy)]) == 0
        strict = write(changed(node.policy, PROOFS), tmp_path / "strict.toml")
        assert confide(["receipt", "verify", str(saved), "--policy", str(strict)]) == 0
        (saved / "proof.json").unlink()
        assert confide(["receipt", "verify", str(saved), "--policy", str(strict)]) == Code.RECEIPT_LOG_REQUIRED.exit
        assert confide(["receipt", "complete", str(saved), "--url", node.url, "--policy", str(policy)]) == 0
        assert confide(["receipt", "verify", str(saved), "--policy", str(strict)]) == 0


def test_a_policy_may_demand_that_every_answer_is_complete() -> None:
    with place() as node, node.connect(policy=changed(node.policy, PROOFS)) as client:
        answer = client.run("encoder", "a doctor")
        assert answer.record.proof is not None
        assert LogProof.parse(answer.record.proof).index == answer.receipt.log_index  # type: ignore[union-attr]


def test_a_log_that_forked_since_the_last_time_is_refused() -> None:
    with place() as node, node.connect() as client:
        (first,) = client.complete(client.run("encoder", "one"))
        assert first.checkpoint is not None
        (log,) = client.core.heads
        client.core.heads[log] = replace(first.checkpoint, root=merkle.leaf_hash(b"another"))
        with pytest.raises(ReceiptError) as caught:
            client.complete(client.run("encoder", "two"))
        assert caught.value.code is Code.LOG_CONSISTENCY


def test_a_proof_of_another_receipt_is_refused() -> None:
    with place() as node, node.connect() as client:
        one, two = client.run("encoder", "one"), client.run("encoder", "two")
        assert one.receipt is not None
        assert two.receipt is not None
        lied = completion.provable(two.record.receipt, one.receipt, one.verdict.keyset)
        with pytest.raises(ConfideError) as caught:
            client.drive(completion.complete_flow(client.core, [lied]))
        assert caught.value.code is Code.LOG_INCLUSION


def test_a_log_that_the_node_does_not_have_is_told() -> None:
    with place() as first, first.connect() as client:
        answer = client.run("encoder", "one")
    with place() as second, second.connect() as client, pytest.raises(ConfideError) as caught:
        client.complete(answer)
    assert caught.value.code is Code.LOG_UNKNOWN


def test_a_receipt_of_an_earlier_boot_is_completed_by_the_next_on_the_same_directory(tmp_path: Path) -> None:
    with place(log_dir=str(tmp_path)) as first, first.connect() as client:
        answer = client.run("encoder", "one")
    with place(log_dir=str(tmp_path)) as second, second.connect() as client:
        (completed,) = client.complete(answer)
    assert completed.checkpoint is not None
    assert completed.checkpoint.closing


def test_an_answer_without_a_receipt_cannot_be_completed() -> None:
    with place() as node, node.connect() as client:
        answer = client.run("encoder", "one")
        with pytest.raises(MisuseError):
            client.complete(replace(answer, receipt=None))


def test_whole_logs_are_judged_from_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with place(log_dir=str(tmp_path / "log")) as node, node.connect() as client:
        policy = write(node.policy, tmp_path / "policy.toml")
        answer = client.run("encoder", "one")
        client.complete(answer)
        assert confide(["log", "verify", str(tmp_path / "log"), "--json"]) == 0
        (live,) = json.loads(capsys.readouterr().out)
        assert (live["ending"], live["receipts"] >= 1, live["policy"]) == ("live", True, False)
    assert confide(["log", "verify", str(tmp_path / "log"), "--policy", str(policy)]) == 0
    assert "closed" in capsys.readouterr().out
    (folder,) = (tmp_path / "log").iterdir()
    leaves = (folder / "leaves").read_bytes()
    (folder / "leaves").write_bytes(leaves[: len(leaves) // 2])
    assert confide(["log", "verify", str(folder), "--json"]) == Code.LOG_MISSING.exit
    assert confide(["log", "verify", str(tmp_path / "none")]) == Code.CLIENT_FILE.exit
