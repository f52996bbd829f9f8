"""When a request is sent again, and when it is given up; in both twins, against a transport that says what a test wants."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from tests.client.nodes import Place, place

import confide
from confide.client import patience
from confide.client.node import prepare
from confide.client.session import utc_now
from confide.client.transport import HttpTransport, Reply, Timeouts
from confide.client.transport_async import AsyncHttpTransport
from confide.codes import Code
from confide.errors import TransportError
from confide.seal import bhttp
from confide.seal.ohttp import OHTTP_RESPONSE, Gateway

PROBLEM = "application/problem+json"
KEY = Reply(422, PROBLEM, json.dumps({"type": "https://iana.org/assignments/http-problem-types#ohttp-key"}).encode())
BUSY = Reply(503, PROBLEM, b'{"code": "node.starting"}')
ABSENT = TransportError(Code.TRANSPORT_UNREACHABLE, found="no connection", wanted="http://node")
BROKEN = TransportError(Code.TRANSPORT_BROKEN, found="ReadError", wanted="a complete answer")
SLOW = TransportError(Code.TRANSPORT_TIMEOUT, found="no answer", wanted="http://node")


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as there:
        yield there


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.002)
    monkeypatch.setattr(patience, "BROKEN_PAUSE", 0.001)


class Moody(HttpTransport):
    """Does what `script` says for each thing that is sent, then what the real node does. `lost`: the node works for nothing."""

    def __init__(self, here: Place, *script: Any) -> None:
        super().__init__(here.url)
        self.script = list(script)
        self.bodies: list[bytes] = []
        self.gets = 0

    def get(self, path: str, *, limit: int) -> Reply:
        self.gets += 1
        return super().get(path, limit=limit)

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        self.bodies.append(body)
        said = self.script.pop(0) if self.script else None
        if said in ("lost", "lost, then busy"):
            super().post(path, body, headers=headers, limit=limit)
            said = BROKEN if said == "lost" else BUSY
        if isinstance(said, Exception):
            raise said
        return said or super().post(path, body, headers=headers, limit=limit)


def run(here: Place, *script: Any, seconds: float = 10.0) -> Moody:
    transport = Moody(here, *script)
    with here.connect(transport=transport, patience=seconds) as node:
        assert node.run("encoder", "a doctor").receipt is not None
    return transport


def fails(
    here: Place, *script: Any, seconds: float = 0.05, call: Callable[[confide.Node], object] | None = None
) -> tuple[Any, Moody]:
    transport = Moody(here, *script)
    with here.connect(transport=transport, patience=seconds) as node, pytest.raises(confide.ConfideError) as caught:
        (call or (lambda node: node.run("encoder", "a doctor")))(node)
    return caught.value, transport


@pytest.mark.parametrize("said", [ABSENT, BUSY, Reply(429, PROBLEM, b""), Reply(502, "text/html", b"")])
def test_a_node_that_is_not_there_or_full_is_waited_for_with_the_same_bytes(here: Place, said: Any) -> None:
    sent = run(here, *[said] * 5).bodies
    assert len(sent) == 6
    assert len(set(sent)) == 1


@pytest.mark.parametrize("said", [ABSENT, BUSY])
def test_patience_ends_and_the_error_says_how_often_it_was_tried(here: Place, said: Any) -> None:
    error, transport = fails(here, *[said] * 10_000)
    assert error.code in {Code.TRANSPORT_UNREACHABLE, Code.TRANSPORT_STATUS}
    assert f"tried {len(transport.bodies)} times" in error.found


def test_no_patience_is_one_try(here: Place) -> None:
    error, transport = fails(here, ABSENT, seconds=0)
    assert error.found == "no connection"
    assert len(transport.bodies) == 1


def test_patience_stays_within_the_timeout(here: Place) -> None:
    transport = Moody(here, *[BUSY] * 10_000)
    with here.connect(transport=transport, patience=3600, timeout=Timeouts(exchange=0.2)) as node, pytest.raises(TransportError):
        node.run("encoder", "a doctor")


@pytest.mark.parametrize("said", [SLOW, Reply(500, PROBLEM, b""), Reply(404, "text/html", b"")])
def test_what_waiting_does_not_mend_is_not_waited_for(here: Place, said: Any) -> None:
    _, transport = fails(here, said)
    assert len(transport.bodies) == 1


def test_a_lost_answer_is_asked_for_once_more_sealed_anew(here: Place) -> None:
    sent = run(here, "lost").bodies
    assert len(set(sent)) == len(sent) == 2


def test_a_second_lost_answer_is_an_error(here: Place) -> None:
    error, transport = fails(here, "lost", "lost")
    assert error.code is Code.TRANSPORT_BROKEN
    assert len(transport.bodies) == 2


def test_a_node_that_had_opened_the_request_says_so_and_it_is_sealed_anew_once(here: Place) -> None:
    sent = run(here, "lost, then busy").bodies
    assert sent[0] == sent[1] != sent[2]
    assert len(sent) == 3


def test_an_unknown_key_is_attested_anew_once(here: Place) -> None:
    transport = run(here, KEY)
    assert (transport.gets, len(transport.bodies)) == (2, 2)
    error, transport = fails(here, KEY, KEY, KEY)
    assert error.code is Code.CLIENT_KEY_CHANGED
    assert (transport.gets, len(transport.bodies)) == (2, 2)


def test_a_restart_is_waited_for_and_attested_anew(here: Place) -> None:
    transport = run(here, "lost", ABSENT, ABSENT, BUSY, KEY)
    assert transport.gets == 3 - 1
    assert len(transport.bodies) == 6


def asks(method: str, path: str, headers: Sequence[tuple[str, str]] = (), **more: Any) -> Callable[[confide.Node], object]:
    return lambda node: node.request(method, path, headers, **more)


@pytest.mark.parametrize("said", ["lost", KEY, "lost, then busy"])
def test_what_may_have_had_an_effect_is_not_repeated(here: Place, said: Any) -> None:
    """A lost answer, and claims that anybody on the way can make."""
    _, transport = fails(here, said, call=asks("POST", "/v1/elsewhere"))
    assert len(set(transport.bodies)) == 1


@pytest.mark.parametrize("said", ["lost", KEY])
@pytest.mark.parametrize(
    "call",
    [
        asks("GET", "/v1/models"),
        asks("PUT", "/v1/elsewhere"),
        asks("DELETE", "/v1/elsewhere"),
        asks("POST", "/v1/elsewhere", [("Idempotency-Key", "a")]),
        asks("POST", "/v1/elsewhere", repeatable=True),
        asks("POST", "/v1/embeddings", [("content-type", "application/json")], content=b"{}"),
    ],
)
def test_what_does_no_harm_twice_is_repeated(here: Place, said: Any, call: Callable[[confide.Node], object]) -> None:
    transport = Moody(here, said)
    with here.connect(transport=transport) as node:
        call(node)
    assert len(set(transport.bodies)) == 2


def test_a_get_may_be_declared_not_repeatable(here: Place) -> None:
    _, transport = fails(here, "lost", call=asks("GET", "/v1/models", repeatable=False))
    assert len(transport.bodies) == 1


class Refusing(Moody):
    """Says inside the seal, `times` times, that it does nothing now."""

    def __init__(self, here: Place, code: str, *, status: int, times: int) -> None:
        super().__init__(here)
        node = here.node.node
        assert node is not None
        self.gateway, self.code, self.status, self.times = Gateway(node.key_store), code, status, times

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        if self.times == 0:
            return super().post(path, body, headers=headers, limit=limit)
        self.times -= 1
        self.bodies.append(body)
        opened = self.gateway.open(body)
        content = json.dumps({"error": {"code": self.code}}).encode()
        return Reply(200, OHTTP_RESPONSE, opened.sealer.seal(bhttp.encode_response(bhttp.Response(self.status, (), content))))


@pytest.mark.parametrize(
    ("code", "gets"), [("engine.busy", 1), ("node.busy", 1), ("node.draining", 1), ("ohttp.replay_store_full", 4)]
)
def test_a_refusal_inside_that_will_pass_is_waited_for_sealed_anew(here: Place, code: str, gets: int) -> None:
    transport = Refusing(here, code, status=503, times=3)
    with here.connect(transport=transport, patience=10) as node:
        assert node.run("encoder", "a doctor").receipt is not None
        assert node.request("POST", "/v1/elsewhere").status == 404
    assert len(set(transport.bodies)) == 5
    assert transport.gets == gets


def test_it_is_the_nodes_error_when_patience_is_over(here: Place) -> None:
    busy = Refusing(here, "engine.busy", status=429, times=10_000)
    with here.connect(transport=busy, patience=0.05) as node, pytest.raises(confide.RemoteError) as caught:
        node.run("encoder", "a doctor")
    assert caught.value.code is Code.ENGINE_BUSY


@pytest.mark.parametrize("code", ["owner.quota", "engine.worker_died", "node.unknown_model", "teapot", "ohttp.replayed"])
def test_other_refusals_are_final(here: Place, code: str) -> None:
    transport = Refusing(here, code, status=429, times=10)
    with here.connect(transport=transport, patience=10) as node, pytest.raises(confide.RemoteError):
        node.run("encoder", "a doctor")
    assert len(transport.bodies) == 1


def test_verification_waits_for_a_node_that_starts(here: Place) -> None:
    class Starting(Moody):
        def get(self, path: str, *, limit: int) -> Reply:
            if self.script:
                self.gets += 1
                said = self.script.pop(0)
                if isinstance(said, Exception):
                    raise said
                return said  # type: ignore[no-any-return]
            return super().get(path, limit=limit)

    transport = Starting(here, ABSENT, BUSY, BROKEN, BUSY)
    with here.connect(transport=transport, patience=10):
        assert transport.gets == 5
    for said in (BUSY, ABSENT):
        with pytest.raises(TransportError) as caught:
            here.connect(transport=Starting(here, *[said] * 10_000), patience=0.05)
        assert "tried" in caught.value.found


def test_one_refusal_of_many_waiters_is_enough(here: Place) -> None:
    """A crowd that waits for one verification has its failure; each does not ask a bad node by itself."""

    class Bad(AsyncHttpTransport):
        gets = 0

        async def get(self, path: str, *, limit: int) -> Reply:  # noqa: ARG002
            self.gets += 1
            await asyncio.sleep(0.01)
            return Reply(404, "text/html", b"")

    async def crowd() -> int:
        bad = Bad(here.url)
        core = prepare(here.policy, asyncio.Lock(), timeout=5.0, patience=0.0, state=None, now=utc_now)
        node = confide.AsyncNode(bad, core)
        ended = await asyncio.gather(*(node.run("encoder", "a") for _ in range(20)), return_exceptions=True)
        assert all(isinstance(error, TransportError) for error in ended)
        first = bad.gets
        with pytest.raises(TransportError):
            await node.attest()
        assert bad.gets == first + 1
        return first

    assert asyncio.run(crowd()) == 1
