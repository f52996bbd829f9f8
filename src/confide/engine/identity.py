"""Which engine computes, as receipts name it: the runtime's name and version, and a digest of the code that touches tensors."""

import functools
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from confide.engine.package import FileDigest, package_digest
from confide.engine.results import EngineIdentity

_LIBRARIES = ("onnxruntime", "tokenizers", "numpy")


@functools.cache
def engine_identity() -> EngineIdentity:
    """Name and version of ONNX Runtime; the digest lists its native libraries, those of `tokenizers` and `numpy`, and `engine/`."""
    files = {name: _digest(path) for name, path in _files()}
    return EngineIdentity("onnxruntime", importlib.metadata.version("onnxruntime"), package_digest(files))


def _files() -> Iterator[tuple[str, Path]]:
    for library in _LIBRARIES:
        root = _root(library)
        yield from ((f"{library}/{path.relative_to(root)}", path) for path in sorted(root.rglob("*.so*")) if path.is_file())
    ours = Path(__file__).resolve().parent
    yield from ((f"confide.engine/{path.name}", path) for path in sorted(ours.glob("*.py")))


def _root(library: str) -> Path:
    """Where a library lies, without importing it into the front process."""
    spec = importlib.util.find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        raise importlib.metadata.PackageNotFoundError(library)
    return Path(spec.submodule_search_locations[0])


def _digest(path: Path) -> FileDigest:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        return FileDigest(file.tell(), digest)
