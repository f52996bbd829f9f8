"""Makes `vectors/08-channel.json`: HPKE, key configurations, one message, chunks, binary HTTP; one thing wrong at a time."""

import itertools
from collections.abc import Iterator
from typing import Any

from confide.codes import Code
from confide.seal import varint
from confide.seal.hpke import Aead, Kem, PrivateKey
from confide.seal.keyconfig import build_key_config
from confide.seal.replay import request_id
from scripts.vectors._cases import accept, reject
from scripts.vectors._channel import (
    ANSWER,
    CONFIGS,
    EPHEMERAL,
    FINAL,
    KEYS,
    MESSAGE,
    NONCE,
    PIECES,
    SMALL_ORDER,
    Given,
    Random,
    flip,
    seed,
    x25519_body,
    x25519_stream,
)
from scripts.vectors._channel_bhttp import binary_http
from scripts.vectors._channel_hpke import hpke, hpke_refusals, keyconfigs, lists

Cases = Iterator[dict[str, Any]]
X = Kem.X25519


def build(previous: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    random = Random(previous)
    return {
        "spec": "spec/08-channel.md",
        "generator": "scripts/vectors/channel.py",
        "provenance": "One imaginary gateway with an X25519 and an X-Wing key, and one client. Keys, X25519 ephemeral keys and "
        "response nonces come from public seeds SHAKE-256(name), so X25519 outputs rebuild exactly; X-Wing encapsulations are "
        "random and kept, and open under the keys given. Published examples of the RFCs are checked by tests, not copied here.",
        "cases": [
            *hpke(random),
            *hpke_refusals(random),
            *keyconfigs(),
            *lists(),
            *_messages(random),
            *_message_refusals(random),
            *_replays(),
            *_responses(),
            *_chunks(random),
            *_chunk_refusals(),
            *_chunked_responses(),
            *binary_http(),
        ],
    }


def _open(body: bytes, **changes: Any) -> Given:
    return {"keys": [KEYS[body[:1] == b"\x02"]], "body": body.hex()} | changes


def _messages(random: Random) -> Cases:
    rules = "CH-12 CH-13 CH-14 CH-15 CH-16 CH-17 CH-18"
    for aead in Aead:
        given = {"config": CONFIGS[X].raw.hex(), "ephemeral": EPHEMERAL.hex(), "aead": int(aead), "message": MESSAGE.hex()}
        yield accept(f"ohttp-seal-x25519-{int(aead)}", "CH-11", "ohttp.seal", given)
        yield accept(f"ohttp-open-x25519-{int(aead)}", rules, "ohttp.open", _open(x25519_body(aead)))
    yield accept("ohttp-open-xwing", rules, "ohttp.open", _open(random.body))
    yield accept("ohttp-open-empty", "CH-12", "ohttp.open", _open(x25519_body(message=b"")))
    yield accept("ohttp-open-largest", "CH-15", "ohttp.open", _open(x25519_body(), max_message=len(MESSAGE)))
    yield accept("ohttp-open-last-place", "CH-18", "ohttp.open", _open(x25519_body(), replay={"capacity": 1, "seen": []}))


def _message_refusals(random: Random) -> Cases:
    body, wing = x25519_body(), random.body
    for name, data in (("empty", b""), ("header", body[:6]), ("enc", body[:20]), ("tag", body[: 39 + 15]), ("xwing", wing[:1142])):
        yield reject(f"ohttp-reject-truncated-{name}", "CH-12", "ohttp.open", _open(data), Code.OHTTP_TRUNCATED)
    yield reject("ohttp-reject-key-id", "CH-13", "ohttp.open", _open(b"\x09" + body[1:]), Code.OHTTP_KEY_ID)
    for name, position in (("kem", 2), ("kdf", 4), ("aead", 5)):
        yield reject(f"ohttp-reject-suite-{name}", "CH-14", "ohttp.open", _open(flip(body, position, 3)), Code.OHTTP_SUITE)
    swapped = b"\x02" + body[1:]
    yield reject("ohttp-reject-suite-other-key", "CH-14", "ohttp.open", _open(swapped), Code.OHTTP_SUITE)
    large = _open(body, max_message=len(MESSAGE) - 1)
    yield reject("ohttp-reject-too-large", "CH-15", "ohttp.open", large, Code.OHTTP_TOO_LARGE)
    for name, data in (
        ("enc", flip(body, 7)),
        ("enc-small-order", body[:7] + SMALL_ORDER + body[39:]),
        ("ciphertext", flip(body, 39)),
        ("tag", flip(body, -1)),
        ("cut", body[:-1]),
        ("trailing", body + b"\x00"),
        ("other-aead", body[:6] + b"\x01" + body[7:]),
        ("xwing-mlkem", flip(wing, 7)),
        ("xwing-x25519", flip(wing, 7 + 1088)),
        ("xwing-ciphertext", flip(wing, 7 + 1120)),
    ):
        yield reject(f"ohttp-reject-decapsulation-{name}", "CH-16", "ohttp.open", _open(data), Code.OHTTP_DECAPSULATION)
    stranger = PrivateKey.from_bytes(X, seed("another node"))
    other = {"config": build_key_config(1, X, stranger.public_bytes).raw.hex(), "private_key": seed("another node").hex()}
    given = {"keys": [other], "body": body.hex()}
    yield reject("ohttp-reject-decapsulation-other-node", "CH-16", "ohttp.open", given, Code.OHTTP_DECAPSULATION)


def _replays() -> Cases:
    body = x25519_body()
    known = request_id(CONFIGS[X].raw, body[7:39]).hex()
    for name, replay, code, must in (
        ("replayed", {"seen": [known]}, Code.OHTTP_REPLAYED, "CH-17"),
        ("replayed-when-full", {"seen": [known], "capacity": 1}, Code.OHTTP_REPLAYED, "CH-17 CH-18"),
        ("full", {"seen": [seed("another").hex()], "capacity": 1}, Code.OHTTP_REPLAY_STORE_FULL, "CH-18"),
    ):
        yield reject(f"ohttp-reject-{name}", must, "ohttp.open", _open(body, replay=replay), code)
    forged = _open(flip(body, -1), replay={"seen": [], "capacity": 0})
    yield reject("ohttp-reject-forged-before-full", "CH-17", "ohttp.open", forged, Code.OHTTP_DECAPSULATION)
    encs = [seed(f"enc {number}").hex() for number in range(3)]
    given = {"config": CONFIGS[X].raw.hex(), "capacity": 3, "encs": encs}
    yield accept("ohttp-record-three", "CH-17 CH-18", "ohttp.record", given)
    yield reject("ohttp-record-reject-again", "CH-17", "ohttp.record", given | {"encs": [*encs, encs[0]]}, Code.OHTTP_REPLAYED)
    yield reject("ohttp-record-reject-full", "CH-18", "ohttp.record", given | {"capacity": 2}, Code.OHTTP_REPLAY_STORE_FULL)


def _responses() -> Cases:
    for aead in Aead:
        nonce = NONCE[: aead.n_response]
        respond = _open(x25519_body(aead), response=ANSWER.hex(), response_nonce=nonce.hex())
        answered = accept(f"ohttp-respond-{int(aead)}", "CH-19", "ohttp.respond", respond)
        yield answered
        sealed = bytes.fromhex(answered["expected"]["ok"]["response"])
        given = {"config": CONFIGS[X].raw.hex(), "ephemeral": EPHEMERAL.hex(), "aead": int(aead), "message": MESSAGE.hex()}
        yield accept(f"ohttp-open-response-{int(aead)}", "CH-19", "ohttp.open_response", given | {"response": sealed.hex()})
        flips = (("nonce", flip(sealed, 0)), ("ciphertext", flip(sealed, len(nonce))), ("tag", flip(sealed, -1)))
        for name, data in (*flips, ("cut", sealed[:-1])):
            case = given | {"response": data.hex()}
            yield reject(f"ohttp-reject-response-{name}-{int(aead)}", "CH-19", "ohttp.open_response", case, Code.OHTTP_RESPONSE)
        short = given | {"response": sealed[: len(nonce) + 15].hex()}
        yield reject(f"ohttp-reject-response-truncated-{int(aead)}", "CH-19", "ohttp.open_response", short, Code.OHTTP_TRUNCATED)
    given = given | {"ephemeral": seed("another request").hex(), "response": sealed.hex()}
    yield reject("ohttp-reject-response-other-request", "CH-19", "ohttp.open_response", given, Code.OHTTP_RESPONSE)


def _pieces(stream: bytes, *borders: int) -> list[str]:
    cuts = [0, *borders, len(stream)]
    return [stream[begin:end].hex() for begin, end in itertools.pairwise(cuts)]


def _frames(stream: bytes, start: int = 39) -> list[bytes]:
    """The framed chunks after the header, the final one last."""
    frames = []
    while True:
        length, at = varint.decode(stream, start)
        end = at + length if length else len(stream)
        frames.append(stream[start:end])
        if not length:
            return frames
        start = end


def _chunks(random: Random) -> Cases:
    rules = "CH-20 CH-21 CH-22 CH-23 CH-24"
    given = {"config": CONFIGS[X].raw.hex(), "ephemeral": EPHEMERAL.hex(), "aead": None}
    chunks = {"chunks": [piece.hex() for piece in PIECES], "final": FINAL.hex()}
    yield accept("chunked-seal-x25519", "CH-11 CH-24", "ohttp.seal_chunked", given | chunks)
    empty = {"chunks": [b"".hex()], "final": ""}
    yield accept("chunked-seal-empty", "CH-22", "ohttp.seal_chunked", given | empty)
    stream = x25519_stream()
    yield accept("chunked-open-x25519", rules, "ohttp.open_chunked", {"keys": KEYS[:1], "pieces": [stream.hex()]})
    bytewise = {"keys": KEYS[:1], "pieces": _pieces(stream, *range(1, len(stream)))}
    yield accept("chunked-open-byte-by-byte", rules, "ohttp.open_chunked", bytewise)
    wing = random.stream
    yield accept("chunked-open-xwing", rules, "ohttp.open_chunked", {"keys": KEYS[1:], "pieces": _pieces(wing, 7, 1127, 1140)})
    yield accept("chunked-open-empty-final", rules, "ohttp.open_chunked", {"keys": KEYS[:1], "pieces": [x25519_stream(b"").hex()]})
    spelt = stream[:39] + b"".join(b"\x80\x00\x00" + frame for frame in _frames(stream))
    yield accept("chunked-open-longer-integers", "CH-25", "ohttp.open_chunked", {"keys": KEYS[:1], "pieces": [spelt.hex()]})
    exact = {"keys": KEYS[:1], "pieces": [stream.hex()], "max_chunk": 16, "max_message": sum(map(len, PIECES)) + len(FINAL)}
    yield accept("chunked-open-at-the-bounds", "CH-22 CH-23", "ohttp.open_chunked", exact)


def _chunk_refusals() -> Cases:
    stream = x25519_stream()
    head, (first, second, final) = stream[:39], _frames(stream)
    for name, must, code, data in (
        ("key-id", "CH-13", Code.OHTTP_KEY_ID, b"\x09" + stream[1:]),
        ("suite", "CH-14", Code.OHTTP_SUITE, flip(stream, 5)),
        ("enc", "CH-16", Code.OHTTP_DECAPSULATION, flip(stream, 7)),
        ("first-flipped", "CH-16", Code.OHTTP_DECAPSULATION, flip(stream, 40)),
        ("first-dropped", "CH-16", Code.OHTTP_DECAPSULATION, head + second + final),
        ("second-flipped", "CH-20", Code.OHTTP_CHUNK, head + first + flip(second, 1) + final),
        ("second-tag", "CH-20", Code.OHTTP_CHUNK, head + first + flip(second, -1) + final),
        ("second-dropped", "CH-20", Code.OHTTP_CHUNK, head + first + final),
        ("repeated", "CH-20", Code.OHTTP_CHUNK, head + first + first + second + final),
        ("reordered", "CH-20", Code.OHTTP_DECAPSULATION, head + second + first + final),
        ("final-flipped", "CH-20", Code.OHTTP_CHUNK, flip(stream, -1)),
        ("final-as-chunk", "CH-20", Code.OHTTP_CHUNK, head + first + second + varint.encode(len(final) - 1) + final[1:]),
        ("chunk-as-final", "CH-20", Code.OHTTP_CHUNK, head + first + b"\x00" + second[1:]),
        ("trailing", "CH-20", Code.OHTTP_CHUNK, stream + b"\x00"),
        ("no-header", "CH-21", Code.OHTTP_TRUNCATED, stream[:20]),
        ("no-chunk", "CH-21", Code.OHTTP_TRUNCATED, head),
        ("no-final", "CH-21", Code.OHTTP_TRUNCATED, head + first + second),
        ("final-mark-only", "CH-21", Code.OHTTP_TRUNCATED, head + first + second + final[:1]),
        ("final-without-tag", "CH-21", Code.OHTTP_TRUNCATED, head + first + second + final[:16]),
        ("final-cut", "CH-21", Code.OHTTP_CHUNK, stream[:-1]),
        ("empty-chunk", "CH-22", Code.OHTTP_CHUNK_LENGTH, head + b"\x10" + bytes(16) + stream[39:]),
        ("too-long", "CH-22", Code.OHTTP_CHUNK_LENGTH, head + varint.encode((1 << 14) + 17)),
        ("huge", "CH-22", Code.OHTTP_CHUNK_LENGTH, head + b"\xff" * 8),
    ):
        yield reject(f"chunked-reject-{name}", must, "ohttp.open_chunked", {"keys": KEYS[:1], "pieces": [data.hex()]}, code)
    final_chunk = [[(head + first + b"\x00").hex(), 1], ["00", (1 << 14) + 17]]
    given = {"keys": KEYS[:1], "pieces": [final_chunk]}
    yield reject("chunked-reject-long-final", "CH-22", "ohttp.open_chunked", given, Code.OHTTP_CHUNK_LENGTH)
    given = {"keys": KEYS[:1], "pieces": [stream.hex()]}
    for bound in (20, 38):
        large = given | {"max_message": bound}
        yield reject(f"chunked-reject-too-large-{bound}", "CH-23", "ohttp.open_chunked", large, Code.OHTTP_TOO_LARGE)
    known = {"replay": {"seen": [request_id(CONFIGS[X].raw, stream[7:39]).hex()]}}
    yield reject("chunked-reject-replayed", "CH-17", "ohttp.open_chunked", given | known, Code.OHTTP_REPLAYED)
    yield reject("chunked-reject-after-end", "CH-24", "ohttp.open_chunked", given | {"after": [""]}, Code.OHTTP_STATE)
    sealing = {
        "config": CONFIGS[X].raw.hex(),
        "ephemeral": EPHEMERAL.hex(),
        "aead": None,
        "chunks": [],
        "final": "",
        "after": ["00"],
    }
    yield reject("chunked-reject-write-after-end", "CH-24", "ohttp.seal_chunked", sealing, Code.OHTTP_STATE)


def _chunked_responses() -> Cases:
    stream = x25519_stream()
    chunks = {"chunks": [piece.hex() for piece in PIECES], "final": FINAL.hex()}
    given = {"keys": KEYS[:1], "body": stream.hex(), "response_nonce": NONCE.hex()} | chunks
    answered = accept("chunked-respond", "CH-20", "ohttp.respond_chunked", given)
    yield answered
    response = bytes.fromhex(answered["expected"]["ok"]["response"])
    client: Given = {"config": CONFIGS[X].raw.hex(), "ephemeral": EPHEMERAL.hex(), "aead": None}
    opening = client | {"pieces": _pieces(response, 1, 33, 50)}
    yield accept("chunked-open-response", "CH-20 CH-21 CH-22 CH-23", "ohttp.open_chunked_response", opening)
    for name, must, code, data in (
        ("nonce", "CH-20", Code.OHTTP_CHUNK, flip(response, 0)),
        ("first", "CH-20", Code.OHTTP_CHUNK, flip(response, 33)),
        ("final", "CH-20", Code.OHTTP_CHUNK, flip(response, -1)),
        ("truncated", "CH-21", Code.OHTTP_TRUNCATED, response[:-25]),
        ("empty-chunk", "CH-22", Code.OHTTP_CHUNK_LENGTH, response[:32] + b"\x10"),
    ):
        case = client | {"pieces": [data.hex()]}
        yield reject(f"chunked-reject-response-{name}", must, "ohttp.open_chunked_response", case, code)
    large: Given = client | {"pieces": [response.hex()], "max_message": 20}
    yield reject("chunked-reject-response-too-large", "CH-23", "ohttp.open_chunked_response", large, Code.OHTTP_TOO_LARGE)
