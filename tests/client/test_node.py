"""`connect` and `Node` against a real node: what is sent, what is kept, when it verifies again, and what it never hands out."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.client.nodes import Place, Recorder, changed, place, write

import confide
from confide.client import saved
from confide.client.transport import HttpTransport, Reply
from confide.codes import Code

KEY_PROBLEM = json.dumps({"type": "https://iana.org/assignments/http-problem-types#ohttp-key", "title": "x"}).encode()


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as there:
        yield there


@pytest.fixture
def recorder(here: Place) -> Iterator[Recorder]:
    transport = Recorder(HttpTransport(here.url))
    yield transport
    transport.close()


def test_an_answer_has_a_value_a_receipt_a_verdict_and_times(here: Place) -> None:
    with here.connect() as node:
        answer = node.run("encoder", ["a doctor", "a physician"])
    assert len(answer.embeddings) == 2
    assert answer.receipt is not None
    assert answer.receipt.model is not None
    assert answer.receipt.model.package.hex() == answer.digest
    assert answer.verdict.simulated
    assert answer.timing.verify > 0
    assert set(answer.timing.node) == {"queue", "pre", "core", "post"}
    assert 0 < sum(answer.timing.node.values()) < answer.timing.network


def test_a_text_that_was_cut_is_marked(here: Place) -> None:
    with here.connect() as node:
        answer = node.run("encoder", ["a doctor", "a " * 40, "a " * 16])
        assert answer.tokens == (2, 16, 16)
        assert answer.truncated == (False, True, False)
        assert node.run("mood", "good " * 17).truncated == (True,)


def test_a_simulated_node_passes_where_revocation_lists_must_be_of_today(here: Place) -> None:
    policy = changed(here.policy, ("[models]\n", '[require]\nmax_crl_age = "24h"\n\n[models]\n'))
    with here.connect(policy=policy) as node:
        left = node.verdict.expires - datetime.now(UTC)
        assert timedelta(0) < left < timedelta(hours=24)
    with pytest.raises(confide.CollateralError):
        here.connect(policy=policy, now=lambda: datetime.now(UTC) + timedelta(hours=24))


def test_one_text_is_a_list_of_one(here: Place) -> None:
    with here.connect() as node:
        answer = node.run("mood", "good")
    assert [label.label for label in answer.labels] == [answer.ranked[0][0].label]
    assert abs(sum(label.score for label in answer.ranked[0]) - 1) < 1e-5


def test_the_same_question_gives_the_same_vector(here: Place) -> None:
    with here.connect() as node:
        one, two = node.run("encoder", "a doctor"), node.run("encoder", "a doctor")
    assert one.value == two.value
    assert one.receipt is not None
    assert two.receipt is not None
    assert two.receipt.log_index == one.receipt.log_index + 1


def test_models_are_listed_with_their_digests(here: Place) -> None:
    with here.connect() as node:
        listed = {model.id: model.digest for model in node.models()}
        assert listed == {alias: digest.hex() for alias, digest in node.verdict.keyset.models.items()}


def test_many_questions_need_one_verification(here: Place, recorder: Recorder) -> None:
    with here.connect(transport=recorder) as node:
        for _ in range(3):
            node.run("encoder", "a doctor")
    assert len(recorder.gets) == 1
    assert len(recorder.bodies) == 3
    assert len(set(recorder.bodies)) == 3


def test_each_verification_has_a_nonce_of_its_own(here: Place, recorder: Recorder) -> None:
    for _ in range(2):
        confide.connect(here.url, policy=here.policy, state=None, transport=recorder)
    assert len(recorder.gets) == len(set(recorder.gets)) == 2


def test_an_expired_verdict_is_never_used(here: Place, recorder: Recorder) -> None:
    clock = [datetime.now(UTC)]
    short = changed(here.policy, (_expiry(here), (clock[0] + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")))
    node = here.connect(policy=short, transport=recorder, now=lambda: clock[0])
    clock[0] += timedelta(seconds=61)
    with pytest.raises(confide.PolicyError) as caught:
        node.run("encoder", "a doctor")
    assert caught.value.code is Code.POLICY_EXPIRED
    assert recorder.bodies == []


def test_a_key_that_the_node_forgot_is_asked_for_again_once(here: Place, recorder: Recorder) -> None:
    with here.connect(transport=recorder) as node:
        recorder.replies = [Reply(422, "application/problem+json", KEY_PROBLEM)]
        assert node.run("encoder", "a doctor").receipt is not None
    assert len(recorder.gets) == 2
    assert len(recorder.bodies) == 2
    assert recorder.bodies[0] != recorder.bodies[1]


def test_a_node_whose_keys_expired_is_verified_anew_and_the_reason_is_the_keysets(
    here: Place, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = here.node.node
    assert served is not None
    monkeypatch.setattr(served.app, "_standing", lambda: Code.NODE_EXPIRED)  # its clock is a little ahead of the client's
    expired = served.keyset.not_after

    def now() -> datetime:
        return expired if recorder.bodies else datetime.now(UTC)

    with here.connect(transport=recorder, now=now) as node, pytest.raises(confide.EvidenceError) as caught:
        node.run("mood", "good")
    assert caught.value.code is Code.VERDICT_KEYSET_EXPIRED
    assert (len(recorder.gets), len(recorder.bodies)) == (2, 1)


def test_a_node_that_keeps_refusing_its_own_key_is_given_up(here: Place, recorder: Recorder) -> None:
    with here.connect(transport=recorder) as node:
        recorder.replies = [Reply(422, "application/problem+json", KEY_PROBLEM)] * 3
        with pytest.raises(confide.ChannelError) as caught:
            node.run("encoder", "a doctor")
    assert caught.value.code is Code.CLIENT_KEY_CHANGED
    assert len(recorder.bodies) == 2


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(200, "application/json", b'{"outputs": [[1.0]]}'), Code.CLIENT_NOT_SEALED),
        (Reply(204, "", b""), Code.CLIENT_NOT_SEALED),
        (Reply(200, "message/ohttp-res", b""), Code.OHTTP_TRUNCATED),
        (Reply(200, "message/ohttp-res", bytes(100)), Code.OHTTP_RESPONSE),
        (Reply(302, "text/html", b""), Code.TRANSPORT_STATUS),
        (Reply(404, "text/html", b"not here"), Code.TRANSPORT_STATUS),
        (Reply(422, "application/problem+json", b"{"), Code.TRANSPORT_STATUS),
        (Reply(422, "application/problem+json", b'{"type": "about:blank"}'), Code.TRANSPORT_STATUS),
        (Reply(503, "application/problem+json", b'{"code": "node.busy"}'), Code.TRANSPORT_STATUS),
    ],
)
def test_what_does_not_come_out_of_the_seal_is_no_answer(here: Place, recorder: Recorder, reply: Reply, code: Code) -> None:
    with here.connect(transport=recorder) as node:
        recorder.replies = [reply]
        with pytest.raises(confide.ConfideError) as caught:
            node.run("encoder", "a doctor")
    assert caught.value.code is code
    assert "not here" not in str(caught.value)


def test_a_busy_node_is_named_by_its_code(here: Place, recorder: Recorder) -> None:
    with here.connect(transport=recorder) as node:
        recorder.replies = [Reply(503, "application/problem+json", b'{"code": "node.busy", "title": "\\u001b[2J"}')]
        with pytest.raises(confide.TransportError) as caught:
            node.run("encoder", "a doctor")
    assert caught.value.found == "HTTP 503, node.busy"
    assert "wait" in caught.value.hint


def test_a_refusal_of_the_node_arrives_with_its_code(here: Place) -> None:
    with here.connect() as node, pytest.raises(confide.RemoteError) as caught:
        node.run("encoder", "a doctor", no_such_parameter=1)
    assert caught.value.code is Code.ENGINE_PARAMETER


def test_a_model_outside_the_policy_is_refused_before_anything_is_sent(here: Place, recorder: Recorder) -> None:
    with here.connect(transport=recorder) as node, pytest.raises(confide.PolicyError) as caught:
        node.run("other", "a doctor")
    assert caught.value.code is Code.CLIENT_MODEL
    assert recorder.bodies == []


def test_a_model_that_the_node_does_not_hold_is_refused_by_the_node(here: Place) -> None:
    more = changed(here.policy, ("[models]\n", f'[models]\nlater = ["{"ab" * 32}"]\n'))
    with here.connect(policy=more) as node, pytest.raises(confide.RemoteError) as caught:
        node.run("later", "a doctor")
    assert caught.value.code is Code.NODE_UNKNOWN_MODEL


def test_a_policy_that_wants_another_model_refuses_the_node(here: Place, recorder: Recorder) -> None:
    digest = here.policy.models["encoder"][0].hex()
    with pytest.raises(confide.ConfideError):
        here.connect(policy=changed(here.policy, (digest, "ab" * 32)), transport=recorder)
    assert recorder.bodies == []


@pytest.mark.parametrize("inputs", [[], [1], [""] * 0, ["\ud800"]])
def test_inputs_that_are_no_text_are_misuse(here: Place, recorder: Recorder, inputs: list[str]) -> None:
    with here.connect(transport=recorder) as node, pytest.raises(confide.MisuseError) as caught:
        node.run("encoder", inputs)
    assert caught.value.code is Code.CLIENT_INPUT
    assert recorder.bodies == []


@pytest.mark.parametrize("value", [float("nan"), [1], {"a": 1}, b"x"])
def test_parameters_that_are_no_scalars_are_misuse(here: Place, value: object) -> None:
    with here.connect() as node, pytest.raises(confide.MisuseError) as caught:
        node.run("encoder", "a doctor", weight=value)  # type: ignore[arg-type]
    assert caught.value.code is Code.CLIENT_INPUT


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "a?b", "ü", "x" * 200])
def test_names_that_are_no_path_segment_are_misuse(here: Place, recorder: Recorder, name: str) -> None:
    with here.connect(transport=recorder) as node, pytest.raises(confide.MisuseError):
        node.run(name, "a doctor")
    assert recorder.bodies == []


def test_a_closed_node_is_not_asked(here: Place, recorder: Recorder) -> None:
    node = here.connect(transport=recorder)
    node.close()
    with pytest.raises(confide.MisuseError) as caught:
        node.run("encoder", "a doctor")
    assert caught.value.code is Code.CLIENT_CLOSED


def test_simulated_evidence_under_a_production_policy_sends_nothing(here: Place, recorder: Recorder) -> None:
    production = changed(here.policy, ("unsafe_accept_simulated = true\n", ""))
    with pytest.raises(confide.ConfideError) as caught:
        here.connect(policy=production, transport=recorder)
    assert caught.value.code is Code.X509_ROOT
    assert recorder.bodies == []


def test_a_saved_answer_verifies_without_the_node(here: Place, tmp_path: Path) -> None:
    with here.connect() as node:
        folder = node.run("encoder", "a doctor").save(tmp_path / "kept")
    verdict = saved.verify(saved.find(folder), here.policy)
    assert verdict.receipt.model is not None
    assert verdict.receipt.model.alias == "encoder"


def test_the_rollback_state_is_kept_and_an_older_policy_refused(here: Place, tmp_path: Path) -> None:
    newer = changed(here.policy, ("serial = 1\n", "serial = 2\n"))
    state = tmp_path / "state.json"
    here.connect(policy=write(newer, tmp_path / "newer.toml"), state=state).close()
    with pytest.raises(confide.PolicyError) as caught:
        here.connect(policy=write(here.policy, tmp_path / "older.toml"), state=str(state))
    assert caught.value.code is Code.POLICY_ROLLBACK


def test_only_a_list_of_names_is_public() -> None:
    assert sorted(confide.__all__) == dir(confide)
    assert all(hasattr(confide, name) for name in confide.__all__)
    assert set(confide.__all__) == {
        *("Answer", "Label", "Node", "Timing", "Timeouts", "connect", "similarity", "Code", "__version__"),
        *("AsyncNode", "connect_async", "Item", "transport", "async_transport"),
        *("ConfideError", "MisuseError", "EvidenceError", "CollateralError", "PolicyError", "ChannelError"),
        *("ReceiptError", "PackageError", "EngineError", "RemoteError", "TransportError"),
    }
    with pytest.raises(AttributeError):
        confide.verify_nothing  # noqa: B018


def _expiry(here: Place) -> str:
    return next(line.partition(" = ")[2] for line in here.policy.raw.decode().splitlines() if line.startswith("expires"))
