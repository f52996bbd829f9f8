"""No inner route answers outside the seal: not on the outer application, not on the raw inner one, whatever a header claims."""

import asyncio
from typing import Any

import pytest
from tests.server.running import Inside, with_node

from confide.server.app import create_app
from confide.server.channel import EXTENSION, Channel

ROUTES = [
    ("GET", "/v1/models"),
    ("POST", "/v1/pipelines/encoder"),
    ("POST", "/v1/embeddings"),
    ("GET", "/v1/receipts/0"),
    ("GET", "/"),
]
CLAIMS = [
    (b"confide-channel", b"ohttp"),
    (b"confide.channel", b"1"),
    (b"x-confide-channel", b"sealed"),
    (b"content-type", b"message/ohttp-req"),
    (b"x-forwarded-for", b"127.0.0.1"),
    (b"host", b"enclave.invalid"),
    (b"authorization", b"Bearer internal"),
]


class Lookalike:
    """Has every attribute of a channel, and is none."""

    def __init__(self) -> None:
        self.surface, self.key_config, self.enc, self.model = "ohttp", b"", b"", None

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Subclass(Channel):
    """Made by somebody else."""


async def raw(app: Any, method: str, path: str, **scope: Any) -> tuple[int, bytes, list[str]]:
    """The plainest ASGI call; the third value says what was read of the body."""
    sent: list[dict[str, Any]] = []
    read: list[str] = []

    async def receive() -> dict[str, Any]:
        read.append("body")
        return {"type": "http.request", "body": b'{"inputs":["a"]}', "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    base = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": []}
    await app({**base, **scope}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]), read


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_raw_inner_application_refuses_before_it_reads(method: str, path: str) -> None:
    async def test(node: Inside) -> None:
        for extensions in (None, {}, {EXTENSION: None}, {EXTENSION: True}, {EXTENSION: b"x"}, {EXTENSION: Lookalike()}):
            for headers in ([], CLAIMS):
                status, body, read = await raw(node.node.inner, method, path, headers=list(headers), extensions=extensions)
                assert status == 403
                assert b"node.unsealed" in body
                assert read == []
        forged = Subclass(surface="x", keyset=node.node.keyset, key_config=b"", enc=b"")
        assert (await raw(node.node.inner, method, path, extensions={EXTENSION: forged}))[0] == 403
        assert (await raw(node.node.inner, method, path, state={EXTENSION: object()}))[0] == 403
        assert node.node.proof.size == 0

    with_node(test)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_outer_application_has_no_such_route(method: str, path: str) -> None:
    async def test(node: Inside) -> None:
        for headers in ([], CLAIMS):
            reply = await node.http.request(method, path, headers=headers, content=b'{"inputs":["a"]}')
            assert reply.status_code == 404
            assert reply.headers["content-type"] == "application/problem+json"
            assert reply.json()["code"] == "node.route"

    with_node(test)


def test_the_application_for_other_servers_is_the_outer_one() -> None:
    async def test(node: Inside) -> None:
        assert create_app(node.node) is node.node.app

    with_node(test, models={})


def test_a_channel_object_given_to_the_outer_application_opens_nothing() -> None:
    async def test(node: Inside) -> None:
        channel = Channel(surface="ohttp", keyset=node.node.keyset, key_config=b"", enc=b"")
        for method, path in ROUTES:
            assert (await raw(node.node.app, method, path, extensions={EXTENSION: channel}))[0] == 404

    with_node(test)


def test_other_protocols_get_no_answer() -> None:
    async def test(node: Inside) -> None:
        for app in (node.node.app, node.node.inner):
            for kind in ("websocket", "lifespan"):
                await app({"type": kind}, _never, _never)

    with_node(test)


async def _never(*_: Any) -> Any:
    await asyncio.sleep(0)
    raise AssertionError
