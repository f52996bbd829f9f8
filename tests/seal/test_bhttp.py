from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.seal.fixtures import refused

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal import varint
from confide.seal.bhttp import (
    DecodedResponse,
    Informational,
    Request,
    Response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    encode_response_prefix,
    finish_response,
)
from confide.seal.fields import MAX_FIELD_SECTION, MAX_FIELDS, Fields
from confide.seal.padding import bucket

# RFC 9292 section 5.1, the example in known-length form
RFC_REQUEST = bytes.fromhex(
    "0003474554056874747073000a2f68656c6c6f2e747874406c0a757365722d6167656e74346375726c2f372e31362e33206c69626375726c2f372e31362e33"
    "204f70656e53534c2f302e392e376c207a6c69622f312e322e3304686f73740f7777772e6578616d706c652e636f6d0f6163636570742d6c616e6775616765"
    "06656e2c206d690000"
)
# RFC 9292 section 5.2, both examples
RFC_INTERIM = bytes.fromhex(
    "0340660772756e6e696e670a22736c65657020313522004067046c696e6b233c2f7374796c652e6373733e3b2072656c3d7072656c6f61643b20"
    "61733d7374796c65046c696e6b243c2f7363726970742e6a733e3b2072656c3d7072656c6f61643b2061733d7363726970740040c80464617465"
    "1d4d6f6e2c203237204a756c20323030392031323a32383a353320474d5406736572766572064170616368650d6c6173742d6d6f646966696564"
    "1d5765642c203232204a756c20323030392031393a31353a353620474d5404657461671422333461613338372d642d3135363865623030220d61"
    "63636570742d72616e6765730562797465730e636f6e74656e742d6c656e67746802353104766172790f4163636570742d456e636f64696e670c"
    "636f6e74656e742d747970650a746578742f706c61696e003348656c6c6f20576f726c6421204d7920636f6e74656e7420696e636c7564657320"
    "6120747261696c696e672043524c462e0d0a0000"
)
RFC_TRAILED = bytes.fromhex("0140c8001d5468697320636f6e74656e7420636f6e7461696e732043524c462e0d0a0d07747261696c65720474657874")
RFC_FIELDS: Fields = (
    (b"user-agent", b"curl/7.16.3 libcurl/7.16.3 OpenSSL/0.9.7l zlib/1.2.3"),
    (b"host", b"www.example.com"),
    (b"accept-language", b"en, mi"),
)
POST = Request(b"POST", b"https", b"enclave.invalid", b"/v1/models?a=b", ((b"a", b"b"),), b"content", ((b"t", b"v"),))
ANSWER = Response(200, ((b"content-type", b"text/plain"),), b"content", ((b"confide-receipt", b"r"),))


def vec(data: bytes) -> bytes:
    return varint.encode(len(data)) + data


def lines(fields: Fields) -> bytes:
    return b"".join(vec(name) + vec(value) for name, value in fields)


def indeterminate(framing: int, control: bytes, headers: Fields, chunks: list[bytes], trailers: Fields) -> bytes:
    content = b"".join(vec(chunk) for chunk in chunks) + b"\x00"
    return bytes((framing,)) + control + lines(headers) + b"\x00" + content + lines(trailers) + b"\x00"


def outcome(decode: Callable[[bytes], object], data: bytes) -> object:
    """What `data` decodes to, or the code with which it is refused."""
    try:
        return decode(data)
    except ChannelError as error:
        return error.code


def control(*parts: bytes) -> bytes:
    return b"".join(vec(part) for part in parts)


POST_PARTS = POST.method, POST.scheme, POST.authority, POST.path
POST_CONTROL = control(*POST_PARTS)
POST_STREAMED = indeterminate(2, POST_CONTROL, POST.headers, [b"con", b"tent"], POST.trailers)
ANSWER_STREAMED = indeterminate(3, varint.encode(200), ANSWER.headers, [b"c", b"ontent"], ANSWER.trailers)


def test_the_published_request_is_written_and_read() -> None:
    request = Request(b"GET", b"https", b"", b"/hello.txt", RFC_FIELDS)
    assert encode_request(request) == RFC_REQUEST
    assert decode_request(RFC_REQUEST) == request


def test_the_published_request_in_the_other_framing_is_read() -> None:
    streamed = indeterminate(2, control(b"GET", b"https", b"", b"/hello.txt"), RFC_FIELDS, [], ())
    assert decode_request(streamed + bytes(10)) == decode_request(RFC_REQUEST)


