"""Packages of any size as `.confide` bytes, owners with tokens, and uploads step by step through a node in this process."""

import base64
import hashlib
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from tests.server.packages import write_package as write_folder
from tests.server.running import JSON, Inside, Opened, config, with_node
from tests.server.talking import Talk

from confide.engine.manifest import FileEntry, Task, dump_manifest, parse_manifest
from confide.engine.package import write_package
from confide.server.config import NodeConfig

TOKENS = {name: hashlib.sha256(name.encode()).digest() for name in ("alice", "bob")}
OWNERS = {name: {"token_sha256": hashlib.sha256(token).hexdigest()} for name, token in TOKENS.items()}
PARTIAL = (b"content-type", b"application/partial-upload")


@dataclass(frozen=True)
class Packed:
    """A container and the digest of what is in it."""

    data: bytes = field(repr=False)
    digest: str


def packed(*, seed: int = 1, blob: int = 0, graph: bytes | None = None) -> Packed:
    """A tiny encoder; `blob` more bytes make it as large as wanted; another graph breaks it, whole as it is."""
    with tempfile.TemporaryDirectory() as place:
        folder = write_folder(Path(place) / "package", Task.SENTENCE_EMBEDDING, seed=seed)
        manifest = parse_manifest((folder / "confide.toml").read_bytes())
        files = dict(manifest.files)
        for name, data in (("blob.bin", bytes(range(256)) * (blob // 256)), ("model.onnx", graph or b"")):
            if data:
                (folder / name).write_bytes(data)
                files[name] = FileEntry(len(data), hashlib.sha256(data).hexdigest())
        (folder / "confide.toml").write_bytes(dump_manifest(msgspec.structs.replace(manifest, files=files)))
        package = write_package(folder, Path(place) / "out.confide")
        return Packed((Path(place) / "out.confide").read_bytes(), package.digest.hex())


SMALL, OTHER, LARGE = packed(seed=11), packed(seed=12), packed(seed=13, blob=3 << 20)


def settings(place: Path, **flags: Any) -> NodeConfig:
    """A node with two owners and a folder for uploads."""
    return config(**{"upload_dir": str(place), "owners": OWNERS, **flags})


def bearer(name: str) -> tuple[bytes, bytes]:
    """The header with an owner's token."""
    return b"authorization", b"Bearer " + base64.urlsafe_b64encode(TOKENS[name]).rstrip(b"=")


class Owner:
    """One owner's side."""

    def __init__(self, node: Inside, name: str = "alice") -> None:
        self.node, self.name = node, name
        self._keys = 0

    async def ask(self, method: str, path: str, body: Any = None, *headers: tuple[bytes, bytes]) -> Opened:
        return await self.node.ask(method, path, body, headers=(*JSON, bearer(self.name), *headers))

    async def announce(self, package: Packed, alias: str, *, length: int | None = None, key: bytes = b"", **more: Any) -> Opened:
        self._keys += 1
        size = len(package.data) if length is None else length
        fields = ((b"upload-length", b"%d" % size), (b"idempotency-key", key or b"key-%d" % self._keys))
        return await self.ask("POST", "/v1/uploads", {"digest": package.digest, "alias": alias, **more}, *fields)

    def begin(self, path: str, offset: int, *, complete: bool = False) -> Talk:
        talk = Talk(self.node)
        talk.head("PATCH", path, (PARTIAL, bearer(self.name), *append_fields(offset, complete=complete)))
        return talk

    async def append(self, path: str, data: bytes, offset: int, *, complete: bool = False) -> Opened:
        talk = self.begin(path, offset, complete=complete)
        for at in range(0, len(data), 16000):
            talk.content(data[at : at + 16000])
        talk.end()
        return await talk.answer()

    async def upload(self, package: Packed, alias: str, **more: Any) -> Opened:
        created = await self.announce(package, alias, **more)
        assert created.status == 201, created.content
        path = created.headers[b"location"].decode()
        return await self.append(path, package.data, 0, complete=True)

    async def run(self, alias: str) -> Opened:
        return await self.ask("POST", f"/v1/pipelines/{alias}", {"inputs": ["a doctor"]})

    async def models(self) -> dict[str, Any]:
        return {item["id"]: item for item in (await self.ask("GET", "/v1/models")).json["data"]}


def append_fields(offset: int, *, complete: bool) -> tuple[tuple[bytes, bytes], ...]:
    return (b"upload-offset", b"%d" % offset), (b"upload-complete", b"?1" if complete else b"?0")


def staged(place: Path) -> list[Path]:
    """The sealed files that lie there now."""
    return [path for path in place.glob("*/*") if path.name != "lock"]


def uploading(test: Callable[[Inside, Owner], Awaitable[None]], place: Path, **flags: Any) -> None:
    """Run `test` with alice against a node of two owners."""

    async def run(node: Inside) -> None:
        await test(node, Owner(node))

    with_node(run, settings(place, **flags))
