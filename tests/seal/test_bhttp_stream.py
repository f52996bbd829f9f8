"""Binary HTTP in pieces gives what the whole message gives: the same parts, or the same code, however it is cut."""

import hashlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal import bhttp, varint
from confide.seal.bhttp_stream import Content, End, Event, RequestHead, RequestReader, ResponseHead, ResponseReader
from confide.seal.bhttp_write import CONTENT_END, encode_content, encode_end, encode_request_head, encode_response_head
from confide.seal.fields import Fields
from confide.seal.padding import bucket

NAMES = st.sampled_from([b"accept", b"content-type", b"x-one", b"confide-receipt"])
VALUES = st.binary(max_size=40).map(lambda data: data.hex().encode())
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=4).map(tuple)
CONTENTS = st.lists(st.binary(min_size=1, max_size=300), max_size=4)


def pieces(message: bytes, cuts: Sequence[int]) -> list[bytes]:
    """The message cut at these places."""
    places = sorted({cut % (len(message) + 1) for cut in cuts})
    return [message[a:b] for a, b in zip([0, *places], [*places, len(message)], strict=True)]


def read(reader: RequestReader | ResponseReader, parts: Sequence[bytes]) -> list[Event]:
    events: list[Event] = []
    for part in parts:
        events += reader.feed(part)
    return events + reader.close()


def code_of(message: bytes, parts: Sequence[bytes], *, request: bool) -> tuple[Code | None, Code | None]:
    """The code of the whole decoder and of the reader in pieces."""
    codes: list[Code | None] = []
    for act in (
        lambda: bhttp.decode_request(message) if request else bhttp.decode_response(message),
        lambda: read(RequestReader() if request else ResponseReader(), parts),
    ):
        try:
            act()
        except ChannelError as error:
            codes.append(error.code)
        else:
            codes.append(None)
    return codes[0], codes[1]


def streamed_request(headers: Fields, contents: Sequence[bytes], trailers: Fields) -> bytes:
    head = encode_request_head(RequestHead(b"POST", b"https", b"enclave.invalid", b"/v1/models", headers))
    message = head + b"".join(map(encode_content, contents)) + CONTENT_END
    return message + encode_end(trailers, written=len(message), pad_to=bucket)


def streamed_response(headers: Fields, contents: Sequence[bytes], trailers: Fields) -> tuple[bytes, int]:
    message = encode_response_head(200, headers) + b"".join(map(encode_content, contents)) + CONTENT_END
    return message + encode_end(trailers, written=len(message), pad_to=bucket), len(message)


@settings(max_examples=60, deadline=None)
@given(FIELDS, CONTENTS, FIELDS, st.lists(st.integers(0, 5000), max_size=6), st.booleans())
def test_a_request_in_pieces_is_the_request(
    headers: Fields, contents: list[bytes], trailers: Fields, cuts: list[int], known: bool
) -> None:
    whole = b"".join(contents)
    request = bhttp.Request(b"POST", b"https", b"enclave.invalid", b"/v1/models", headers, whole, trailers)
    message = bhttp.encode_request(request, pad_to=bucket) if known else streamed_request(headers, contents, trailers)
    reader = RequestReader()
    head, *content, end = read(reader, pieces(message, cuts))
    assert head == RequestHead(b"POST", b"https", b"enclave.invalid", b"/v1/models", headers)
    assert b"".join(item.data for item in content if isinstance(item, Content)) == whole
    assert end == End(trailers)
    assert reader.digest == hashlib.sha256(message).digest()
    assert bhttp.decode_request(message) == request