def test_the_published_responses_are_read() -> None:
    """RFC 9292 section 5.2: interim responses in indeterminate form, and content with a trailer in known-length form."""
    decoded = decode_response(RFC_INTERIM)
    assert [item.status for item in decoded.response.informational] == [102, 103]
    assert [len(item.headers) for item in decoded.response.informational] == [1, 2]
    assert (decoded.response.status, len(decoded.response.headers)) == (200, 8)
    assert decoded.response.content == b"Hello World! My content includes a trailing CRLF.\r\n"
    assert decoded.content_end == len(RFC_INTERIM) - 1
    trailed = decode_response(RFC_TRAILED).response
    assert trailed == Response(200, (), b"This content contains CRLF.\r\n", ((b"trailer", b"text"),))
    assert encode_response(trailed) == RFC_TRAILED


@pytest.mark.parametrize("pad", [None, bucket])
def test_a_request_comes_back(pad: Callable[[int], int] | None) -> None:
    encoded = encode_request(POST, pad_to=pad)
    assert decode_request(encoded) == POST
    assert pad is None or len(encoded) == 512


def test_requests_of_nearby_lengths_look_alike() -> None:
    lengths = {len(encode_request(replace(POST, content=bytes(size)), pad_to=bucket)) for size in range(400)}
    assert lengths == {512}


def test_a_response_comes_back_with_the_end_of_its_content() -> None:
    prefix = encode_response_prefix(ANSWER.status, ANSWER.headers, ANSWER.content)
    encoded = finish_response(prefix, ANSWER.trailers, bucket)
    assert decode_response(encoded) == DecodedResponse(ANSWER, len(prefix))
    assert encoded == encode_response(ANSWER, pad_to=bucket)
    assert (len(encoded), encoded[: len(prefix)]) == (512, prefix)


def test_interim_responses_come_before_the_final_one() -> None:
    response = replace(ANSWER, informational=(Informational(103, ((b"link", b"</a>"),)), Informational(102)))
    assert decode_response(encode_response(response)).response == response
    streamed = b"\x03" + varint.encode(103) + lines(((b"link", b"</a>"),)) + b"\x00" + varint.encode(102) + b"\x00"
    assert decode_response(streamed + ANSWER_STREAMED[1:]).response == response


def test_both_framings_say_the_same() -> None:
    assert decode_request(POST_STREAMED) == POST
    decoded = decode_response(ANSWER_STREAMED)
    assert decoded.response == ANSWER
    assert ANSWER_STREAMED[: decoded.content_end].endswith(vec(b"ontent") + b"\x00")


@pytest.mark.parametrize(
    "encoded", ["0140c8", "0140c800", "0140c80000", "0140c8000000", "0140c8" + "00" * 50, "0340c8", "0340c800", "0340c80000"]
)
def test_empty_sections_at_the_end_may_be_missing(encoded: str) -> None:
    """RFC 9292 section 3.8; RFC 9458 appendix A uses the first."""
    assert decode_response(bytes.fromhex(encoded)).response == Response(200)


@pytest.mark.parametrize("message", [encode_request(POST), POST_STREAMED], ids=["known", "indeterminate"])
def test_a_request_cut_anywhere_else_is_refused(message: bytes) -> None:
    whole = {replace(POST, trailers=()), replace(POST, trailers=(), content=b""), Request(*POST_PARTS)}
    found = {outcome(decode_request, message[:end]) for end in range(len(message))}
    assert found == {*(whole & found), Code.BHTTP_TRUNCATED}


@pytest.mark.parametrize("message", [encode_response(ANSWER), ANSWER_STREAMED], ids=["known", "indeterminate"])
def test_a_response_cut_anywhere_else_is_refused(message: bytes) -> None:
    whole = {replace(ANSWER, trailers=()), replace(ANSWER, trailers=(), content=b""), Response(200)}
    found = {outcome(lambda data: decode_response(data).response, message[:end]) for end in range(len(message))}
    assert found == {*(whole & found), Code.BHTTP_TRUNCATED}


@pytest.mark.parametrize("framing", [b"\x01", b"\x03", b"\x04", b"\x40\x01", b"\xff" * 8])
def test_a_request_of_another_framing_is_refused(framing: bytes) -> None:
    with refused(Code.BHTTP_FRAMING):
        decode_request(framing + encode_request(POST)[1:])


