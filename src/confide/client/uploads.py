"""Packages of an owner: upload, delete, name (spec/12-uploads.md).

1. The digest of the package, from its file. 2. Announce it, with an idempotency key. 3. Send it in parts of a few MiB, each an
exchange of its own: the node acknowledges each, keys may change between them, and what breaks costs one part. 4. After a broken one
ask where the node stands and go on there. 5. The last part says that all is sent; the node checks and loads, which may take a
while. 6. The answer names the digest, and so does its receipt.

The file is never whole in memory. Left to others: whether it is a good package (the node says), sealing and sending (`core`).
"""

import hashlib
import hmac
import os
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from confide.client.core import Core
from confide.client.exchange import Exchanged
from confide.client.flow import Flow, blocking, sleep
from confide.client.remote import error_code, raise_remote
from confide.client.tokens import Token
from confide.codes import Code
from confide.errors import ChannelError, ConfideError, MisuseError, ReceiptError, TransportError
from confide.formats import strictjson
from confide.receipt.model import Receipt

FIRST_PART, LARGEST_PART = 8 << 20, 64 << 20  # bytes; grows while parts take less than `QUICK` seconds
QUICK = 5.0
PIECE = 256 << 10  # bytes read from the file at once
MAX_BREAKS = 8  # in a row, without a byte of progress
MAX_ASKS = 90  # for the end of loading; the node answers each within 20 s
MAX_ANSWER = 1 << 20
MAX_MEMBERS = 65  # of a package: 64 files and the manifest
JSON = (b"content-type", b"application/json")
PARTIAL = (b"content-type", b"application/partial-upload")
Progress = Callable[[int, int], object]
T = TypeVar("T")
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_BREAKS = frozenset(
    {
        *(Code.TRANSPORT_BROKEN, Code.TRANSPORT_TIMEOUT, Code.TRANSPORT_UNREACHABLE, Code.TRANSPORT_STATUS, Code.OHTTP_TRUNCATED),
        *(Code.CLIENT_KEY_CHANGED, Code.NODE_BAD_REQUEST, Code.NODE_TOO_SLOW, Code.NODE_TIMEOUT, Code.UPLOAD_OFFSET),
        Code.UPLOAD_SUPERSEDED,
    }
)


@dataclass(frozen=True)
class Uploaded:
    """A package that the node has loaded, and its name there."""

    digest: str
    alias: str
    version: int
    visibility: str
    receipt: Receipt | None


class AliasVersion(msgspec.Struct, frozen=True):
    """What an alias stood for."""

    version: int
    digest: str
    since: str | None = None


class AliasState(msgspec.Struct, frozen=True):
    """What an alias stands for, and what it stood for."""

    alias: str
    digest: str
    version: int
    owner: str
    visibility: str
    versions: list[AliasVersion] = []


class PackageInfo(msgspec.Struct, frozen=True):
    """One of an owner's packages."""

    digest: str
    name: str
    task: str
    visibility: str
    size: int
    aliases: list[str]


class _Told(msgspec.Struct, frozen=True):
    state: str
    digest: str
    alias: str = ""
    version: int = 0
    visibility: str = ""
    error: dict[str, Any] | None = None


class _Packages(msgspec.Struct, frozen=True):
    data: list[PackageInfo]


class _Deleted(msgspec.Struct, frozen=True):
    aliases: list[str]


def upload_flow(
    core: Core,
    path: Path,
    *,
    alias: str,
    token: str | Token | None = None,
    visibility: str = "owner",
    progress: Progress | None = None,
    resume: bool = True,
) -> Flow[Uploaded]:
    """See `Node.upload`."""
    owner = _token(core, token)
    if visibility not in {"owner", "public"}:
        raise MisuseError(Code.CLIENT_INPUT, found="another visibility", wanted="owner or public")
    file = yield from blocking(lambda: _File.open(path))
    announced = yield from _announce(core, file, alias=alias, owner=owner, visibility=visibility)
    if _field(announced, b"upload-complete") == b"?1":  # the node had it
        return _uploaded(announced, file, alias)
    sending = _Sending(core, file, _location(announced), owner, progress or _silent, resume=resume)
    try:
        done = yield from sending.run(_number(announced, b"upload-offset"))
    except ConfideError as error:
        if not (resume and isinstance(error, TransportError)):  # the node is there, and need not wait for the rest
            with suppress(ConfideError):
                yield from core.request("DELETE", sending.path, headers=(owner.field,))
        raise
    return _uploaded(done, file, alias)


def delete_package_flow(core: Core, digest: str, *, token: str | Token | None = None) -> Flow[tuple[str, ...]]:
    """See `Node.delete_package`."""
    done = yield from core.request("DELETE", f"/v1/packages/{_digest(digest)}", headers=(_token(core, token).field,))
    return tuple(_answered(done, _Deleted).aliases)


def set_alias_flow(core: Core, alias: str, digest: str, *, token: str | Token | None = None) -> Flow[AliasState]:
    """See `Node.set_alias`."""
    content = strictjson.dumps({"digest": _digest(digest)})
    headers = (_token(core, token).field, JSON)
    done = yield from core.request("PUT", f"/v1/aliases/{_alias(alias)}", headers=headers, content=content)
    state = _answered(done, AliasState)
    _require_same(state.digest, digest, done.receipt)
    return state


