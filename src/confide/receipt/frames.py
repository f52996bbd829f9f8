"""Records of the log's files: each a length of four bytes, big-endian, and as many bytes (spec/10-log.md).

A file that was cut in the middle of a record (a crash, a full disk) ends with the whole record before it; so does one whose rest is
zeros, as file systems leave it after a loss of power. Anything else that is no record is an error. Left to others: files
(`server.storage`, `client.logs`), what records hold.
"""

from confide.codes import Code
from confide.errors import ReceiptError

HEADER = 4  # bytes of a length


def frame(data: bytes) -> bytes:
    """One record."""
    return len(data).to_bytes(HEADER, "big") + data


class FrameReader:
    """Bytes of a file in, records out, in any slices.

    Attributes:
        offset: where the last whole record ends.
    """

    def __init__(self, *, limit: int, offset: int = 0) -> None:
        self._limit = limit
        self._rest = b""
        self._end = offset
        self.offset = offset

    @property
    def cut(self) -> int:
        """Bytes after the last whole record: what a reader cuts when the file ends here."""
        return self._end - self.offset

    def feed(self, data: bytes) -> list[bytes]:
        """The records that are whole now; `log.record` for a length of 0 before other bytes, or over the bound."""
        rest, place, found = self._rest + data, 0, []
        self._end += len(data)
        while len(rest) - place >= HEADER:
            size = int.from_bytes(rest[place : place + HEADER], "big")
            if not 1 <= size <= self._limit:
                self._require_zeros(rest[place:], size)
                rest = rest[: place + HEADER]  # of zeros without end, no more than this is kept
                break
            end = place + HEADER + size
            if end > len(rest):
                break
            found.append(rest[place + HEADER : end])
            self.offset += end - place
            place = end
        self._rest = rest[place:]
        return found

    def _require_zeros(self, rest: bytes, size: int) -> None:
        if rest.strip(b"\0"):
            found = f"a length of {size} at byte {self.offset}"
            raise ReceiptError(Code.LOG_RECORD, found=found, wanted=f"1 to {self._limit}, or the end of the file")


def records(data: bytes, *, limit: int) -> tuple[list[bytes], int]:
    """All whole records of a file, and how many bytes at its end belong to none."""
    reader = FrameReader(limit=limit)
    return reader.feed(data), reader.cut
