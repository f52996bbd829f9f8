"""Errors that the node sends inside the seal arrive under its codes, clean enough for a terminal."""

import json

import pytest

from confide.client.remote import parse_timing, raise_remote
from confide.codes import Code
from confide.errors import ChannelError, RemoteError


def body(code: str, **members: str) -> bytes:
    return json.dumps({"error": {"code": code, "meaning": "x", "found": "", "wanted": "", "hint": ""} | members}).encode()


@pytest.mark.parametrize("code", list(Code), ids=lambda code: str(code.value))
def test_every_code_of_ours_arrives_as_itself(code: Code) -> None:
    with pytest.raises(RemoteError) as caught:
        raise_remote(400, body(str(code.value), found="this", wanted="that", hint="do so"))
    assert (caught.value.code, caught.value.found, caught.value.wanted, caught.value.hint) == (code, "this", "that", "do so")


def test_a_code_from_the_future_is_named() -> None:
    with pytest.raises(RemoteError) as caught:
        raise_remote(400, body("node.teapot", found="short"))
    assert caught.value.code is Code.CLIENT_REMOTE
    assert caught.value.found == "node.teapot short"


def test_control_characters_do_not_reach_the_terminal() -> None:
    with pytest.raises(RemoteError) as caught:
        raise_remote(400, body("engine.input", found="\x1b[2J\x07é" + "x" * 1000))
    assert caught.value.found.startswith("?[2J?é")
    assert len(caught.value.found) <= 400


@pytest.mark.parametrize("bad", [b"", b"<html>", b"{}", b'{"error": "no"}', b'{"error": {}}'])
def test_an_error_of_another_shape_is_refused(bad: bytes) -> None:
    with pytest.raises(ChannelError) as caught:
        raise_remote(500, bad)
    assert caught.value.code is Code.CLIENT_ANSWER


def test_timings_are_seconds() -> None:
    headers = ((b"x", b"y"), (b"confide-timing", b"queue=0.500,pre=1,core=20.25,post=0.125"))
    assert parse_timing(headers) == {"queue": 0.0005, "pre": 0.001, "core": 0.02025, "post": 0.000125}


@pytest.mark.parametrize("text", [b"", b"queue=x", b"core=-1", b"other=1", b"core==1", b"core=1e9"])
def test_timings_that_do_not_parse_are_left_out(text: bytes) -> None:
    assert parse_timing(((b"confide-timing", text),)) in ({}, {"core": 0.001})