@pytest.mark.parametrize("framing", [b"\x00", b"\x02", b"\x04"])
def test_a_response_of_another_framing_is_refused(framing: bytes) -> None:
    with refused(Code.BHTTP_FRAMING):
        decode_response(framing + encode_response(ANSWER)[1:])


@pytest.mark.parametrize("padding", [b"\x01", bytes(100) + b"\x01", b"\x80" + bytes(5)])
@pytest.mark.parametrize("message", [encode_request(POST), POST_STREAMED], ids=["known", "indeterminate"])
def test_padding_other_than_zeros_is_refused(message: bytes, padding: bytes) -> None:
    assert decode_request(message + bytes(100)) == POST
    with refused(Code.BHTTP_PADDING):
        decode_request(message + padding)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("method", b""),
        ("method", b"GE T"),
        ("method", b"G" * 33),
        ("scheme", b"HTTPS"),
        ("scheme", b""),
        ("authority", b"a/b"),
        ("authority", b"a b"),
        ("authority", b"a" * 256),
        ("path", b"v1/models"),
        ("path", b"/a b"),
        ("path", b"/\x00"),
        ("path", b"/\xc3\xa9"),
        ("path", b"/" + b"a" * 8192),
    ],
)
def test_bad_control_data_is_refused_both_ways(member: str, value: bytes) -> None:
    changed: dict[str, Any] = {member: value}
    bad = replace(POST, **changed)
    with refused(Code.BHTTP_CONTROL):
        encode_request(bad)
    with refused(Code.BHTTP_CONTROL):
        decode_request(b"\x00" + control(bad.method, bad.scheme, bad.authority, bad.path) + bytes(3))


@pytest.mark.parametrize("path", [b"/", b"*", b""])
def test_the_three_forms_of_a_path_pass(path: bytes) -> None:
    request = Request(b"OPTIONS", b"https", b"", path)
    assert decode_request(encode_request(request)) == request


@pytest.mark.parametrize("status", [0, 99, 100, 101, 600, 1 << 40])
def test_a_status_that_is_not_final_is_refused(status: int) -> None:
    with refused(Code.BHTTP_CONTROL):
        encode_response(Response(status))


@pytest.mark.parametrize("status", [0, 99, 600, 1 << 40])
def test_a_response_with_a_bad_status_is_refused(status: int) -> None:
    with refused(Code.BHTTP_CONTROL):
        decode_response(b"\x01" + varint.encode(status) + bytes(3))


@pytest.mark.parametrize("status", [101, 200])
def test_an_interim_status_is_1xx_and_not_101(status: int) -> None:
    with refused(Code.BHTTP_CONTROL):
        encode_response(replace(ANSWER, informational=(Informational(status),)))
    with refused(Code.BHTTP_CONTROL):
        decode_response(b"\x01" + varint.encode(101) + b"\x00" + varint.encode(200))


def test_a_response_of_interim_responses_only_is_truncated() -> None:
    with refused(Code.BHTTP_TRUNCATED):
        decode_response(b"\x01" + varint.encode(103) + b"\x00")


BAD_FIELDS = [
    (b"", b"v"),
    (b"Accept", b"v"),
    (b":path", b"/"),
    (b"a b", b"v"),
    (b"a\x00", b"v"),
    (b"\xc3\xa9", b"v"),
    (b"a" * 257, b"v"),
    (b"a", b"v\r\n"),
    (b"a", b"v\nb: c"),
    (b"a", b"\x00"),
    (b"a", b"\x7f"),
    (b"a", b" v"),
    (b"a", b"v\t"),
    (b"connection", b"close"),
    (b"keep-alive", b"1"),
    (b"proxy-connection", b"1"),
    (b"transfer-encoding", b"chunked"),
    (b"upgrade", b"h2c"),
]


@pytest.mark.parametrize("field", BAD_FIELDS)
def test_a_field_that_http_2_would_not_carry_is_refused_both_ways(field: tuple[bytes, bytes]) -> None:
    with refused(Code.BHTTP_FIELD):
        encode_request(replace(POST, headers=(field,)))
    with refused(Code.BHTTP_FIELD):
        finish_response(encode_response_prefix(200, (), b""), (field,))
    with refused(Code.BHTTP_FIELD):
        decode_request(b"\x00" + POST_CONTROL + vec(lines((field,))) + bytes(2))


