"""The network as it is: slow, closed, lying. Every case is a coarse, coded error, and nothing follows a redirect."""

import gzip
import socket

import pytest
from tests.client.wire import http, wire

from confide.client.transport import HttpTransport, require_url
from confide.codes import Code
from confide.errors import MisuseError, TransportError


def fails(url: str, *, timeout: float = 5.0, limit: int = 1000) -> TransportError:
    transport = HttpTransport(url, timeout=timeout)
    with pytest.raises(TransportError) as caught:
        transport.get("/", limit=limit)
    transport.close()
    return caught.value


def test_a_whole_answer_arrives_with_its_media_type_in_lower_case() -> None:
    with wire(http(b"hello", media_type="Message/OHTTP-Res; x=1")) as node:
        transport = HttpTransport(node.url)
        reply = transport.get("/x", limit=5)
        transport.close()
    assert (reply.status, reply.media_type, reply.content) == (200, "message/ohttp-res", b"hello")


def test_a_post_carries_its_headers_and_body() -> None:
    with wire(http(b"")) as node:
        transport = HttpTransport(node.url + "/prefix")
        transport.post("/ohttp", b"body", headers={"content-type": "message/ohttp-req"}, limit=10)
        transport.close()
    assert node.requests[0].startswith(b"POST /prefix/ohttp HTTP/1.1\r\n")
    assert b"content-type: message/ohttp-req\r\n" in node.requests[0].lower()


def test_no_answer_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = fails(f"http://127.0.0.1:{port}")
    assert error.code is Code.TRANSPORT_UNREACHABLE
    assert "confide serve" in error.hint


def test_a_node_that_stays_silent_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = fails(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.2)
    assert error.code is Code.TRANSPORT_TIMEOUT


def test_a_node_that_drips_bytes_times_out_as_a_whole() -> None:
    with wire(http(b"x" * 200), drip=0.01) as node:
        assert fails(node.url, timeout=0.5).code is Code.TRANSPORT_TIMEOUT


def test_one_byte_over_the_limit_is_refused() -> None:
    with wire(http(b"123456")) as node:
        assert fails(node.url, limit=5).code is Code.TRANSPORT_TOO_LARGE


def test_a_connection_that_breaks_half_way_is_no_answer() -> None:
    with wire(http(b"half", length=100)) as node:
        assert fails(node.url).code is Code.TRANSPORT_BROKEN


def test_what_is_not_http_is_no_answer() -> None:
    with wire(b"SSH-2.0-OpenSSH_9.9\r\n") as node:
        assert fails(node.url).code is Code.TRANSPORT_BROKEN


def test_a_redirect_is_an_answer_like_any_other_and_not_followed() -> None:
    with wire(http(b"", status="307 Temporary Redirect", extra="location: http://127.0.0.1:1/elsewhere\r\n")) as node:
        transport = HttpTransport(node.url)
        assert transport.get("/", limit=10).status == 307
        transport.close()
    assert len(node.requests) == 1


def test_a_compressed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(1 << 20))
    with wire(http(bomb, extra="content-encoding: gzip\r\n")) as node:
        transport = HttpTransport(node.url)
        assert transport.get("/", limit=len(bomb)).content == bomb
        transport.close()
    assert b"accept-encoding: identity" in node.requests[0].lower()


@pytest.mark.parametrize("proxied", ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9"])
def test_a_loopback_node_is_never_asked_through_a_proxy(proxied: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with wire(http(b"")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        fails(proxied, timeout=2)
    assert proxy.requests == []


def test_https_is_verified_on_loopback_too() -> None:
    with wire(http(b"")) as node:
        assert fails(node.url.replace("http://", "https://")).code is Code.TRANSPORT_UNREACHABLE


def test_another_node_is_asked_through_the_users_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with wire(http(b"")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        transport = HttpTransport("http://node.example")
        transport.get("/x", limit=10)
        transport.close()
    assert proxy.requests[0].startswith(b"GET http://node.example/x ")


def test_addresses_keep_host_port_and_prefix() -> None:
    assert require_url("http://127.0.0.1:8711/") == "http://127.0.0.1:8711"
    assert require_url("https://node.example/team/") == "https://node.example/team"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "node.example",
        "ftp://node.example",
        "http://",
        "http://user:secret@node.example",
        "http://a?b=c",
        "http://a#b",
        "http://[",
        "http://a/" + "x" * 3000,
    ],
)
def test_other_addresses_are_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(MisuseError) as caught:
        require_url(url)
    assert caught.value.code is Code.CLIENT_URL
    assert "secret" not in str(caught.value)
