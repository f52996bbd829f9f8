"""Whatever the bytes: a package opens or is refused with a `package.*` code, and worker messages parse or are `struct.error`.

Nothing else may come out: no other exception, no partial package, no file outside the folder.
"""

import struct
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engine.helpers import FILES, container_bytes, files_with_manifest, write_folder

from confide.engine import open_package, wire
from confide.engine.manifest import parse_manifest
from confide.errors import PackageError

GOOD = container_bytes(files_with_manifest())
MANIFEST = files_with_manifest()["confide.toml"]
NORMAL = settings(max_examples=60, deadline=None)
DEEP = settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))


def opens_or_refuses(data: bytes) -> None:
    """The invariant for containers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.confide"
        path.write_bytes(data)
        try:
            package = open_package(path)
            whole = all(package.read(name) is not None for name in package.parts)
        except PackageError as error:
            whole = error.code.area == "package"
        assert whole
        assert [entry.name for entry in Path(folder).iterdir()] == ["m.confide"]


def parses_or_refuses(data: bytes) -> None:
    """The invariant for manifests."""
    try:
        manifest = parse_manifest(data)
        holds = manifest.files.keys() >= {manifest.pre.file, manifest.core.file}
    except PackageError as error:
        holds = error.code.area == "package"
    assert holds


def edits(base: bytes) -> st.SearchStrategy[bytes]:
    """The base with a few bytes replaced, inserted or taken out."""
    edit = st.tuples(st.integers(0, len(base)), st.binary(max_size=4), st.integers(0, 4))

    def apply(changes: list[tuple[int, bytes, int]]) -> bytes:
        data = base
        for place, new, gone in changes:
            data = data[:place] + new + data[place + gone :]
        return data

    return st.lists(edit, min_size=1, max_size=4).map(apply)


@NORMAL
@given(st.one_of(st.binary(max_size=300), edits(GOOD)))
def test_any_container_opens_or_is_refused(data: bytes) -> None:
    opens_or_refuses(data)


@NORMAL
@given(st.one_of(st.binary(max_size=300), edits(MANIFEST), st.text(max_size=200).map(str.encode)))
def test_any_manifest_parses_or_is_refused(data: bytes) -> None:
    parses_or_refuses(data)


@pytest.mark.deep
@DEEP
@given(st.one_of(st.binary(max_size=300), edits(GOOD)))
def test_any_container_opens_or_is_refused_at_length(data: bytes) -> None:
    opens_or_refuses(data)


@pytest.mark.deep
@DEEP
@given(st.one_of(st.binary(max_size=600), edits(MANIFEST)))
def test_any_manifest_parses_or_is_refused_at_length(data: bytes) -> None:
    parses_or_refuses(data)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=4
)


@NORMAL
@given(st.sampled_from(sorted(tomllib.loads(MANIFEST.decode()))), VALUES)
def test_any_value_of_any_member_parses_or_is_refused(member: str, value: Any) -> None:
    import tomli_w  # noqa: PLC0415 - here only

    changed = {**tomllib.loads(MANIFEST.decode()), member: [] if value is None else value}
    try:
        data = tomli_w.dumps(changed).encode()
    except (TypeError, ValueError):
        return  # not TOML: nothing to parse
    parses_or_refuses(data)


@NORMAL
@given(st.text(max_size=40))
def test_any_file_name_in_a_folder_opens_or_is_refused(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            write_folder(Path(folder), {**files_with_manifest(), "x" + name: b""})
        except (OSError, ValueError, UnicodeError):
            return  # the file system has no such name
        with pytest.raises(PackageError):
            open_package(Path(folder))


MESSAGES: list[Callable[[bytes], Any]] = [
    wire.unpack_answer,
    wire.unpack_run,
    wire.unpack_load,
    wire.unpack_head,
    lambda data: wire.unpack_jobs(data, 1),
    lambda data: wire.unpack_jobs(data, 3),
    lambda data: wire.unpack_result(data, texts=2, row_bytes=8),
]


@NORMAL
@given(st.binary(max_size=80), st.sampled_from(MESSAGES))
def test_any_worker_message_parses_or_is_a_struct_error(data: bytes, parse: Callable[[bytes], Any]) -> None:
    try:
        parse(data)
    except struct.error:
        return


@NORMAL
@given(st.lists(st.lists(st.binary(max_size=20), max_size=5), min_size=1, max_size=4))
def test_jobs_survive_packing_and_parsing(jobs: list[list[bytes]]) -> None:
    data = b"".join(wire.pack_job(number, number & 1, texts) for number, texts in enumerate(jobs))
    parsed = wire.unpack_jobs(data, len(jobs))
    assert [(job.slot, job.flags, job.texts) for job in parsed] == [(i, i & 1, texts) for i, texts in enumerate(jobs)]
    for wrong in (data + b"\x00", data[:-1]):
        with pytest.raises(struct.error):
            wire.unpack_jobs(wrong, len(jobs))


def test_the_seed_of_the_fuzzing_is_a_package(tmp_path: Path) -> None:
    (tmp_path / "m.confide").write_bytes(GOOD)
    assert open_package(tmp_path / "m.confide").read("m.onnx") == FILES["m.onnx"]
