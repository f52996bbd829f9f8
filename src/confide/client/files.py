"""Files of the client: bounded reading, atomic private writing. Errors name the file and never what is in it."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from confide.codes import Code
from confide.errors import MisuseError


def read_file(path: Path, *, limit: int) -> bytes:
    """The whole file of at most `limit` bytes; `client.file` otherwise."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise _failed(path, error, "a readable file") from None
    if len(data) > limit:
        raise MisuseError(Code.CLIENT_FILE, found=f"{path}: more than {limit} bytes", wanted=f"at most {limit}")
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write all of it or nothing, readable by its owner only; `client.file` otherwise."""
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        with suppress(OSError):
            if temporary:
                Path(temporary).unlink(missing_ok=True)
        raise _failed(path, error, "a writable place") from None


def _failed(path: Path, error: OSError, wanted: str) -> MisuseError:
    return MisuseError(Code.CLIENT_FILE, found=f"{path}: {error.strerror or type(error).__name__}", wanted=wanted)
