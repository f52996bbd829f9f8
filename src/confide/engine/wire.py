"""Messages between the engine and its workers, over one SOCK_SEQPACKET pair and two shared regions for each worker.

    engine                                          worker
      LOAD slot sizes (+ manifest, core, tokenizer fds) ->
                                                 <- LOADED slot status detail
      UNLOAD slot                                ->
                                                 <- UNLOADED slot
      RUN  sequence jobs length                  ->            the jobs stand in the request region
                                                 <- ANSWER sequence job status offset length ...   one for each job; the bytes stand
                                                    in the response region
      (the socket closes)                                      the worker ends

Content travels in the regions only, and never in a control message. Each side treats the other's bytes as hostile: the worker's
because a model may have taken it over, the engine's because it costs nothing. No pickle. Left to others: what is done with them
(`lane.py`, `serve.py`).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

MAX_CONTROL = 1024  # HELLO with the names of what was achieved; all others are under 64 bytes
LOAD_FDS = 3  # memory files: manifest, core, tokenizer
_HEAD = struct.Struct("<BI")
_RUN = struct.Struct("<BIHI")
_ANSWER = struct.Struct("<BIHBIIIII")
_SIZES = struct.Struct("<3Q")
_JOB = struct.Struct("<HHI")


class Kind(IntEnum):
    """The first byte of each control message."""

    HELLO = 1
    LOAD = 2
    LOADED = 3
    RUN = 4
    ANSWER = 5
    UNLOAD = 6
    UNLOADED = 7


class Status(IntEnum):
    """How a job or a load went. A worker cannot name any other cause."""

    OK = 0
    TOO_LONG = 1  # a text exceeds the package's tokens and truncation was refused
    FAILED = 2  # the model failed
    TOKENIZER = 3  # loading: tokenizer.json
    GRAPH = 4  # loading: the ONNX graph, or its inputs and outputs
    BAD_JOB = 5  # the request region does not hold what RUN says
    INTEGERS = 6  # loading: int8 on a CPU that does not multiply it exactly
    NO_TOKENS = 7  # a text of which the tokenizer leaves nothing


class JobFlag(IntEnum):
    """Bits of a job's flags."""

    REFUSE_TRUNCATION = 1


@dataclass(slots=True)
class Job:
    """One request as the worker sees it."""

    slot: int
    flags: int
    texts: list[bytes]


@dataclass(slots=True)
class Answer:
    """One ANSWER message. Times are microseconds."""

    sequence: int
    job: int
    status: int
    offset: int
    length: int
    pre: int
    core: int
    post: int


def pack_head(kind: Kind, number: int, payload: bytes = b"") -> bytes:
    """HELLO, LOADED, UNLOAD and UNLOADED: kind, a number (a slot, or the process id), a small payload."""
    return _HEAD.pack(kind, number) + payload


def unpack_head(message: bytes) -> tuple[int, bytes]:
    """The number and payload of such a message."""
    return _HEAD.unpack_from(message)[1], message[_HEAD.size :]


def pack_load(slot: int, sizes: Sequence[int]) -> bytes:
    """LOAD: the slot, and the sizes of the memory files (the worker's sandbox cannot ask)."""
    return pack_head(Kind.LOAD, slot, _SIZES.pack(*sizes))


def unpack_load(message: bytes) -> tuple[int, tuple[int, ...]]:
    """Slot and sizes of a LOAD message."""
    slot, sizes = unpack_head(message)
    return slot, _SIZES.unpack(sizes)


def pack_run(sequence: int, jobs: int, length: int) -> bytes:
    """RUN: how many jobs stand in the first `length` bytes of the request region."""
    return _RUN.pack(Kind.RUN, sequence, jobs, length)


def unpack_run(message: bytes) -> tuple[int, int, int]:
    """Sequence number, jobs and length of a RUN message."""
    _, sequence, jobs, length = _RUN.unpack(message)
    return sequence, jobs, length


def pack_answer(*fields: int) -> bytes:
    """ANSWER, as bytes; the fields are those of `Answer`, in order."""
    return _ANSWER.pack(Kind.ANSWER, *fields)


def unpack_answer(message: bytes) -> Answer:
    """ANSWER, from bytes of exactly its size (else `struct.error`)."""
    return Answer(*_ANSWER.unpack(message)[1:])


def pack_job(slot: int, flags: int, texts: Sequence[bytes]) -> bytes:
    """One job: slot, flags, count, the texts' lengths, the texts (UTF-8)."""
    lengths = struct.pack(f"<{len(texts)}I", *map(len, texts))
    return b"".join((_JOB.pack(slot, flags, len(texts)), lengths, *texts))


def unpack_jobs(data: bytes, count: int) -> list[Job]:
    """The jobs of a request region.

    Raises:
        struct.error: when lengths and counts do not add up to exactly `data`.
    """
    jobs, at = [], 0
    for _ in range(count):
        slot, flags, texts = _JOB.unpack_from(data, at)
        at += _JOB.size
        if texts > (len(data) - at) // 4:
            raise struct.error("more texts than bytes")
        lengths = struct.unpack_from(f"<{texts}I", data, at)
        at += 4 * texts
        cut = []
        for length in lengths:
            cut.append(data[at : at + length])
            at += length
        jobs.append(Job(slot, flags, cut))
    if at != len(data):
        raise struct.error("lengths do not add up")
    return jobs


def pack_seen(texts: Sequence[tuple[int, bool]]) -> bytes:
    """What stands before a job's float32 rows in the response region: for each text its tokens (top bit: truncated)."""
    return struct.pack(f"<{len(texts)}I", *[count | (cut << 31) for count, cut in texts])


def unpack_result(data: bytes, *, texts: int, row_bytes: int) -> tuple[tuple[int, ...], tuple[bool, ...], bytes]:
    """Tokens, truncation marks and float32 rows (`struct.error` unless the length is exactly right)."""
    if len(data) != result_bytes(texts, row_bytes):
        raise struct.error("another length")
    words = struct.unpack_from(f"<{texts}I", data)
    return tuple([word & 0x7FFFFFFF for word in words]), tuple([word >= 1 << 31 for word in words]), data[4 * texts :]


def result_bytes(texts: int, row_bytes: int) -> int:
    """Size of a result in the response region."""
    return texts * (4 + row_bytes)
