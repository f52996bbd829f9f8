"""Engines that always stop, packages as folders, and packages made by hand."""

import asyncio
import hashlib
import zlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from confide.engine import Engine, EngineLimits, LoadedModel, Package, container
from confide.engine.manifest import MANIFEST_NAME

T = TypeVar("T")


def with_engine(
    body: Callable[[Engine, LoadedModel], Awaitable[T]], package: Package, *, workers: int = 1, limits: EngineLimits | None = None
) -> T:
    """Run `body` with a started engine that has loaded the package."""

    async def run() -> T:
        engine = Engine(workers=workers, limits=limits)
        await engine.start()
        try:
            return await body(engine, await engine.load(package))
        finally:
            await engine.stop()

    return asyncio.run(run())


def folder_of(package: Package, folder: Path) -> Path:
    """The package's files as a folder."""
    for name in package.parts:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(package.read(name))
    return folder


def manifest_value(listed: Mapping[str, bytes], **changes: Any) -> dict[str, Any]:
    """A manifest as plain values: an encoder of two dimensions; `changes` replace members, None removes one."""
    value: dict[str, Any] = {
        "format": 1,
        "name": "m",
        "task": "sentence-embedding",
        "dimension": 2,
        "post": ["mean-pool"],
        "pre": {"step": "hf-tokenizer", "file": "t.json", "max_tokens": 8},
        "core": {"step": "onnx", "file": "m.onnx", "inputs": ["input_ids"], "output": "y"},
        "files": {name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in listed.items()},
    }
    return {name: item for name, item in (value | changes).items() if item is not None}


FILES = {"m.onnx": b"graph", "t.json": b"{}"}


def files_with_manifest(files: Mapping[str, bytes] = FILES, /, **changes: Any) -> dict[str, bytes]:
    """The files and a `confide.toml` that lists them."""
    return {MANIFEST_NAME: tomli_w.dumps(manifest_value(files, **changes)).encode(), **files}


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Files into a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def container_bytes(files: Mapping[str, bytes], *, order: list[str] | None = None) -> bytes:
    """The container of the files, by our own writer's functions, in the canonical order or another."""
    names = order or container.order(list(files))
    members = [container.Member(name, size=len(files[name]), crc=zlib.crc32(files[name])) for name in names]
    body = b"".join(container.local_header(member) + files[member.path] for member in members)
    return body + container.directory(members)
