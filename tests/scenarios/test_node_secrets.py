"""Content and keys stay where they are: not in logs, not in errors, not on the wire, not in files (DESIGN rule 10)."""

import asyncio
import logging
from pathlib import Path

import httpx
import pytest
from tests.server.running import JSON, Inside, config, served, with_node

from confide.seal import bhttp, ohttp
from confide.seal.keyconfig import parse_key_config

SECRET = "patient-4711-has-measles"
PIPELINE = "/v1/pipelines/encoder"
BODIES: list[object] = [
    {"inputs": [SECRET]},
    {"inputs": SECRET},
    {"inputs": [SECRET], "parameters": {SECRET: SECRET}},
    {"inputs": [SECRET], SECRET: 1},
    {"inputs": [SECRET * 5000]},
    f'{{"inputs": ["{SECRET}'.encode(),
    f"\xff{SECRET}".encode("latin-1"),
]


def test_nothing_that_was_asked_reaches_a_log_or_a_file(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """At the noisiest level, for answers, refusals, replays and garbage alike."""
    settings = config(access_log=True)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    async def test(node: Inside) -> None:
        for path in (PIPELINE, f"/v1/pipelines/{SECRET}", f"/{SECRET}", "/v1/embeddings"):
            for body in BODIES:
                await node.ask("POST", path, body)
        message = bhttp.encode_request(bhttp.Request(b"GET", b"https", SECRET.encode(), b"/"))
        sealed = ohttp.seal_request(node.key, message)
        for sent in (sealed.body, sealed.body, SECRET.encode() * 50, message):
            await node.post(sent)
        await node.http.get(f"/{SECRET}?{SECRET}", headers={SECRET: SECRET})

    with caplog.at_level(logging.DEBUG):
        logging.getLogger("asyncio").setLevel(logging.WARNING)
        with_node(test, settings)
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]  # the test's own client
    assert SECRET not in "\n".join(f"{record.getMessage()} {record.exc_info}" for record in ours)
    assert "ohttp status=200" in caplog.text
    assert list(tmp_path.rglob("*")) == []


def test_plaintext_never_passes_the_socket() -> None:
    """What the operator sees: a relay of ours records both directions."""
    seen = bytearray()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await reader.read(65536):
                seen.extend(part)
                writer.write(part)
                await writer.drain()
        except (ConnectionResetError, BrokenPipeError):
            return
        finally:
            writer.close()

    async def run(address: tuple[str, int], body: bytes) -> httpx.Response:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_connection(*address)
            await asyncio.gather(relay(reader, inner_writer), relay(inner_reader, writer))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, httpx.AsyncClient() as http:
            return await http.post(f"http://127.0.0.1:{port}/ohttp", content=body, headers={"content-type": ohttp.OHTTP_REQUEST})

    with served() as node:
        assert node.node is not None
        content = f'{{"inputs":["{SECRET}"]}}'.encode()
        request = bhttp.Request(b"POST", b"https", ohttp.INNER_AUTHORITY, PIPELINE.encode(), JSON, content)
        sealed = ohttp.seal_request(parse_key_config(node.node.keyset.ohttp_keys[0].config), bhttp.encode_request(request))
        reply = asyncio.run(run(node.address, sealed.body))
    answer = bhttp.decode_response(sealed.opener.open(reply.content)).response
    assert answer.status == 200
    assert len(seen) > len(sealed.body)
    for plain in (SECRET.encode(), b"encoder", b"inputs", b"sentence-embedding", b"confide-receipt", b"/v1/"):
        assert plain not in seen


def test_reprs_of_a_running_node_show_no_key_and_no_content() -> None:
    async def test(node: Inside) -> None:
        keys = node.node.keys
        parts = (node.node, keys, node.node.epochs.live, keys.receipt, node.node.app, node.node.proof)
        shown = "".join(map(repr, parts))
        for private in (keys.receipt.private, keys.log.private):
            assert private.private_bytes_raw().hex() not in shown
        assert "PrivateKey" not in shown

    with_node(test)


def test_workers_are_started_before_any_key_exists_and_inherit_nothing() -> None:
    async def test(node: Inside) -> None:
        for pid in node.node.engine.worker_pids:
            _looks_bare(pid)

    with_node(test)


def _looks_bare(pid: int) -> None:
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"PATH=" not in environment
    assert len(list(Path(f"/proc/{pid}/fd").iterdir())) < 16
