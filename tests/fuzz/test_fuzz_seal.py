"""Whatever bytes arrive, each parser of `seal` returns a value or raises our own error, and never hands out unauthentic bytes."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.seal.fixtures import KEMS, node

from confide.errors import ChannelError, ConfideError
from confide.seal import varint
from confide.seal.bhttp import Informational, Request, Response, decode_request, decode_response, encode_request, encode_response
from confide.seal.chunked import ChunkedRequestSealer
from confide.seal.hpke import Kem
from confide.seal.keyconfig import encode_key_configs, parse_key_config, parse_key_configs
from confide.seal.ohttp import seal_request
from confide.seal.padding import bucket

HERE = node(replay_capacity=1 << 20)
SEALED = {kem: seal_request(HERE.configs[kem], b"a message of some length") for kem in KEMS}
ANSWER = HERE.gateway.open(SEALED[Kem.X25519].body).sealer.seal(b"an answer of some length")
STREAM = ChunkedRequestSealer(HERE.configs[Kem.XWING], max_chunk=10).finish(b"a message in several chunks")
CONFIGS = encode_key_configs(HERE.configs.values())

NAMES = (
    st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
    .map(str.encode)
    .filter(
        lambda name: (
            name not in {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"content-length"}
        )
    )
)
VALUES = st.from_regex(r"([!-~]([\t -~]{0,40}[!-~])?)?", fullmatch=True).map(str.encode)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(tuple)
REQUESTS = st.builds(
    Request,
    st.sampled_from([b"GET", b"POST", b"OPTIONS"]),
    st.just(b"https"),
    st.sampled_from([b"enclave.invalid", b""]),
    st.from_regex(r"/[!-~]{0,40}", fullmatch=True).map(str.encode),
    FIELDS,
    st.binary(max_size=2000),
    FIELDS,
)
INFORMATIONAL = st.builds(Informational, st.integers(102, 199), FIELDS)
RESPONSES = st.builds(
    Response, st.integers(200, 599), FIELDS, st.binary(max_size=2000), FIELDS, st.lists(INFORMATIONAL, max_size=3).map(tuple)
)


@st.composite
def mutations(draw: st.DrawFn, base: bytes) -> bytes:
    """`base` with a few bytes changed, cut out, repeated or added."""
    data = bytearray(base)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(len(data), at + 40)))
        data[at:end] = draw(st.one_of(st.binary(max_size=8), st.just(bytes(data[at:end]) * 2)))
    return bytes(data)


def only_our_errors(parse: Callable[[bytes], object], data: bytes) -> object:
    try:
        return parse(data)
    except ConfideError:
        return None


PARSERS: list[Callable[[bytes], object]] = [
    decode_request,
    decode_response,
    parse_key_config,
    parse_key_configs,
    HERE.gateway.open,
    SEALED[Kem.XWING].opener.open,
    lambda data: HERE.gateway.open_chunked().feed(data),
    lambda data: varint.decode(data, 0),
]


@pytest.mark.parametrize("parse", PARSERS, ids=range(len(PARSERS)))
@given(data=st.binary(max_size=300))
@settings(max_examples=50, deadline=None)
def test_garbage_gives_a_value_or_our_error(parse: Callable[[bytes], object], data: bytes) -> None:
    only_our_errors(parse, data)


@given(data=mutations(encode_request(Request(b"POST", b"https", b"", b"/v1", ((b"a", b"b"),), b"c" * 80, ((b"t", b"v"),)))))
@settings(max_examples=50, deadline=None)
def test_a_mutated_request_is_refused_or_can_be_written_again(data: bytes) -> None:
    request = only_our_errors(decode_request, data)
    assert request is None or decode_request(encode_request(request)) == request  # type: ignore[arg-type]


@given(data=mutations(encode_response(Response(200, ((b"a", b"b"),), b"c" * 80, ((b"t", b"v"),), (Informational(103),)))))
@settings(max_examples=50, deadline=None)
def test_a_mutated_response_is_refused_or_can_be_written_again(data: bytes) -> None:
    decoded = only_our_errors(decode_response, data)
    assert decoded is None or decode_response(encode_response(decoded.response)).response == decoded.response  # type: ignore[attr-defined]


@given(data=mutations(CONFIGS))
@settings(max_examples=50, deadline=None)
def test_a_mutated_list_is_refused_or_keeps_its_bytes(data: bytes) -> None:
    configs = only_our_errors(parse_key_configs, data)
    assert configs is None or all(parse_key_config(config.raw) == config for config in configs)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kem", KEMS)
@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_a_mutated_request_never_opens(kem: Kem, data: st.DataObject) -> None:
    body = data.draw(mutations(SEALED[kem].body))
    if body != SEALED[kem].body:
        with pytest.raises(ChannelError):
            HERE.gateway.open(body)


@given(body=mutations(ANSWER))
@settings(max_examples=50, deadline=None)
def test_a_mutated_answer_never_opens(body: bytes) -> None:
    if body != ANSWER:
        with pytest.raises(ChannelError):
            SEALED[Kem.X25519].opener.open(body)


@given(stream=mutations(STREAM), cuts=st.lists(st.integers(0, len(STREAM)), max_size=5))
@settings(max_examples=50, deadline=None)
def test_a_mutated_stream_yields_a_true_beginning_and_then_our_error(stream: bytes, cuts: list[int]) -> None:
    HERE.keys.get(2).replay._seen.clear()
    reader, out = HERE.gateway.open_chunked(), []
    borders = [0, *sorted(cuts), max(len(stream), len(STREAM))]
    try:
        for begin, end in itertools.pairwise(borders):
            out += reader.feed(stream[begin:end])
        out.append(reader.close())
    except ChannelError:
        assert not reader.finished
    assert b"a message in several chunks".startswith(b"".join(out))
    assert reader.finished == (b"".join(out) == b"a message in several chunks")


@given(request=REQUESTS, padded=st.booleans())
@settings(max_examples=50, deadline=None)
def test_any_request_comes_back(request: Request, padded: bool) -> None:
    assert decode_request(encode_request(request, pad_to=bucket if padded else None)) == request


@given(response=RESPONSES, padded=st.booleans())
@settings(max_examples=50, deadline=None)
def test_any_response_comes_back(response: Response, padded: bool) -> None:
    assert decode_response(encode_response(response, pad_to=bucket if padded else None)).response == response


@given(value=st.integers(0, varint.MAX_VARINT))
@settings(max_examples=50, deadline=None)
def test_any_integer_comes_back(value: int) -> None:
    encoded = varint.encode(value)
    assert varint.decode(encoded, 0) == (value, len(encoded))


@pytest.mark.deep
@pytest.mark.parametrize("parse", PARSERS, ids=range(len(PARSERS)))
@given(data=st.data())
@settings(max_examples=5000, deadline=None)
def test_many_mutations_give_a_value_or_our_error(parse: Callable[[bytes], object], data: st.DataObject) -> None:
    base = data.draw(st.sampled_from([SEALED[Kem.X25519].body, SEALED[Kem.XWING].body, ANSWER, STREAM, CONFIGS, b""]))
    only_our_errors(parse, data.draw(mutations(base)))
