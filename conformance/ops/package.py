"""`package.open`: a folder (`files`, `links`) or a container (`container`), and perhaps an expected digest, to what it says.

`manifest_padding` blank lines are appended to the manifest of a folder, so that its bound needs no large vector.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confide.engine.manifest import MANIFEST_NAME
from confide.engine.package import Package, open_package


def _open(given: dict[str, Any]) -> dict[str, Any]:
    expected = bytes.fromhex(given["expected_digest"]) if given.get("expected_digest") else None
    with tempfile.TemporaryDirectory() as folder:
        if "container" in given:
            path = Path(folder) / "vector.confide"
            path.write_bytes(bytes.fromhex(given["container"]))
        else:
            path = Path(folder)
            _write(path, given)
        return _members(open_package(path, expected_digest=expected))


def _write(folder: Path, given: dict[str, Any]) -> None:
    for name, data in given["files"].items():
        padding = b"\n" * given.get("manifest_padding", 0) if name == MANIFEST_NAME else b""
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(bytes.fromhex(data) + padding)
    for name, target in given.get("links", {}).items():
        (folder / name).symlink_to(target)


def _members(package: Package) -> dict[str, Any]:
    manifest = package.manifest
    return {
        "digest": package.digest.hex(),
        "parts": {name: digest.hex() for name, digest in package.parts.items()},
        "name": manifest.name,
        "task": manifest.task.value,
        "dimension": manifest.dimension,
        "labels": list(manifest.labels),
        "max_tokens": manifest.pre.max_tokens,
        "inputs": [name.value for name in manifest.core.inputs],
        "post": [step.value for step in manifest.post],
    }


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"package.open": _open}
