"""A cursor over the big-endian structures of TPMs (TCG TPM 2.0 Library, part 2). What does not decode is `tpm.structure`."""

from confide.codes import Code
from confide.errors import EvidenceError


class Reader:
    """Reads forward only; every error is ours."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        left = len(self._data) - self._at
        if size > left:
            raise structure(f"{left} bytes left", f"{size}")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        """An unsigned integer (part 2 section 4.3: big-endian)."""
        return int.from_bytes(self.take(size))

    def sized(self) -> bytes:
        """A TPM2B: two bytes of length, then as many (part 2 section 10.4)."""
        return self.take(self.number(2))

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Nothing is left."""
        if self._at != len(self._data):
            raise structure(f"{len(self._data) - self._at} bytes left over", "none")


def structure(found: str, wanted: str) -> EvidenceError:
    """The error of a structure that does not decode."""
    return EvidenceError(Code.TPM_STRUCTURE, found=found, wanted=wanted)