@settings(max_examples=60, deadline=None)
@given(FIELDS, CONTENTS, FIELDS, st.lists(st.integers(0, 5000), max_size=6), st.booleans())
def test_a_response_in_pieces_is_the_response_and_its_digest_ends_with_its_content(
    headers: Fields, contents: list[bytes], trailers: Fields, cuts: list[int], known: bool
) -> None:
    whole = b"".join(contents)
    if known:
        prefix = bhttp.encode_response_prefix(200, headers, whole)
        message, end_at = bhttp.finish_response(prefix, trailers, bucket), len(prefix)
    else:
        message, end_at = streamed_response(headers, contents, trailers)
    reader = ResponseReader()
    head, *content, end = read(reader, pieces(message, cuts))
    assert head == ResponseHead(200, headers)
    assert b"".join(item.data for item in content if isinstance(item, Content)) == whole
    assert end == End(trailers)
    assert reader.digest == hashlib.sha256(message[:end_at]).digest()
    decoded = bhttp.decode_response(message)
    assert (decoded.response.content, decoded.content_end) == (whole, end_at)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_message_that_was_changed_or_cut_gives_the_same_code_in_pieces(data: st.DataObject) -> None:
    request = data.draw(st.booleans())
    headers, contents, trailers = data.draw(FIELDS), data.draw(CONTENTS), data.draw(FIELDS)
    message = streamed_request(headers, contents, trailers) if request else streamed_response(headers, contents, trailers)[0]
    changed = bytearray(message[: data.draw(st.integers(0, len(message)))])
    for _ in range(data.draw(st.integers(0, 3))):
        if changed:
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    whole, cut = code_of(
        bytes(changed), pieces(bytes(changed), data.draw(st.lists(st.integers(0, 5000), max_size=6))), request=request
    )
    assert whole == cut


def test_interim_responses_are_told_with_the_head() -> None:
    message = bhttp.encode_response(bhttp.Response(200, informational=(bhttp.Informational(103, ((b"x-one", b"1"),)),)))
    head, end = read(ResponseReader(), [message[:3], message[3:]])
    assert isinstance(head, ResponseHead)
    assert [item.status for item in head.informational] == [103]
    assert end == End()


def test_lengths_are_refused_before_their_bytes_come() -> None:
    head = encode_response_head(200, ())
    for length, code in ((1 << 61, Code.BHTTP_LIMIT), (65, Code.BHTTP_LIMIT), (64, None)):
        reader = ResponseReader(max_content=64)
        reader.feed(head)
        if code is None:
            reader.feed(varint.encode(length))
            continue
        with pytest.raises(ChannelError) as caught:
            reader.feed(varint.encode(length))
        assert caught.value.code is code
    with pytest.raises(ChannelError) as caught:
        ResponseReader().feed(b"\x01\x40\xc8" + varint.encode(1 << 40))  # a field section
    assert caught.value.code is Code.BHTTP_LIMIT


def test_a_reader_holds_no_content_back() -> None:
    reader = ResponseReader()
    reader.feed(encode_response_head(200, ()) + varint.encode(1 << 20))
    for _ in range(16):
        (event,) = reader.feed(bytes(1 << 10))
        assert event == Content(bytes(1 << 10))
    with pytest.raises(ChannelError) as caught:
        reader.close()
    assert caught.value.code is Code.BHTTP_TRUNCATED


def test_a_reader_that_ended_or_failed_takes_nothing_more() -> None:
    ended = ResponseReader()
    ended.feed(streamed_response((), [b"x"], ())[0])
    ended.close()
    failed = RequestReader()
    with pytest.raises(ChannelError):
        failed.feed(b"\x01")
    for reader in (ended, failed):
        with pytest.raises(ChannelError) as fed:
            reader.feed(b"\x00")
        with pytest.raises(ChannelError) as closed:
            reader.close()
        assert fed.value.code is closed.value.code is Code.OHTTP_STATE


def test_a_writer_refuses_what_a_reader_would() -> None:
    refused: list[tuple[Callable[[], bytes], Code]] = [
        (lambda: encode_response_head(101, ()), Code.BHTTP_CONTROL),
        (lambda: encode_response_head(200, ((b"Upper", b"1"),)), Code.BHTTP_FIELD),
        (lambda: encode_request_head(RequestHead(b"GE T", b"https", b"a", b"/")), Code.BHTTP_CONTROL),
        (lambda: encode_end(((b"a", b"1"),) * 129), Code.BHTTP_LIMIT),
        (lambda: encode_end(((b"a", b"1" * 70000),)), Code.BHTTP_LIMIT),
    ]
    for act, code in refused:
        with pytest.raises(ChannelError) as caught:
            act()
        assert caught.value.code is code
    assert encode_content(b"") == b""
