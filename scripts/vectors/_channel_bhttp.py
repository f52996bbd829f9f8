"""The binary HTTP cases of `vectors/08-channel.json`."""

from collections.abc import Iterator
from typing import Any

from confide.codes import Code
from confide.seal import bhttp, varint
from scripts.vectors._cases import accept, reject
from scripts.vectors._channel import ANSWER, MESSAGE, REQUEST, RESPONSE, Given

Cases = Iterator[dict[str, Any]]
Lines = tuple[tuple[bytes, bytes], ...]
DECODE, RESPONSES = "bhttp.decode_request", "bhttp.decode_response"


def binary_http() -> Cases:
    """All of them."""
    yield from _integers()
    yield from _messages()
    yield from _frames()
    yield from _control()
    yield from _fields()
    yield from _bounds()
    yield from _pieces()
    lengths = [0, 1, 512, 513, 640, 641, 1024, 1025, 65535, 65536, 65537, 67585, 1 << 20, (1 << 20) + 1, (1 << 31) - 1]
    yield accept("bhttp-buckets", "CH-28", "bhttp.bucket", {"lengths": lengths})


def vec(data: bytes) -> bytes:
    """A length and the bytes."""
    return varint.encode(len(data)) + data


def lines(fields: Lines) -> bytes:
    """Field lines."""
    return b"".join(vec(name) + vec(value) for name, value in fields)


def control(method: bytes = b"GET", scheme: bytes = b"https", authority: bytes = b"enclave.invalid", path: bytes = b"/") -> bytes:
    """A request's control data."""
    return vec(method) + vec(scheme) + vec(authority) + vec(path)


def known(fields: Lines = (), content: bytes = b"", target: bytes | None = None) -> bytes:
    """A known-length request."""
    return b"\x00" + (target or control()) + vec(lines(fields)) + vec(content) + b"\x00"


def streamed(fields: Lines = (), chunks: tuple[bytes, ...] = (), trailers: Lines = ()) -> bytes:
    """An indeterminate-length request."""
    content = b"".join(map(vec, chunks))
    return b"\x02" + control() + lines(fields) + b"\x00" + content + b"\x00" + lines(trailers) + b"\x00"


def _data(data: bytes, **more: Any) -> Given:
    return {"data": data.hex()} | more


def _cut(message: bytes, *places: int) -> list[str]:
    """The message in pieces."""
    return [message[a:b].hex() for a, b in zip((0, *places), (*places, len(message)), strict=True)]


