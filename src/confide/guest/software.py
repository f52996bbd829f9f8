"""The software digest: one SHA-256 over the files of the installed package, equal for a source tree and the wheel built from it.

It names the code that runs, for policies and receipts; what makes it trustworthy is the TEE's own measurement, which on real
hardware covers the interpreter and every dependency too. Left to others: the configuration digest (`server.config`).
"""

import hashlib
from pathlib import Path

_DOMAIN = b"confide/v1/software\x00"
_SKIPPED = {"__pycache__"}
_SUFFIXES = {".py", ".typed"}  # what the wheel carries; compiled caches differ from machine to machine


def software_digest(package: Path | None = None) -> bytes:
    """SHA-256 over every source file: length-prefixed path and SHA-256 of the content, in order of path.

    Args:
        package: the package's directory; None for this installed `confide`.
    """
    folder = package or Path(__file__).resolve().parent.parent
    digest = hashlib.sha256(_DOMAIN)
    for name, path in sorted(_files(folder)):
        digest.update(len(name).to_bytes(4, "big") + name + hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()


def _files(folder: Path) -> list[tuple[bytes, Path]]:
    return [
        (path.relative_to(folder).as_posix().encode(), path)
        for path in folder.rglob("*")
        if path.suffix in _SUFFIXES and path.is_file() and not _SKIPPED.intersection(path.parts)
    ]