@pytest.mark.parametrize("field", [field for field in BAD_FIELDS if field[0]])
def test_a_bad_trailer_is_refused_in_the_other_framing(field: tuple[bytes, bytes]) -> None:
    with refused(Code.BHTTP_FIELD):
        decode_request(indeterminate(2, POST_CONTROL, (), [], (field,)))


@pytest.mark.parametrize("value", [b"", b"v", b"a b\tc", b"\xff\x80", b"!~"])
def test_ordinary_values_pass(value: bytes) -> None:
    request = replace(POST, headers=((b"a", value),))
    assert decode_request(encode_request(request)) == request


def test_a_content_length_must_be_true() -> None:
    assert decode_request(encode_request(replace(POST, headers=((b"content-length", b"7"),)))).content == b"content"
    with refused(Code.BHTTP_FIELD):
        encode_request(replace(POST, headers=((b"content-length", b"8"),)))
    with refused(Code.BHTTP_FIELD):
        decode_request(b"\x00" + POST_CONTROL + vec(lines(((b"content-length", b"07"),))) + vec(b"content") + b"\x00")


def test_a_field_line_that_crosses_the_end_of_its_section_is_refused() -> None:
    section = lines(((b"a", b"b"),))
    with refused(Code.BHTTP_TRUNCATED):
        decode_request(b"\x00" + POST_CONTROL + varint.encode(len(section) - 1) + section + bytes(2))


MANY: Fields = ((b"a", b"b"),) * (MAX_FIELDS + 1)
LONG: Fields = ((b"a", b"b" * 40000),) * 2


def test_field_counts_are_bounded_both_ways() -> None:
    assert decode_request(encode_request(replace(POST, headers=MANY[1:]))).headers == MANY[1:]
    with refused(Code.BHTTP_LIMIT):
        encode_request(replace(POST, headers=MANY))
    with refused(Code.BHTTP_LIMIT):
        decode_request(b"\x00" + POST_CONTROL + vec(lines(MANY)) + bytes(2))
    with refused(Code.BHTTP_LIMIT):
        decode_request(indeterminate(2, POST_CONTROL, MANY, [], ()))


def test_field_sections_are_bounded_both_ways() -> None:
    assert len(lines(LONG)) > MAX_FIELD_SECTION
    with refused(Code.BHTTP_LIMIT):
        encode_request(replace(POST, headers=LONG))
    with refused(Code.BHTTP_LIMIT):
        decode_request(b"\x00" + POST_CONTROL + vec(lines(LONG)) + bytes(2))
    with refused(Code.BHTTP_LIMIT):
        decode_request(indeterminate(2, POST_CONTROL, LONG, [], ()))


def test_content_is_bounded_in_both_framings() -> None:
    assert decode_request(encode_request(POST), max_content=7) == decode_request(POST_STREAMED, max_content=7)
    with refused(Code.BHTTP_LIMIT):
        decode_request(encode_request(POST), max_content=6)
    with refused(Code.BHTTP_LIMIT):
        decode_request(POST_STREAMED, max_content=6)
    with refused(Code.BHTTP_LIMIT):
        decode_response(encode_response(ANSWER), max_content=6)


def test_a_huge_length_is_refused_before_anything_is_allocated() -> None:
    with refused(Code.BHTTP_LIMIT):
        decode_request(b"\x00" + POST_CONTROL + b"\x00" + b"\xff" * 8)
    with refused(Code.BHTTP_LIMIT):
        decode_request(b"\x00" + b"\xff" * 8)


def test_interim_responses_are_bounded() -> None:
    interim = (varint.encode(103) + b"\x00") * 9
    assert len(decode_response(b"\x01" + interim[:-12] + varint.encode(200)).response.informational) == 5
    with refused(Code.BHTTP_LIMIT):
        decode_response(b"\x01" + interim + varint.encode(200))


def test_a_repr_shows_no_content() -> None:
    secret = replace(POST, content=b"secret", headers=((b"a", b"secret"),), path=b"/secret")
    assert "secret" not in repr(secret)
    assert "secret" not in repr(decode_response(encode_response(Response(200, ((b"a", b"secret"),), b"secret"))))
    with refused(Code.BHTTP_FIELD) as info:
        encode_request(replace(POST, headers=((b"secret:", b"secret"),)))
    assert "secret" not in str(info.value)
