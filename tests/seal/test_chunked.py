from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.seal.fixtures import AEADS, KEMS, Node, flipped, node, refused

from confide.codes import Code
from confide.seal import varint
from confide.seal.chunked import (
    AVERAGE_CHUNK,
    SMALL_CHUNKS,
    ChunkedRequestOpener,
    ChunkedRequestSealer,
    ChunkedResponseOpener,
)
from confide.seal.hpke import Aead, Kem
from confide.seal.ohttp import seal_request
from confide.seal.stream import MAX_CHUNK, ChunkReader

ALL = [(kem, aead) for kem in KEMS for aead in AEADS]
PIECES = [b"one", b"two", b"three"]


def request(here: Node, kem: Kem = Kem.X25519, aead: Aead = Aead.AES_256_GCM) -> tuple[ChunkedRequestSealer, bytes]:
    """A request of three chunks, the last of them final."""
    sealer = ChunkedRequestSealer(here.configs[kem], aead=aead)
    return sealer, b"".join([sealer.write(PIECES[0]), sealer.write(PIECES[1]), sealer.finish(PIECES[2])])


def read(reader: ChunkReader, stream: bytes, step: int | None = None) -> list[bytes]:
    step = step or max(1, len(stream))
    out: list[bytes] = []
    for at in range(0, len(stream), step):
        out += reader.feed(stream[at : at + step])
    return [*out, reader.close()]


def answered(here: Node, kem: Kem = Kem.X25519, aead: Aead = Aead.AES_256_GCM) -> tuple[ChunkedResponseOpener, bytes]:
    """An opened request's response of three chunks."""
    sealer, stream = request(here, kem, aead)
    reader = here.gateway.open_chunked()
    read(reader, stream)
    assert reader.sealer is not None
    response = reader.sealer.write(PIECES[0]) + reader.sealer.write(PIECES[1]) + reader.sealer.finish(PIECES[2])
    return sealer.opener(), response


def frames(stream: bytes, start: int) -> Iterator[tuple[int, int]]:
    """`(begin, end)` of each framed chunk after the header, the final one last."""
    while True:
        length, at = varint.decode(stream, start)
        end = at + length if length else len(stream)
        yield start, end
        if not length:
            return
        start = end


@pytest.mark.parametrize(("kem", "aead"), ALL)
@pytest.mark.parametrize("step", [None, 1, 7])
def test_a_stream_comes_through_however_it_is_cut(kem: Kem, aead: Aead, step: int | None) -> None:
    here = node()
    sealer, stream = request(here, kem, aead)
    reader = here.gateway.open_chunked()
    assert read(reader, stream, step) == PIECES
    assert reader.finished
    assert reader.encapsulation is not None
    assert (reader.encapsulation.enc, reader.encapsulation.request_id) == (sealer.enc, sealer.request_id)
    assert reader.encapsulation.key_config == here.configs[kem]
    opener, response = answered(here, kem, aead)
    assert read(opener, response, step) == PIECES


def test_a_chunk_is_handed_out_as_soon_as_it_is_whole() -> None:
    here = node()
    sealer = ChunkedRequestSealer(here.configs[Kem.XWING])
    reader = here.gateway.open_chunked()
    first = sealer.write(b"first")
    seen = [(reader.feed(part), reader.sealer is not None) for part in (first[:-1], first[-1:], sealer.finish())]
    assert seen == [([], False), ([b"first"], True), ([], True)], "the answer may begin before the request ends"
    assert not reader.finished
    assert reader.close() == b""


