"""Outer routes: a closed list, coarse errors, bounds on what is read, and admission before reading."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.server.running import Inside, config, until, with_node

from confide.attest.document import parse_document
from confide.codes import Code
from confide.formats import merkle
from confide.guest.tee import Quote
from confide.seal import bhttp, ohttp
from confide.seal.keyconfig import parse_key_config, parse_key_configs
from confide.seal.problems import PROBLEM_KEY
from confide.server.config import Limits
from confide.server.node import running_node
from confide.server.outer import OuterApp
from confide.server.problems import STATUS

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "routes.md"
EVIDENCE = "/.well-known/confide/evidence"
MODELS = bhttp.encode_request(bhttp.Request(b"GET", b"https", ohttp.INNER_AUTHORITY, b"/v1/models"))
GETS = ["/healthz", "/readyz", EVIDENCE, "/.well-known/ohttp-gateway"]


def problem(reply: httpx.Response, status: int, code: str) -> None:
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json"), reply.text
    assert reply.json()["code"] == code
    assert (reply.json()["type"] == PROBLEM_KEY) == (code == "ohttp.decapsulation")
    assert set(reply.json()) == {"type", "title", "status", "code"}


def test_the_closed_list_answers() -> None:
    async def test(node: Inside) -> None:
        for path in GETS:
            reply = await node.http.get(path)
            assert reply.status_code == 200, path
            assert reply.headers["cache-control"] == "no-store"

    with_node(test)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/models",
        "/docs",
        "/metrics",
        "/healthz/",
        "/HEALTHZ",
        "//healthz",
        "/ohttp/",
        "/.well-known/confide",
        "/%2e%2e/healthz",
    ],
)
def test_everything_else_is_not_there(path: str) -> None:
    async def test(node: Inside) -> None:
        for method in ("GET", "POST"):
            problem(await node.http.request(method, path), 404, "node.route")

    with_node(test)


def test_other_methods_are_refused() -> None:
    async def test(node: Inside) -> None:
        for path in GETS:
            for method in ("POST", "PUT", "HEAD", "OPTIONS", "DELETE"):
                assert (await node.http.request(method, path)).status_code == 405
        problem(await node.http.get("/ohttp"), 405, "node.method")

    with_node(test)


def test_evidence_without_a_nonce_is_cached_and_with_one_is_over_it() -> None:
    async def test(node: Inside) -> None:
        first, second = await node.http.get(EVIDENCE), await node.http.get(EVIDENCE)
        assert first.content == second.content
        assert first.headers["content-type"] == "application/confide-evidence+json"
        assert parse_document(first.content).nonce_path is None
        nonce = bytes(range(32))
        document = parse_document((await node.http.get(f"{EVIDENCE}?nonce={nonce.hex()}")).content)
        assert document.nonce_path is not None
        assert document.keyset == node.node.keyset
        at = document.nonce_path
        merkle.verify_inclusion(merkle.leaf_hash(nonce), index=at.index, size=at.size, path=at.path, root=document.nonces)

    with_node(test)


@pytest.mark.parametrize(
    "query",
    ["nonce=", "nonce=00", "nonce=" + "0" * 63, "nonce=" + "0" * 65, "nonce=" + "A" * 64, "nonce=" + "0" * 64 + "&x=1", "x=1",
     "nonce=" + "0" * 64 + "&nonce=" + "1" * 64, "nonce=" + "%30" * 64, "keyset=" + "0" * 63, "nonce=" + "0" * 64 + "%0a"],
)  # fmt: skip
def test_another_query_is_refused(query: str) -> None:
    async def test(node: Inside) -> None:
        problem(await node.http.get(f"{EVIDENCE}?{query}"), 400, "node.bad_request")
        problem(await node.http.get(f"{EVIDENCE}?nonce={'0' * 64}"), 400, "guest.nonce")

    with_node(test)


def test_the_key_list_is_the_keysets_post_quantum_first() -> None:
    async def test(node: Inside) -> None:
        reply = await node.http.get("/.well-known/ohttp-gateway")
        assert reply.headers["content-type"] == "application/ohttp-keys"
        configs = parse_key_configs(reply.content)
        assert [config.raw for config in configs] == [key.config for key in node.node.keyset.ohttp_keys]
        assert configs[0].kem.post_quantum

    with_node(test)


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "application/json",
        "message/ohttp-res",
        "message/ohttp-req; charset=x",
        "message/ohttp-req, message/ohttp-req",
        "message/bhttp",
    ],
)
def test_only_the_two_media_types_are_taken(kind: str) -> None:
    async def test(node: Inside) -> None:
        problem(await node.post(ohttp.seal_request(node.key, MODELS).body, kind=kind), 415, "node.media_type")

    with_node(test)


def test_a_media_type_is_compared_without_case_and_a_second_one_refused() -> None:
    async def test(node: Inside) -> None:
        body = ohttp.seal_request(node.key, MODELS).body
        assert (await node.post(body, kind="Message/OHTTP-Req")).status_code == 200
        twice = [("content-type", ohttp.OHTTP_REQUEST), ("content-type", ohttp.OHTTP_REQUEST)]
        problem(await node.http.post("/ohttp", content=body, headers=twice), 400, "node.bad_request")

    with_node(test)


def test_a_body_over_the_limit_is_refused_declared_or_not() -> None:
    async def many(size: int) -> AsyncGenerator[bytes, None]:
        for _ in range(size // 1024):
            yield bytes(1024)

    async def test(node: Inside) -> None:
        problem(await node.post(bytes(4097)), 413, "node.too_large")
        assert (await node.post(bytes(4096))).status_code == 422
        headers = {"content-type": ohttp.OHTTP_REQUEST}
        problem(await node.http.post("/ohttp", content=many(8192), headers=headers), 413, "node.too_large")
        lies = await call(node.node.app, [b"x"], [(b"content-length", b"9" * 18)])
        assert lies[0] == 413
        for bad in (b"-1", b"1e3", b"0x10", b"9" * 19, b""):
            assert (await call(node.node.app, [b"x"], [(b"content-length", bad)]))[0] == 400

    with_node(test, limits__request_bytes=4096)


async def call(app: Any, parts: list[bytes | float], headers: list[tuple[bytes, bytes]], *, whole: bool = False) -> tuple[int, int]:
    """POST /ohttp with a body in parts; a number is a pause, the end of the list a client that left, unless the body is `whole`.

    Returns status and parts read.
    """
    sent: list[Any] = []
    waiting = list(parts)

    async def receive() -> dict[str, Any]:
        if not waiting:
            return {"type": "http.disconnect"}
        part = waiting.pop(0)
        if isinstance(part, float):
            await asyncio.sleep(part)
            return {"type": "http.request", "body": b"", "more_body": True}
        return {"type": "http.request", "body": part, "more_body": bool(waiting) or not whole}

    async def send(message: Any) -> None:
        sent.append(message)

    kind = (b"content-type", b"message/ohttp-req")
    scope = {"type": "http", "method": "POST", "path": "/ohttp", "query_string": b"", "headers": [kind, *headers]}
    await app(scope, receive, send)
    return sent[0]["status"], len(parts) - len(waiting)


def test_a_slow_body_and_a_client_that_left_are_refused() -> None:
    async def test(node: Inside) -> None:
        assert (await call(node.node.app, [b"x", 5.0, b"y"], []))[0] == 408
        assert (await call(node.node.app, [b"x"], []))[0] == 400
        assert (await call(node.node.app, [], []))[0] == 400
        assert node.node.app.in_flight == 0

    with_node(test, limits__read_ms=50)


def test_more_requests_than_admitted_are_refused_before_their_bodies_are_read() -> None:
    async def test(node: Inside) -> None:
        goes_on = asyncio.Event()

        async def slow(_: bytes) -> bytes:
            await goes_on.wait()
            return b""

        sealed = node.node.app._sealed
        assert sealed is not None
        node.node.app._sealed.answer, quick = slow, sealed.answer  # type: ignore[union-attr,method-assign] # no model is slow enough
        running = [asyncio.create_task(node.post(b"x")) for _ in range(2)]
        await until(lambda: node.node.app.in_flight == 2)
        assert await call(node.node.app, [b"x"], []) == (429, 0)
        reply = await node.post(b"x")
        problem(reply, 429, "node.busy")
        assert reply.headers["retry-after"] == "1"
        goes_on.set()
        await asyncio.gather(*running)
        sealed.answer = quick  # type: ignore[method-assign]
        assert (await node.ask("GET", "/v1/models")).status == 200

    with_node(test, limits__in_flight=2)


def test_slow_senders_do_not_take_the_places_of_others() -> None:
    async def test(node: Inside) -> None:
        slow = [asyncio.create_task(call(node.node.app, [b"x", 0.5], [])) for _ in range(50)]
        await asyncio.sleep(0.05)
        assert (await node.ask("GET", "/v1/models")).status == 200
        assert {status for status, _ in await asyncio.gather(*slow)} == {400}

    with_node(test, limits__in_flight=2)


def test_what_slow_senders_have_sent_is_bounded_together_and_given_back() -> None:
    async def test(node: Inside) -> None:
        held = [asyncio.create_task(call(node.node.app, [bytes(1000), 0.2], [])) for _ in range(4)]
        await asyncio.sleep(0.05)
        assert (await call(node.node.app, [bytes(1000), b"x"], []))[0] == 429
        sealed = ohttp.seal_request(node.key, MODELS).body
        assert (await call(node.node.app, [sealed], [], whole=True))[0] == 200  # whole at once: it needs no room
        assert {status for status, _ in await asyncio.gather(*held)} == {400}
        assert (await call(node.node.app, [bytes(1000), b"x"], []))[0] == 400

    with_node(test, limits__in_flight=2, limits__request_bytes=2048)


def test_a_node_that_drains_while_a_body_arrives_does_not_take_it() -> None:
    async def test(node: Inside) -> None:
        arriving = asyncio.create_task(call(node.node.app, [b"x", 0.1, b"y"], [], whole=True))
        await asyncio.sleep(0.03)
        node.node.app.drain()
        assert (await arriving)[0] == 503

    with_node(test)


def test_keys_that_ended_serve_nobody_until_there_are_new_ones(caplog: pytest.LogCaptureFixture) -> None:
    class Clock:
        now = datetime.now(UTC)

    async def run() -> None:
        async with running_node(config(), now=lambda: Clock.now) as running:
            node = Inside(running)
            async with node.http:
                await expire(node)

    async def expire(node: Inside) -> None:
        sealed, epoch = ohttp.seal_request(node.key, MODELS).body, node.node.epochs.live[0]
        device, works = node.node.epochs.quoter.machine.tee, node.node.epochs.quoter.machine.tee.quote
        device.quote = broken  # type: ignore[method-assign]
        Clock.now = epoch.ends - timedelta(seconds=1)
        assert (await node.ask("GET", "/v1/models")).status == 200
        problem(await node.http.get("/readyz"), 503, "node.rotation")
        Clock.now = epoch.ends
        for kind in (ohttp.OHTTP_REQUEST, "message/ohttp-chunked-req"):
            problem(await node.post(sealed, kind=kind), 422, "ohttp.decapsulation")
        for path in ("/readyz", "/.well-known/ohttp-gateway", EVIDENCE):
            problem(await node.http.get(path), 503, "node.expired")
        assert (await node.http.get("/healthz")).status_code == 200
        assert node.node.key_store.configs == ()
        await until(lambda: node.node.epochs._failures > 0)
        device.quote = works  # type: ignore[method-assign]
        await until(lambda: node.node.app._standing() is None)
        assert (await node.http.get("/readyz")).status_code == 200
        assert (await node.ask("GET", "/v1/models")).status == 200
        problem(await node.post(sealed), 422, "ohttp.decapsulation")
        Clock.now -= timedelta(minutes=1)
        problem(await node.post(sealed), 422, "ohttp.decapsulation")

    asyncio.run(run())
    assert "no new keys: guest.quote" in caplog.text


def broken(report_data: bytes) -> Quote:
    raise OSError(5, "Input/output error")


def test_a_body_that_comes_after_the_keys_expired_is_refused() -> None:
    async def test(node: Inside) -> None:
        arriving = asyncio.create_task(call(node.node.app, [b"x", 0.1, b"y"], [], whole=True))
        await asyncio.sleep(0.03)
        node.node.app._standing = lambda: Code.NODE_EXPIRED
        assert (await arriving)[0] == 422

    with_node(test)


def test_a_node_whose_key_takes_no_more_requests_is_not_ready_until_new_keys_come() -> None:
    async def test(node: Inside) -> None:
        device, works = node.node.epochs.quoter.machine.tee, node.node.epochs.quoter.machine.tee.quote
        device.quote = broken  # type: ignore[method-assign]
        other = parse_key_config(node.node.keyset.ohttp_keys[1].config)
        assert (await node.http.get("/readyz")).status_code == 200
        await node.ask("GET", "/v1/models")
        problem(await node.http.get("/readyz"), 503, "node.spent")
        assert (await node.ask("GET", "/v1/models", key=other)).status == 200  # the other key goes on
        device.quote = works  # type: ignore[method-assign]
        await until(lambda: node.node.app._standing() is None)
        assert (await node.http.get("/readyz")).status_code == 200
        assert (await node.ask("GET", "/v1/models")).status == 200

    with_node(test, limits__replay_entries=1)


def test_the_document_of_a_keyset_is_asked_for_by_its_digest() -> None:
    async def test(node: Inside) -> None:
        digest, nonce = node.node.keyset.digest.hex(), b"\x07" * 32
        cached = (await node.http.get(EVIDENCE)).content
        assert (await node.http.get(f"{EVIDENCE}?keyset={digest}")).content == cached
        fresh = parse_document((await node.http.get(f"{EVIDENCE}?keyset={digest}&nonce={nonce.hex()}")).content)
        assert fresh.nonce_path is not None
        assert fresh.keyset == node.node.keyset
        for query in (f"keyset={'0' * 64}", f"keyset={'0' * 64}&nonce={nonce.hex()}"):
            problem(await node.http.get(f"{EVIDENCE}?{query}"), 404, "guest.keyset")
        half = f"nonce={nonce.hex()}"
        for query in (f"keyset={digest[1:]}", f"keyset={digest}&", f"keyset={digest}{half}", f"&{half}", f"{half}&keyset={digest}"):
            problem(await node.http.get(f"{EVIDENCE}?{query}"), 400, "node.bad_request")

    with_node(test)


def test_a_node_that_starts_and_one_that_drains_say_so() -> None:
    async def test(node: Inside) -> None:
        starting = httpx.AsyncClient(transport=httpx.ASGITransport(OuterApp(Limits())), base_url="http://node")
        async with starting:
            assert (await starting.get("/healthz")).status_code == 200
            for path in GETS[1:]:
                problem(await starting.get(path), 503, "node.starting")
            problem(await starting.post("/ohttp", headers={"content-type": ohttp.OHTTP_REQUEST}), 503, "node.starting")
        node.node.app.drain()
        problem(await node.http.get("/readyz"), 503, "node.draining")
        problem(await node.post(ohttp.seal_request(node.key, MODELS).body), 503, "node.draining")
        assert (await node.http.get("/healthz")).status_code == 200

    with_node(test)


def test_a_bug_outside_is_a_coarse_500_without_content_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def test(node: Inside) -> None:
        async def broken(_: bytes) -> bytes:
            raise KeyError("my-private-diagnosis")

        node.node.app._sealed.answer = broken  # type: ignore[union-attr,method-assign] # a bug
        problem(await node.post(b"x"), 500, "node.internal")
        assert node.node.app.in_flight == 0

    with_node(test)
    assert "KeyError at test_outer.py" in caplog.text
    assert "diagnosis" not in caplog.text


def test_the_access_log_has_sizes_and_durations_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async def test(node: Inside) -> None:
        await node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["doctor"]})
        await node.post(b"not sealed at all")

    with caplog.at_level(logging.INFO, logger="confide.node"):
        with_node(test, access_log=True)
    lines = [record.getMessage() for record in caplog.records if record.name == "confide.node"]
    assert len(lines) == 2
    for line in lines:
        assert {word.split("=")[0] for word in line.split()} == {"ohttp", "status", "in", "out", "ms"}
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        with_node(test)
    assert not [record for record in caplog.records if record.name.startswith(("confide", "uvicorn"))]


def test_the_documentation_names_every_route_status_and_code() -> None:
    text = DOCS.read_text()
    for path in OuterApp(Limits())._routes:
        assert path in text
    for path in ("/v1/models", "/v1/pipelines/{model}", "/v1/embeddings", "/v1/receipts/{index}"):
        assert path in text
    for code, status in STATUS.items():
        if code is not Code.NODE_UNSEALED:
            assert any(f"{status}" in line and code.value in line for line in text.splitlines()), code.value
    for name in ("request_bytes", "read_ms", "in_flight", "header_bytes", "header_ms", "connections"):
        assert f"limits.{name}" in text
    assert PROBLEM_KEY in text
