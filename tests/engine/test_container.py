"""The `.confide` container: one spelling, and every other one refused."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.engine.helpers import FILES, container_bytes, files_with_manifest

from confide.codes import Code
from confide.engine import container, open_package
from confide.errors import PackageError

GOOD = container_bytes(files_with_manifest())


def code_of(data: bytes, tmp_path: Path) -> Code:
    """The code with which a container of these bytes is refused."""
    (tmp_path / "m.confide").write_bytes(data)
    with pytest.raises(PackageError) as caught:
        open_package(tmp_path / "m.confide")
    return caught.value.code


def zipped(*, method: int = zipfile.ZIP_STORED, comment: bytes = b"", twice: bool = False) -> bytes:
    """What the standard library writes of the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files_with_manifest().items():
            archive.writestr(name, data)
        archive.comment = comment
    return buffer.getvalue() + (buffer.getvalue() if twice else b"")


def test_the_canonical_bytes_open(tmp_path: Path) -> None:
    (tmp_path / "m.confide").write_bytes(GOOD)
    assert open_package(tmp_path / "m.confide").read("t.json") == b"{}"


@pytest.mark.parametrize("data", [b"", b"PK", bytes(22), GOOD[:-1], GOOD + b"\x00", b"\x00" + GOOD, GOOD[:-22], GOOD + GOOD])
def test_truncated_prefixed_and_trailing_bytes_are_refused(data: bytes, tmp_path: Path) -> None:
    assert code_of(data, tmp_path) is Code.PACKAGE_CONTAINER


@pytest.mark.parametrize("data", [zipped(), zipped(method=zipfile.ZIP_DEFLATED), zipped(comment=b"hello"), zipped(twice=True)])
def test_archives_of_other_programs_are_refused(data: bytes, tmp_path: Path) -> None:
    assert code_of(data, tmp_path) is Code.PACKAGE_CONTAINER


def test_a_zip_bomb_is_refused_before_anything_is_expanded(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("confide.toml", bytes(64 << 20))
    assert len(buffer.getvalue()) < 100_000
    assert code_of(buffer.getvalue(), tmp_path) is Code.PACKAGE_CONTAINER


def test_a_member_given_twice_is_refused(tmp_path: Path) -> None:
    member = container.Member("m.onnx", size=5, crc=0)
    data = 2 * (container.local_header(member) + FILES["m.onnx"]) + container.directory([member, member])
    assert code_of(data, tmp_path) is Code.PACKAGE_DUPLICATE


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    """Two directory entries over one local header: how even stored archives can claim more than they hold."""
    first, second = container.Member("confide.toml", size=5, crc=0), container.Member("m.onnx", size=5, crc=0)
    one = container.directory([first])[:-22]
    other = container.directory([second])[:-22]
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 2, 2, len(one + other), 47, 0)
    assert code_of(container.local_header(first) + b"graph" + one + other + end, tmp_path) is Code.PACKAGE_CONTAINER


def test_members_out_of_order_are_refused(tmp_path: Path) -> None:
    data = container_bytes(files_with_manifest(), order=["m.onnx", "confide.toml", "t.json"])
    assert code_of(data, tmp_path) is Code.PACKAGE_CONTAINER


def test_a_wrong_crc_is_refused(tmp_path: Path) -> None:
    files = files_with_manifest()
    members = [container.Member(name, size=len(files[name]), crc=7) for name in container.order(list(files))]
    data = b"".join(container.local_header(m) + files[m.path] for m in members) + container.directory(members)
    assert code_of(data, tmp_path) is Code.PACKAGE_CONTAINER


def test_more_members_than_a_package_may_have_are_refused(tmp_path: Path) -> None:
    files = files_with_manifest({**FILES, **{f"f{i}": b"" for i in range(65)}})
    assert code_of(container_bytes(files), tmp_path) is Code.PACKAGE_TOO_LARGE


def test_a_directory_that_claims_a_huge_length_is_refused(tmp_path: Path) -> None:
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, 0xFFFFFF, 0, 0)
    assert code_of(bytes(0xFFFFFF) + end, tmp_path) is Code.PACKAGE_TOO_LARGE


@pytest.mark.parametrize("name", [b"\xff\xfe", b"x" * 300])
def test_names_that_are_not_short_ascii_are_refused(name: bytes, tmp_path: Path) -> None:
    record = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0x0314, 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(record), 0, 0)
    assert code_of(record + end, tmp_path) is Code.PACKAGE_PATH


def flips() -> list[int]:
    """Every byte of headers and directory: whatever is not file content."""
    content = b"".join(files_with_manifest()[name] for name in container.order(list(files_with_manifest())))
    return [i for i in range(len(GOOD)) if i < 42 or i >= len(GOOD) - 3 * 46 - 100][: len(GOOD) - len(content)]


@pytest.mark.parametrize("flip", [lambda b: b ^ 0x01, lambda b: b ^ 0x80])
def test_every_flipped_header_byte_is_refused(flip: Callable[[int], int], tmp_path: Path) -> None:
    for position in flips():
        data = bytearray(GOOD)
        data[position] = flip(data[position])
        assert code_of(bytes(data), tmp_path).area == "package"
