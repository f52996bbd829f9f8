"""The folder of a boot: nothing of a dead one stays, nothing of a living one goes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import refused

from confide.codes import Code
from confide.seal.atrest import CHUNK
from confide.server.staging import Staging

DIES = "import os, sys; from pathlib import Path; from confide.server.staging import Staging\n"
DIES += "s = Staging.open(Path(sys.argv[1])); s.create('a').append(bytes(2 << 20)); print(s.folder.name, flush=True); os._exit(1)"


def test_what_a_dead_boot_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, tmp_path], check=False, capture_output=True, text=True)
    left = tmp_path / done.stdout.strip()
    assert (left / "a").stat().st_size > 1 << 20
    staging = Staging.open(tmp_path)
    assert not left.exists()
    staging.close()
    assert [path.name for path in tmp_path.iterdir()] == ["start.lock"]


def test_two_boots_share_a_folder_and_leave_each_other_alone(tmp_path: Path) -> None:
    first = Staging.open(tmp_path)
    file = first.create("a")
    file.append(b"x" * CHUNK)
    second = Staging.open(tmp_path)
    assert (first.folder / "a").exists()
    second.close()
    file.append(b"the end")
    file.finish()
    with file.open() as reader:
        assert reader.read() == b"x" * CHUNK + b"the end"
    file.drop()
    first.close()


@pytest.mark.parametrize("name", ["notes.txt", "0" * 31, "A" * 32])
def test_what_is_not_ours_is_not_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / ("0" * 32)).write_text("a file")
    (tmp_path / ("1" * 32)).symlink_to(tmp_path / name)
    Staging.open(tmp_path).close()
    assert {path.name for path in tmp_path.iterdir()} == {"start.lock", name, "0" * 32, "1" * 32}


def test_a_boot_that_died_before_it_had_its_lock_is_removed_too(tmp_path: Path) -> None:
    (tmp_path / ("2" * 32)).mkdir()
    Staging.open(tmp_path).close()
    assert [path.name for path in tmp_path.iterdir()] == ["start.lock"]


def test_a_dropped_file_is_gone_and_its_key_wiped(tmp_path: Path) -> None:
    staging = Staging.open(tmp_path)
    file = staging.create("a")
    file.append(b"x" * CHUNK)
    file.finish()
    copy = os.open(staging.folder / "a", os.O_RDONLY)  # a host may keep the bytes, but not the key
    opened = file.open()
    file.drop()
    file.drop()
    assert not (staging.folder / "a").exists()
    with refused(Code.ATREST_WIPED):
        opened.read()
    os.close(copy)
    staging.close()


def test_a_place_that_cannot_hold_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with refused(Code.UPLOAD_STORAGE):
        Staging.open(tmp_path / "file")
