"""The main job, whole, as a stranger does it: serve, look, trust, verify, ask, prove, with commands and with the library.

Runs against whatever `confide` is installed: it imports the public package and test helpers only.
"""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.nodes import Serving, confide, serving
from tests.server.running import packages
from tests.support_models import minilm_package, triage_package

import confide as sdk


@pytest.fixture(scope="module")
def node() -> Iterator[Serving]:
    """Two tiny models."""
    tiny = packages()
    with serving("--alias", f"encoder={tiny['encoder']}", tiny["mood"]) as running:
        yield running


@pytest.fixture(scope="module")
def policy(node: Serving, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `confide trust` writes, once the digest that it shows is accepted."""
    path = tmp_path_factory.mktemp("trust") / "policy.toml"
    trust = ("trust", node.url, "-o", path, "--unsafe-accept-simulated", "--json")
    asked = confide(*trust)
    assert asked.returncode == 5, asked
    assert not path.exists()
    digest = asked.stderr.rsplit("--accept-digest ", 1)[1].split()[0]
    accepted = confide(*trust, "--accept-digest", digest)
    assert accepted.returncode == 0, accepted
    assert json.loads(accepted.stdout) == {"policy": str(path), "digest": digest, "simulated": True}
    assert 'origin = "first-use"' in path.read_text()
    return path


def test_the_library_goes_from_connect_to_a_proven_answer(node: Serving, policy: Path, tmp_path: Path) -> None:
    with sdk.connect(node.url, policy=policy, state=tmp_path / "state.json") as there:
        answer = there.run("encoder", ["a doctor", "a physician", "stock market"])
    assert len(answer.value) == 3
    assert -1 <= sdk.similarity(answer.embeddings[0], answer.embeddings[1]) <= 1
    assert answer.receipt is not None
    assert answer.verdict.simulated
    assert answer.timing.total > 0
    answer.save(tmp_path / "kept")
    proved = confide("receipt", "verify", tmp_path / "kept", "--policy", policy)
    assert proved.returncode == 0, proved
    assert "SIMULATED" in proved.stdout
    assert answer.digest in proved.stdout


def test_the_commands_go_from_verify_to_a_proven_answer(node: Serving, policy: Path, tmp_path: Path) -> None:
    state, bundle, kept = tmp_path / "state.json", tmp_path / "bundle.json", tmp_path / "kept"
    verified = confide("verify", node.url, "--policy", policy, "--state", state, "--save", bundle)
    assert verified.returncode == 0, verified
    assert "SIMULATED" in verified.stdout
    assert "NOT CHECKED" in verified.stdout
    ran = confide("run", node.url, "mood", "--stdin", "--policy", policy, "--state", state, "--save", kept, stdin="good")
    assert ran.returncode == 0, ran
    assert "SIMULATED" in ran.stdout
    assert "receipt  checked" in ran.stdout
    offline = confide("verify", bundle, "--offline", "--policy", policy, "--json")
    assert offline.returncode == 0, offline
    assert json.loads(offline.stdout)["historic"] is True
    one_by_one = ("--bundle", kept / "bundle.json", "--request", kept / "request.bhttp", "--response", kept / "response.bhttp")
    proved = confide(
        "receipt", "verify", kept / "receipt.json", *one_by_one, "--salts", kept / "salts.json", "-p", policy, "--json"
    )
    assert proved.returncode == 0, proved
    assert json.loads(proved.stdout)["receipt"]["model"]["alias"] == "mood"


def test_a_receipt_does_not_pass_for_another_question(node: Serving, policy: Path, tmp_path: Path) -> None:
    for name, text in (("one", "good"), ("two", "bad")):
        ran = confide("run", node.url, "mood", "--text", text, "-p", policy, "--state", tmp_path / "s", "--save", tmp_path / name)
        assert ran.returncode == 0, ran
    (tmp_path / "one" / "request.bhttp").write_bytes((tmp_path / "two" / "request.bhttp").read_bytes())
    refused = confide("receipt", "verify", tmp_path / "one", "-p", policy)
    assert refused.returncode == 8
    assert "receipt.request" in refused.stderr
    assert refused.stdout == ""


def test_another_model_under_the_name_that_was_trusted_is_refused(node: Serving, policy: Path, tmp_path: Path) -> None:
    with serving("--alias", f"encoder={packages()['mood']}", "--alias", f"mood={packages()['mood']}") as other:
        refused = confide("run", other.url, "encoder", "--text", "good", "-p", policy, "--state", tmp_path / "s")
    assert refused.returncode == 5, refused
    assert refused.stdout == ""


def test_a_session_outlives_a_restart_of_the_node(policy: Path, tmp_path: Path) -> None:
    """New boot, new keys, same software, configuration and models: verified again by the same policy, asked again once."""
    words = ("--alias", f"encoder={packages()['encoder']}", packages()["mood"])
    with serving(*words) as first:
        there = sdk.connect(first.url, policy=policy, state=tmp_path / "state.json")
        before = there.run("encoder", "a doctor")
        assert first.stop()[0] == 0
    with serving(*words, port=int(first.url.rsplit(":", 1)[1])) as second:
        after = there.run("encoder", "a doctor")
        there.close()
        assert second.stop(signal.SIGINT)[0] == 0
    assert after.value == before.value
    assert after.verdict.keyset.digest != before.verdict.keyset.digest


def test_a_node_says_what_it_is_and_stops_when_told(policy: Path) -> None:
    with serving(packages()["mood"]) as running:
        code, said = running.stop(signal.SIGINT)
    assert code == 0
    assert "SIMULATED" in said
    assert f"confide trust {running.url}" in said
    assert "Traceback" not in said


@pytest.mark.real_model
def test_the_real_models_do_what_they_are_for(tmp_path: Path) -> None:
    with serving(minilm_package(), triage_package()) as real:
        path = tmp_path / "policy.toml"
        asked = confide("trust", real.url, "-o", path, "--unsafe-accept-simulated")
        digest = asked.stderr.rsplit("--accept-digest ", 1)[1].split()[0]
        assert confide("trust", real.url, "-o", path, "--unsafe-accept-simulated", "--accept-digest", digest).returncode == 0
        with sdk.connect(real.url, policy=path, state=None) as there:
            doctor, physician, market = there.run("minilm", ["a doctor", "a physician", "the stock market"]).embeddings
            assert sdk.similarity(doctor, physician) > 0.8
            assert sdk.similarity(doctor, market) < 0.3
            labels = there.run("triage", ["My chest hurts and I cannot breathe properly.", "Can I move my appointment?"]).labels
            assert labels[0].label != labels[1].label