def _pieces() -> Cases:
    """Messages that are read as they come, and streams that are written so."""
    asked, answered = streamed(((b"a", b"b"),), (b"con", b"tent"), ((b"t", b"v"),)) + bytes(9), streamed_answer()
    whole = known(((b"a", b"b"),), b"content")
    for name, message, request in (
        ("request", asked, True),
        ("known", whole, True),
        ("response", answered, False),
        ("padded", ANSWER, False),
    ):
        for kind, places in (("whole", ()), ("bytes", tuple(range(1, len(message)))), ("middle", (1, len(message) // 2))):
            pieces = _cut(message, *places)
            yield accept(f"bhttp-pieces-{name}-{kind}", "CH-32 CH-33", "bhttp.read_pieces", {"request": request, "pieces": pieces})
    for name, pieces, code in (
        ("framing", _cut(b"\x04" + answered[1:], 3), Code.BHTTP_FRAMING),
        ("padding", _cut(answered + b"\x01", 5, 20), Code.BHTTP_PADDING),
        ("upper-case", _cut(answered.replace(b"x-y", b"X-y"), 9), Code.BHTTP_FIELD),
        ("bound", _cut(b"\x01\x40\xc8" + varint.encode(65537), 4), Code.BHTTP_LIMIT),
    ):
        yield reject(f"bhttp-pieces-reject-{name}", "CH-32", "bhttp.read_pieces", {"request": False, "pieces": pieces}, code)
    for name, end in (("no-terminator", answered.index(b"tent") + 4), ("half-a-chunk", answered.index(b"tent") + 2)):
        given: Given = {"request": False, "pieces": _cut(answered[:end], 6)}
        yield reject(f"bhttp-pieces-reject-{name}", "CH-33", "bhttp.read_pieces", given, Code.BHTTP_TRUNCATED)
    members: Given = {"status": 200, "headers": [[b"x-y".hex(), b"1".hex()]], "trailers": [[b"t".hex(), b"v".hex()]]}
    yield accept("bhttp-stream-written", "CH-33", "bhttp.write_stream", members | {"contents": [b"con".hex(), b"tent".hex()]})
    yield accept("bhttp-stream-written-empty", "CH-33", "bhttp.write_stream", members | {"contents": []})


def streamed_answer() -> bytes:
    """An indeterminate-length response."""
    fields, content = ((b"x-y", b"1"),), b"".join(map(vec, (b"con", b"tent")))
    return b"\x03\x40\xc8" + lines(fields) + b"\x00" + content + b"\x00" + lines(((b"t", b"v"),)) + b"\x00" + bytes(7)


def _integers() -> Cases:
    for encoded in ("25", "4025", "80000025", "c000000000000025", "7bbd", "9d7f3e7d", "c2197c5eff14e88c", "ffffffffffffffff"):
        yield accept(f"varint-{encoded}", "CH-25", "bhttp.varint", {"data": encoded})
    for cut in ("", "40", "800000", "c0000000000000"):
        yield reject(f"varint-reject-{cut or 'empty'}", "CH-25", "bhttp.varint", {"data": cut}, Code.BHTTP_TRUNCATED)
    longer = b"\x40\x00\x80\x00\x00\x03GET" + control()[4:] + b"\x40\x00"
    yield accept("bhttp-longer-integers", "CH-25", DECODE, _data(longer))


def _messages() -> Cases:
    rules = "CH-26 CH-27 CH-28 CH-29 CH-30 CH-31"
    yield accept("bhttp-request-padded", rules, DECODE, _data(MESSAGE))
    yield accept("bhttp-response-padded", rules, RESPONSES, _data(ANSWER))
    members: Given = {name: getattr(REQUEST, name).decode() for name in ("method", "scheme", "authority", "path")}
    members |= {"headers": [[n.hex(), v.hex()] for n, v in REQUEST.headers], "content": REQUEST.content.hex(), "trailers": []}
    for padded in (False, True):
        name = f"bhttp-encode-{'padded' if padded else 'plain'}"
        yield accept(name, "CH-28", "bhttp.encode_request", members | {"padded": padded})
    fields, trailers = ((b"a", b"b"), (b"a", b""), (b"x-y", b"b c")), ((b"t", b"v"),)
    yield accept("bhttp-request-streamed", rules, DECODE, _data(streamed(fields, (b"con", b"tent"), trailers) + bytes(9)))
    interim = b"\x40\x67" + vec(lines(((b"link", b"</a>"),))) + b"\x40\x66\x00"
    answer = bhttp.encode_response(RESPONSE)
    yield accept("bhttp-response-interim", rules, RESPONSES, _data(answer[:1] + interim + answer[1:]))
    answer = b"\x03\x40\x67" + lines(fields) + b"\x00\x40\xc8\x00\x01c\x03ont\x00" + lines(trailers) + b"\x00"
    yield accept("bhttp-response-streamed", rules, RESPONSES, _data(answer + bytes(3)))
    for end in ("0140c8", "0140c800", "0140c80000", "0140c8000000", "0340c8", "0340c800", "0340c80000"):
        yield accept(f"bhttp-ends-early-{end}", "CH-27", RESPONSES, {"data": end})


def _frames() -> Cases:
    whole = known(((b"a", b"b"),), b"content")
    for framing in (b"\x01", b"\x03", b"\x04", b"\x3f"):
        case = _data(framing + whole[1:])
        yield reject(f"bhttp-reject-request-framing-{framing.hex()}", "CH-26", DECODE, case, Code.BHTTP_FRAMING)
    for framing in (b"\x00", b"\x02", b"\x04"):
        case = _data(framing + b"\x40\xc8")
        yield reject(f"bhttp-reject-response-framing-{framing.hex()}", "CH-26", RESPONSES, case, Code.BHTTP_FRAMING)
    after_headers = len(b"\x00" + control()) + 5
    for name, data in (
        ("empty", b""),
        ("control", whole[:3]),
        ("header-section", whole[: after_headers - 1]),
        ("content", whole[:-2]),
        ("crossing-line", b"\x00" + control() + b"\x03\x01a\x01b\x00\x00"),
        ("streamed-field", streamed(((b"a", b"b"),))[:-5]),
        ("streamed-content", streamed((), (b"content",))[:-2]),
        ("streamed-trailer", streamed((), (), ((b"t", b"v"),))[:-1]),
    ):
        yield reject(f"bhttp-reject-truncated-{name}", "CH-27", DECODE, _data(data), Code.BHTTP_TRUNCATED)
    yield reject("bhttp-reject-interim-only", "CH-27", RESPONSES, {"data": "01406700"}, Code.BHTTP_TRUNCATED)
    for name, data in (("first", b"\x01"), ("last", bytes(50) + b"\x01"), ("streamed", b"\x00\x80")):
        base = streamed() if name == "streamed" else whole
        yield reject(f"bhttp-reject-padding-{name}", "CH-28", DECODE, _data(base + data), Code.BHTTP_PADDING)


def _control() -> Cases:
    for name, value in (("asterisk", b"*"), ("empty", b""), ("query", b"/a?b=%20"), ("longest", b"/" + b"a" * 8191)):
        yield accept(f"bhttp-path-{name}", "CH-29", DECODE, _data(known(target=control(path=value))))
    yield accept("bhttp-no-authority", "CH-29", DECODE, _data(known(target=control(authority=b""))))
    for part, name, value in (
        ("method", "empty", b""),
        ("method", "space", b"GE T"),
        ("method", "long", b"G" * 33),
        ("scheme", "upper", b"HTTPS"),
        ("scheme", "empty", b""),
        ("authority", "slash", b"a/b"),
        ("authority", "long", b"a" * 256),
        ("path", "relative", b"v1"),
        ("path", "space", b"/a b"),
        ("path", "control", b"/\x00"),
        ("path", "not-ascii", b"/\xc3\xa9"),
        ("path", "long", b"/" + b"a" * 8192),
    ):
        case = _data(known(target=control(**{part: value})))
        yield reject(f"bhttp-reject-{part}-{name}", "CH-29", DECODE, case, Code.BHTTP_CONTROL)
    for status in (200, 599):
        yield accept(f"bhttp-status-{status}", "CH-29", RESPONSES, _data(b"\x01" + varint.encode(status)))
    for status in (0, 99, 101, 600, 1 << 40):
        case = _data(b"\x01" + varint.encode(status) + bytes(3))
        yield reject(f"bhttp-reject-status-{status}", "CH-29", RESPONSES, case, Code.BHTTP_CONTROL)


def _fields() -> Cases:
    good: Lines = (
        (b"a!#$%&'*+-.^_`|~9", b""),
        (b"b", b"a \tb"),
        (b"c", b"\x80\xff"),
        (b"content-length", b"3"),
        (b"te", b"trailers"),
    )
    yield accept("bhttp-fields", "CH-30", DECODE, _data(known(good, b"abc")))
    for name, line in (
        ("no-name", (b"", b"v")),
        ("upper", (b"Accept", b"v")),
        ("pseudo", (b":path", b"/")),
        ("space", (b"a b", b"v")),
        ("not-ascii", (b"\xc3\xa9", b"v")),
        ("long-name", (b"a" * 257, b"v")),
        ("newline", (b"a", b"v\nb: c")),
        ("return", (b"a", b"v\r")),
        ("nul", (b"a", b"\x00")),
        ("delete", (b"a", b"\x7f")),
        ("leading-space", (b"a", b" v")),
        ("trailing-tab", (b"a", b"v\t")),
        ("connection", (b"connection", b"close")),
        ("keep-alive", (b"keep-alive", b"1")),
        ("proxy-connection", (b"proxy-connection", b"1")),
        ("transfer-encoding", (b"transfer-encoding", b"chunked")),
        ("upgrade", (b"upgrade", b"h2c")),
        ("content-length", (b"content-length", b"4")),
        ("content-length-spelling", (b"content-length", b"03")),
    ):
        yield reject(f"bhttp-reject-field-{name}", "CH-30", DECODE, _data(known((line,), b"abc")), Code.BHTTP_FIELD)
    trailer = streamed((), (), ((b"Trailer", b"v"),))
    yield reject("bhttp-reject-field-streamed-trailer", "CH-30", DECODE, _data(trailer), Code.BHTTP_FIELD)


def _bounds() -> Cases:
    many: Lines = ((b"a", b"b"),) * 128
    yield accept("bhttp-most-fields", "CH-31", DECODE, _data(known(many)))
    yield accept("bhttp-most-content", "CH-31", DECODE, _data(known((), b"content"), max_content=7))
    line = (varint.encode(1) + b"a" + varint.encode(32768)).hex()
    section = [[(b"\x02" + control()).hex(), 1], *[[line, 1], ["62", 32768]] * 2]
    yield reject("bhttp-reject-bound-streamed-section", "CH-31", DECODE, {"data": section}, Code.BHTTP_LIMIT)
    for name, data in (
        ("fields", known((*many, *many[:1]))),
        ("streamed-fields", streamed((*many, *many[:1]))),
        ("section", b"\x00" + control() + varint.encode(65537)),
        ("huge-length", b"\x00" + b"\xff" * 8),
    ):
        yield reject(f"bhttp-reject-bound-{name}", "CH-31", DECODE, _data(data), Code.BHTTP_LIMIT)
    for name, data in (("content", known((), b"content")), ("streamed-content", streamed((), (b"con", b"tent")))):
        yield reject(f"bhttp-reject-bound-{name}", "CH-31", DECODE, _data(data, max_content=6), Code.BHTTP_LIMIT)
    interim = b"\x40\x67\x00"
    yield accept("bhttp-most-interim", "CH-31", RESPONSES, _data(b"\x01" + interim * 8 + b"\x40\xc8"))
    yield reject("bhttp-reject-bound-interim", "CH-31", RESPONSES, _data(b"\x01" + interim * 9 + b"\x40\xc8"), Code.BHTTP_LIMIT)