@pytest.mark.parametrize("size", [0, 1, MAX_CHUNK - 1, MAX_CHUNK, MAX_CHUNK + 1, 3 * MAX_CHUNK])
def test_long_data_is_cut_into_chunks_that_every_receiver_takes(size: int) -> None:
    here, data = node(), bytes(size)
    sealer = ChunkedRequestSealer(here.configs[Kem.X25519])
    chunks = read(here.gateway.open_chunked(), sealer.finish(data))
    assert b"".join(chunks) == data
    assert len(chunks) == max(1, -(-size // MAX_CHUNK))
    written = ChunkedRequestSealer(here.configs[Kem.X25519])
    assert b"".join(read(here.gateway.open_chunked(), written.write(data) + written.finish())) == data


def test_writing_nothing_sends_the_header_and_no_empty_chunk() -> None:
    here = node()
    sealer = ChunkedRequestSealer(here.configs[Kem.X25519])
    assert len(sealer.write(b"")) == 39
    assert sealer.write(b"") == b""


def test_wide_buffers_are_bytes() -> None:
    here = node()
    sealer = ChunkedRequestSealer(here.configs[Kem.X25519], max_chunk=8)
    wide = memoryview(bytes(range(16))).cast("I")
    chunks = read(here.gateway.open_chunked(), sealer.finish(wide))
    assert chunks == [bytes(range(8)), bytes(range(8, 16))]


@pytest.mark.parametrize("kem", KEMS)
def test_a_request_flipped_in_any_part_is_refused_with_its_code(kem: Kem) -> None:
    here = node()
    _, stream = request(here, kem)
    start = 7 + kem.n_enc
    first, second, final = frames(stream, start)
    expected = {
        0: Code.OHTTP_KEY_ID,
        **dict.fromkeys((1, 3, 5), Code.OHTTP_SUITE),
        **dict.fromkeys((7, start - 32, start - 1), Code.OHTTP_DECAPSULATION),
        **dict.fromkeys(range(first[0] + 1, first[1]), Code.OHTTP_DECAPSULATION),
        **dict.fromkeys(range(second[0] + 1, second[1]), Code.OHTTP_CHUNK),
        **dict.fromkeys(range(final[0] + 1, final[1]), Code.OHTTP_CHUNK),
    }
    for position, code in expected.items():
        with refused(code):
            read(node_with(here), flipped(stream, position, 6 if position == 0 else 3))


def node_with(here: Node) -> ChunkedRequestOpener:
    """A machine on the same keys with an empty replay store, so that one stream can be tried in many ways."""
    for key_id in (1, 2):
        here.keys.get(key_id).replay._seen.clear()
    return here.gateway.open_chunked()


@pytest.mark.parametrize("aead", AEADS)
def test_each_bit_of_a_response_counts(aead: Aead) -> None:
    here = node()
    opener, stream = answered(here, aead=aead)
    start = aead.n_response
    lengths = {begin for begin, _ in frames(stream, start)}
    context, enc = opener._context, opener._enc
    for position in set(range(len(stream))) - lengths:
        with refused(Code.OHTTP_CHUNK):
            read(
                ChunkedResponseOpener(context, enc, max_chunk=MAX_CHUNK, max_message=1000), flipped(stream, position, position % 8)
            )
    assert read(opener, stream) == PIECES


def test_changed_lengths_never_pass() -> None:
    here = node()
    _, stream = request(here)
    for begin, _ in frames(stream, 39):
        for value in range(256):
            if value != stream[begin]:
                with pytest.raises(Exception, match=r"^ohttp\.(chunk|chunk_length|decapsulation|truncated):"):
                    read(node_with(here), stream[:begin] + bytes((value,)) + stream[begin + 1 :])


def test_reordered_dropped_and_repeated_chunks_are_refused() -> None:
    here = node()
    _, stream = request(here)
    head = stream[:39]
    first, second, final = (stream[begin:end] for begin, end in frames(stream, 39))
    for changed, code in (
        (head + second + first + final, Code.OHTTP_DECAPSULATION),
        (head + second + final, Code.OHTTP_DECAPSULATION),
        (head + first + final, Code.OHTTP_CHUNK),
        (head + first + first + second + final, Code.OHTTP_CHUNK),
        (head + first + second + second + final, Code.OHTTP_CHUNK),
        (head + final, Code.OHTTP_DECAPSULATION),
    ):
        with refused(code):
            read(node_with(here), changed)
    assert read(node_with(here), stream) == PIECES


def test_a_chunk_does_not_pass_for_final_nor_a_final_one_for_a_chunk() -> None:
    here = node()
    _, stream = request(here)
    (begin, end), second, (final, _) = frames(stream, 39)
    with refused(Code.OHTTP_CHUNK):
        read(node_with(here), stream[: second[0]] + b"\x00" + stream[second[0] + 1 : second[1]])
    ciphertext = stream[final + 1 :]
    with refused(Code.OHTTP_CHUNK):
        read(node_with(here), stream[:final] + varint.encode(len(ciphertext)) + ciphertext)
    with refused(Code.OHTTP_DECAPSULATION):
        read(node_with(here), stream[:begin] + b"\x00" + stream[begin + 1 : end])


def test_a_stream_cut_anywhere_is_refused() -> None:
    here = node()
    _, stream = request(here)
    (*_, (final, _)) = frames(stream, 39)
    for end in range(len(stream)):
        with refused(Code.OHTTP_TRUNCATED if end < final + 17 else Code.OHTTP_CHUNK):
            read(node_with(here), stream[:end])
    opener, response = answered(node())
    assert opener.feed(response[:-1]) == PIECES[:2]
    with refused(Code.OHTTP_CHUNK):
        opener.close()


def test_bytes_after_the_final_chunk_are_refused() -> None:
    here = node()
    _, stream = request(here)
    with refused(Code.OHTTP_CHUNK):
        read(here.gateway.open_chunked(), stream + b"\x00")


@pytest.mark.parametrize("length", ["01", "0f", "10"])
def test_an_empty_chunk_that_is_not_final_is_refused(length: str) -> None:
    here = node()
    _, stream = request(here)
    with refused(Code.OHTTP_CHUNK_LENGTH):
        here.gateway.open_chunked().feed(stream[:39] + bytes.fromhex(length))


def test_the_largest_chunk_passes_and_a_longer_one_is_refused_by_its_length() -> None:
    here = node()
    sealer = ChunkedRequestSealer(here.configs[Kem.X25519])
    assert read(here.gateway.open_chunked(), sealer.write(bytes(MAX_CHUNK)) + sealer.finish())[0] == bytes(MAX_CHUNK)
    _, stream = request(here)
    for length in (MAX_CHUNK + 17, varint.MAX_VARINT):
        with refused(Code.OHTTP_CHUNK_LENGTH):
            here.gateway.open_chunked().feed(stream[:39] + varint.encode(length))


def test_a_final_chunk_is_bounded_too() -> None:
    here = node()
    _, stream = request(here)
    reader = here.gateway.open_chunked()
    reader.feed(stream[:39] + b"\x00" + bytes(MAX_CHUNK + 16))
    with refused(Code.OHTTP_CHUNK_LENGTH):
        reader.feed(b"\x00")


def test_the_whole_message_is_bounded() -> None:
    here = node(max_message=11)
    _, stream = request(here)
    assert read(node_with(here), stream) == PIECES
    here.gateway.max_message = 10
    with refused(Code.OHTTP_TOO_LARGE):
        read(node_with(here), stream)
    here.gateway.max_message = 5
    with refused(Code.OHTTP_TOO_LARGE):
        read(node_with(here), stream)
    opener, response = answered(node())
    small = ChunkedResponseOpener(opener._context, opener._enc, max_chunk=MAX_CHUNK, max_message=5)
    with refused(Code.OHTTP_TOO_LARGE):
        read(small, response)


def test_longer_forms_of_a_length_are_read() -> None:
    """RFC 9000 section 16 does not ask for the shortest, and neither does the draft."""
    here = node()
    _, stream = request(here)
    spelt = stream[:39]
    for begin, end in frames(stream, 39):
        spelt += b"\x80\x00\x00" + stream[begin:end]
    for step in (None, 1, 3):
        assert read(node_with(here), spelt, step) == PIECES


@pytest.mark.parametrize("kem", KEMS)
def test_a_replay_hands_out_nothing_and_can_be_answered_inside(kem: Kem) -> None:
    here = node()
    sealer, stream = request(here, kem)
    read(here.gateway.open_chunked(), stream)
    again = here.gateway.open_chunked()
    with refused(Code.OHTTP_REPLAYED):
        again.feed(stream)
    assert again.sealer is not None
    assert read(sealer.opener(), again.sealer.finish(b"replayed")) == [b"replayed"]


def test_a_full_store_refuses_a_chunked_request() -> None:
    here = node(replay_capacity=0)
    _, stream = request(here)
    with refused(Code.OHTTP_REPLAY_STORE_FULL):
        here.gateway.open_chunked().feed(stream)


def test_one_message_and_chunked_forms_do_not_pass_for_each_other() -> None:
    here = node()
    sealer = ChunkedRequestSealer(here.configs[Kem.X25519])
    stream = sealer.finish(b"message")
    with refused(Code.OHTTP_DECAPSULATION):
        here.gateway.open(stream[:39] + stream[40:])


def test_nothing_comes_out_after_an_error_or_the_end() -> None:
    here = node()
    _, stream = request(here)
    failed = here.gateway.open_chunked()
    with refused(Code.OHTTP_KEY_ID):
        failed.feed(b"\xff" * 7)
    done = here.gateway.open_chunked()
    read(done, stream)
    for reader in (failed, done):
        with refused(Code.OHTTP_STATE):
            reader.feed(b"")
        with refused(Code.OHTTP_STATE):
            reader.close()
    cut = here.gateway.open_chunked()
    with refused(Code.OHTTP_TRUNCATED):
        cut.close()
    with refused(Code.OHTTP_STATE):
        cut.close()


def test_nothing_is_written_after_the_final_chunk() -> None:
    sealer = ChunkedRequestSealer(node().configs[Kem.X25519])
    sealer.finish()
    with refused(Code.OHTTP_STATE):
        sealer.write(b"more")
    with refused(Code.OHTTP_STATE):
        sealer.finish()


def test_the_answer_to_another_request_is_refused() -> None:
    here = node()
    _, response = answered(here)
    other, _ = request(here)
    with refused(Code.OHTTP_CHUNK):
        read(other.opener(), response)


def test_a_request_of_very_many_small_chunks_is_refused_before_they_are_opened() -> None:
    here = node(max_message=2560)
    bound = SMALL_CHUNKS + 2560 // AVERAGE_CHUNK
    stream = ChunkedRequestSealer(here.configs[Kem.X25519], max_chunk=1).finish(bytes(bound + 1))  # the final one does not count
    assert len(b"".join(read(here.gateway.open_chunked(), stream))) == bound + 1
    reader = here.gateway.open_chunked()
    with refused(Code.OHTTP_TOO_LARGE):
        reader.feed(ChunkedRequestSealer(here.configs[Kem.X25519], max_chunk=1).finish(bytes(bound + 2)))
    assert reader.sealer is not None  # whoever sent it is told inside


def test_a_whole_and_a_chunked_request_of_one_encapsulation_share_one_record() -> None:
    for whole_first in (True, False):
        here, ephemeral = node(), X25519PrivateKey.generate()
        whole = seal_request(here.configs[Kem.X25519], b"m", _ephemeral=ephemeral)
        chunked = ChunkedRequestSealer(here.configs[Kem.X25519], _ephemeral=ephemeral)
        assert (chunked.request_id, chunked.enc) == (whole.request_id, whole.enc)
        stream, reader = chunked.finish(b"m"), here.gateway.open_chunked()
        if whole_first:
            here.gateway.open(whole.body)
            with refused(Code.OHTTP_REPLAYED):
                read(reader, stream)
        else:
            read(reader, stream)
            with refused(Code.OHTTP_REPLAYED):
                here.gateway.open(whole.body)


def test_one_kind_never_opens_as_the_other() -> None:
    here = node()
    stream = ChunkedRequestSealer(here.configs[Kem.X25519]).finish(bytes(64))
    with refused(Code.OHTTP_DECAPSULATION):
        here.gateway.open(stream)
    whole = seal_request(here.configs[Kem.X25519], bytes(64)).body
    framed = whole[:39] + varint.encode(len(whole) - 39) + whole[39:]
    with refused(Code.OHTTP_DECAPSULATION):
        here.gateway.open_chunked().feed(framed)
    assert len(here.keys.get(1).replay) == 0