def alias_flow(core: Core, alias: str, *, token: str | Token | None = None) -> Flow[AliasState]:
    """What an owner's alias stands for, and what it stood for."""
    done = yield from core.request("GET", f"/v1/aliases/{_alias(alias)}", headers=(_token(core, token).field,))
    return _answered(done, AliasState)


def delete_alias_flow(core: Core, alias: str, *, token: str | Token | None = None) -> Flow[None]:
    """Forget an owner's alias; its package stays."""
    done = yield from core.request("DELETE", f"/v1/aliases/{_alias(alias)}", headers=(_token(core, token).field,))
    if done.status != 204:
        raise_remote(done.status, done.content)


def packages_flow(core: Core, *, token: str | Token | None = None) -> Flow[list[PackageInfo]]:
    """What an owner has on the node."""
    done = yield from core.request("GET", "/v1/packages", headers=(_token(core, token).field,))
    return _answered(done, _Packages).data


@dataclass(frozen=True)
class _File:
    """A package file: its digest, and what would show that it is another one by now."""

    path: Path
    size: int
    modified: int
    digest: str

    @classmethod
    def open(cls, path: Path) -> "_File":
        before = _stat(path)
        digest = package_file_digest(path)
        if _stat(path) != before:
            raise _changed(path)
        return cls(path, *before, digest)

    def pieces(self, offset: int, end: int, sent: Callable[[int], object]) -> Iterator[bytes]:
        """The bytes from `offset` to `end`; `client.upload` if they cannot be those of the digest any more."""
        if _stat(self.path) != (self.size, self.modified):
            raise _changed(self.path)
        with self.path.open("rb") as file:
            file.seek(offset)
            while offset < end:
                piece = file.read(min(PIECE, end - offset))
                if not piece:
                    raise _changed(self.path)
                offset += len(piece)
                yield piece
                sent(offset)


class _Sending:
    """The parts of one upload, one after the other."""

    def __init__(self, core: Core, file: _File, path: bytes, owner: Token, progress: Progress, *, resume: bool) -> None:
        self._core, self._file, self.path, self._owner = core, file, path, owner
        self._progress, self._resume = progress, resume
        self._part, self._breaks = FIRST_PART, 0

    def run(self, offset: int) -> Flow[Exchanged]:
        """All of them, and the end of loading."""
        while True:
            try:
                done = yield from self._send(offset)
                if done.status == 200 and _field(done, b"upload-complete") == b"?1":
                    return done
                if done.status == 202:
                    return (yield from self._loaded())
                if done.status != 200:
                    code = error_code(done.status, done.content)
                    if code not in _BREAKS:
                        raise_remote(done.status, done.content)
                    raise TransportError(code)
                offset = _number(done, b"upload-offset")
            except ConfideError as error:
                if error.code not in _BREAKS or not self._resume:
                    raise
                offset = yield from self._resumed(offset, error)

    def _send(self, offset: int) -> Flow[Exchanged]:
        """One part."""
        end = min(self._file.size, offset + self._part)
        headers = (
            self._owner.field,
            PARTIAL,
            (b"upload-offset", b"%d" % offset),
            (b"upload-complete", b"?1" if end == self._file.size else b"?0"),
        )
        started = time.monotonic()
        pieces = self._file.pieces(offset, end, lambda at: self._progress(at, self._file.size))
        done = yield from self._core.request("PATCH", self.path, headers=headers, content=pieces)
        self._part = min(LARGEST_PART, 2 * self._part) if time.monotonic() - started < QUICK else self._part
        self._breaks = 0
        return done

    def _resumed(self, offset: int, error: ConfideError) -> Flow[int]:
        """Where the node stands after a part that broke."""
        self._breaks += 1
        if self._breaks > MAX_BREAKS:
            raise TransportError(
                Code.CLIENT_UPLOAD, found=f"{self._breaks} breaks in a row, at last {error.code.value}", wanted="a connection"
            ) from None
        yield from sleep(min(0.1 * 2**self._breaks, 5.0))
        self._part = max(PIECE, self._part // 2)
        settled = yield from self._core.request("HEAD", self.path, headers=(self._owner.field,))
        told = yield from self._core.request("GET", self.path, headers=(self._owner.field,))
        if told.status != 200 or _answered(told, _Told).error is not None:
            raise_remote(409 if told.status == 200 else told.status, told.content)
        found = _number(settled, b"upload-offset")
        if found > offset:
            self._breaks = 0
        return found

    def _loaded(self) -> Flow[Exchanged]:
        """Ask until the package is loaded."""
        fields = ((b"upload-offset", b"%d" % self._file.size), (b"upload-complete", b"?1"))
        for _ in range(MAX_ASKS):
            done = yield from self._core.request("PATCH", self.path, headers=(self._owner.field, PARTIAL, *fields), repeatable=True)
            if done.status == 200:
                return done
            if done.status != 202:
                raise_remote(done.status, done.content)
        raise TransportError(Code.CLIENT_UPLOAD, found="a package that does not finish loading", wanted="an end")


def package_file_digest(path: Path) -> str:
    """The digest of the package in a `.confide` file (spec/11-package.md, PKG-11). Whether it is a good package the node decides.

    Raises:
        MisuseError: `client.file`.
    """
    wanted = "a package file, as `confide pack` writes it"
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS or any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise MisuseError(Code.CLIENT_FILE, found=f"{path}: another archive", wanted=wanted)
            lines = [_line(archive, member) for member in sorted(members, key=lambda member: member.filename)]
    except OSError as error:
        raise MisuseError(Code.CLIENT_FILE, found=f"{path}: {error.strerror or 'unreadable'}", wanted=wanted) from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError):
        raise MisuseError(Code.CLIENT_FILE, found=f"{path}: no such archive", wanted=wanted) from None
    return hashlib.sha256(("confide-package-v1\n" + "".join(lines)).encode()).hexdigest()


