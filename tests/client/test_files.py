"""Files: bounded, whole or not at all, and errors that name the file only."""

from pathlib import Path

import pytest

from confide.client.files import read_file, write_file
from confide.codes import Code
from confide.errors import MisuseError


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    assert read_file(tmp_path / "x", limit=5) == b"12345"


def test_a_larger_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"123456")
    with pytest.raises(MisuseError) as caught:
        read_file(tmp_path / "x", limit=5)
    assert caught.value.code is Code.CLIENT_FILE


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_is_no_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(MisuseError) as caught:
        read_file(tmp_path / name, limit=5)
    assert caught.value.code is Code.CLIENT_FILE
    assert str(tmp_path) in caught.value.found


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_file(tmp_path / "new" / "x", b"one")
    write_file(tmp_path / "new" / "x", b"two")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x"]
    assert (tmp_path / "new" / "x").read_bytes() == b"two"


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "inside").write_bytes(b"")
    with pytest.raises(MisuseError) as caught:
        write_file(tmp_path / "x", b"data")
    assert caught.value.code is Code.CLIENT_FILE
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