def _line(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    with archive.open(member) as file:
        digest = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type] # it reads, which is all that is asked
    return f"{digest.hexdigest()} {member.file_size} {member.filename}\n"


def _announce(core: Core, file: _File, *, alias: str, owner: Token, visibility: str) -> Flow[Exchanged]:
    headers = (
        owner.field,
        JSON,
        (b"upload-length", b"%d" % file.size),
        (b"idempotency-key", os.urandom(16).hex().encode()),
    )
    content = strictjson.dumps({"digest": file.digest, "alias": _alias(alias), "visibility": visibility})
    done = yield from core.request("POST", "/v1/uploads", headers=headers, content=content)
    if done.status != 201:
        raise_remote(done.status, done.content)
    return done


def _uploaded(done: Exchanged, file: _File, alias: str) -> Uploaded:
    """The node's last word, and the receipt of it: both name this package under this alias."""
    told = _shaped(done, _Told)
    if told.state != "done" or told.alias != alias:
        raise ChannelError(Code.CLIENT_ANSWER, found=f"an upload that is {told.state[:20]}", wanted=f"{alias}, loaded")
    _require_same(told.digest, file.digest, done.receipt)
    return Uploaded(told.digest, told.alias, told.version, told.visibility, done.receipt)


def _require_same(found: str, wanted: str, receipt: Receipt | None) -> None:
    if not hmac.compare_digest(found.encode(), wanted.encode()):
        raise ChannelError(Code.CLIENT_ANSWER, found=found[:64], wanted=wanted)
    if receipt is not None and (receipt.model is None or receipt.model.package.hex() != wanted):
        raise ReceiptError(Code.RECEIPT_MODEL, found="another package, or none", wanted=wanted)


def _answered(done: Exchanged, kind: type[T]) -> T:
    if done.status != 200:
        raise_remote(done.status, done.content)
    return _shaped(done, kind)


def _shaped(done: Exchanged, kind: type[T]) -> T:
    try:
        return strictjson.load_as(done.content, kind, limit=MAX_ANSWER)
    except strictjson.JsonError as error:
        raise ChannelError(Code.CLIENT_ANSWER, found=error.code.value, wanted=kind.__name__.strip("_")) from None


def _field(done: Exchanged, name: bytes) -> bytes:
    return next((value for key, value in done.headers if key == name), b"")


def _number(done: Exchanged, name: bytes) -> int:
    value = _field(done, name)
    if not value.isdigit() or len(value) > 15:
        raise ChannelError(Code.CLIENT_ANSWER, found=f"{name.decode()} of {len(value)} characters", wanted="a number")
    return int(value)


def _location(done: Exchanged) -> bytes:
    value = _field(done, b"location")
    if not re.fullmatch(rb"/v1/uploads/[0-9a-f]{1,64}", value):
        raise ChannelError(Code.CLIENT_ANSWER, found="another location", wanted="/v1/uploads/ and an id")
    return value


def _token(core: Core, token: str | Token | None) -> Token:
    found = core.token if token is None else Token.parse(token)
    if found is None:
        raise MisuseError(Code.CLIENT_TOKEN, found="no token", wanted="that of a package owner")
    return found


def _alias(alias: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", alias):
        raise MisuseError(Code.CLIENT_INPUT, found=f"an alias of {len(alias)} characters", wanted="1 to 64 of a-z 0-9 . _ -")
    return alias


def _digest(digest: str) -> str:
    if not _HEX.match(digest):
        raise MisuseError(Code.CLIENT_INPUT, found="no digest", wanted="64 lower-case hex digits")
    return digest


def _stat(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise MisuseError(Code.CLIENT_FILE, found=f"{path}: {error.strerror}", wanted="a package file") from None
    return stat.st_size, stat.st_mtime_ns


def _changed(path: Path) -> MisuseError:
    return MisuseError(Code.CLIENT_UPLOAD, found=f"{path}: changed meanwhile", wanted="the same file to the end")


def _silent(_sent: int, _size: int) -> None:
    """Nobody watches."""
