"""Packages: what opens, and one test for each way in which a package can be broken."""

import hashlib
import os
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tomli_w
from tests.engine.helpers import FILES, container_bytes, files_with_manifest, folder_of, manifest_value, write_folder

from confide.codes import Code
from confide.engine import Package, open_package, package_digest, write_package
from confide.engine.manifest import MANIFEST_NAME, MAX_FILES
from confide.engine.package import FileDigest
from confide.errors import PackageError


def code_of(path: Path, expected: bytes | None = None) -> Code:
    """The code with which opening fails."""
    with pytest.raises(PackageError) as caught:
        open_package(path, expected_digest=expected)
    assert caught.value.found
    assert caught.value.wanted
    return caught.value.code


def test_a_folder_and_its_container_have_the_same_digest_and_parts(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", files_with_manifest())
    package = write_package(folder, tmp_path / "m.confide")
    opened = open_package(folder, expected_digest=package.digest)
    assert opened.digest == package.digest
    assert opened.parts == package.parts == {name: hashlib.sha256(data).digest() for name, data in files_with_manifest().items()}
    assert package.read("m.onnx") == FILES["m.onnx"]
    assert package.size("m.onnx") == 5


def test_the_digest_is_the_hash_of_a_listing_that_a_shell_could_write(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, files_with_manifest())
    lines = [
        f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()} {(folder / n).stat().st_size} {n}\n"
        for n in sorted(path.name for path in folder.iterdir())
    ]
    assert open_package(folder).digest == hashlib.sha256(("confide-package-v1\n" + "".join(lines)).encode()).digest()


def test_the_shell_lines_of_the_specification_print_the_digest(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "spec" / "11-package.md").read_text("utf-8")
    lines = text.rsplit("```", 2)[1]
    folder = write_folder(tmp_path, files_with_manifest({**FILES, "sub/B": b"x", "sub/a": b"y"}))
    done = subprocess.run(["/bin/bash", "-c", lines], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == open_package(folder).digest.hex()


def test_every_byte_of_every_file_is_in_the_digest() -> None:
    base = {"a": FileDigest(1, bytes(32)), "b": FileDigest(2, bytes(32))}
    others = [
        base | {"a": FileDigest(2, bytes(32))},
        base | {"a": FileDigest(1, b"\x01" + bytes(31))},
        {"a": base["a"], "c": base["b"]},
        {"a": base["a"]},
    ]
    assert len({package_digest(files) for files in [base, *others]}) == 5


def test_a_container_is_a_zip_archive_that_other_programs_open(tmp_path: Path) -> None:
    write_package(write_folder(tmp_path / "folder", files_with_manifest()), tmp_path / "m.confide")
    with zipfile.ZipFile(tmp_path / "m.confide") as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files_with_manifest()


def test_containers_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", files_with_manifest())
    for name in ("a.confide", "b.confide"):
        write_package(folder, tmp_path / name)
    assert (tmp_path / "a.confide").read_bytes() == (tmp_path / "b.confide").read_bytes() == container_bytes(files_with_manifest())


def test_a_missing_path_is_not_found(tmp_path: Path) -> None:
    assert code_of(tmp_path / "nothing.confide") is Code.PACKAGE_NOT_FOUND


def test_a_special_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert code_of(tmp_path / "pipe") is Code.PACKAGE_LINK


def test_another_digest_than_the_expected_one_is_refused(tmp_path: Path) -> None:
    assert code_of(write_folder(tmp_path, files_with_manifest()), expected=bytes(32)) is Code.PACKAGE_DIGEST


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, files_with_manifest())
    (folder / "t.json").unlink()
    assert code_of(folder) is Code.PACKAGE_MISSING_FILE


def test_an_unlisted_file_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, files_with_manifest() | {"extra.py": b"print()"})
    assert code_of(folder) is Code.PACKAGE_UNLISTED_FILE


@pytest.mark.parametrize("data", [b"Graph", b"grap", b"graphs"])
def test_a_changed_file_is_refused(tmp_path: Path, data: bytes) -> None:
    folder = write_folder(tmp_path, files_with_manifest() | {"m.onnx": data})
    assert code_of(folder) is Code.PACKAGE_FILE_DIGEST


def test_a_file_that_changes_after_opening_is_refused_when_read(tmp_path: Path) -> None:
    package = open_package(write_folder(tmp_path, files_with_manifest()))
    (tmp_path / "m.onnx").write_bytes(b"other")
    with pytest.raises(PackageError) as caught:
        package.read("m.onnx")
    assert caught.value.code is Code.PACKAGE_FILE_DIGEST


def test_reading_a_file_that_is_no_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError) as caught:
        open_package(write_folder(tmp_path, files_with_manifest())).read("../secret")
    assert caught.value.code is Code.PACKAGE_MISSING_FILE


@pytest.mark.parametrize("target", ["m.onnx", "/etc/passwd"])
def test_a_symbolic_link_in_the_folder_is_refused(tmp_path: Path, target: str) -> None:
    folder = write_folder(tmp_path, files_with_manifest())
    (folder / "link").symlink_to(target)
    assert code_of(folder) is Code.PACKAGE_LINK


def test_a_linked_folder_in_the_package_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "package", files_with_manifest())
    (folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    assert code_of(folder) is Code.PACKAGE_LINK


@pytest.mark.parametrize(
    "name", ["../m.onnx", "/m.onnx", "a/../../b", ".hidden", "a//b", "a\\b", "sp ace", "ü", "x" * 201, "a/" * 9 + "b", ""]
)
def test_names_that_leave_the_package_or_hide_are_refused(tmp_path: Path, name: str) -> None:
    files = {**FILES, name: b""}
    (tmp_path / "m.confide").write_bytes(container_bytes(files_with_manifest(files), order=[MANIFEST_NAME]))
    assert code_of(tmp_path / "m.confide") is Code.PACKAGE_PATH


def test_names_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.confide").write_bytes(container_bytes(files_with_manifest({**FILES, "M.onnx": b""})))
    assert code_of(tmp_path / "m.confide") is Code.PACKAGE_DUPLICATE


def test_a_name_that_is_file_and_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.confide").write_bytes(container_bytes(files_with_manifest({**FILES, "m.onnx/x": b""})))
    assert code_of(tmp_path / "m.confide") is Code.PACKAGE_DUPLICATE


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, files_with_manifest() | {f"f{i}": b"" for i in range(2 * MAX_FILES)})
    assert code_of(folder) is Code.PACKAGE_TOO_LARGE


def test_a_huge_manifest_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, FILES | {MANIFEST_NAME: b"#" * (300 << 10)})
    assert code_of(folder) is Code.PACKAGE_TOO_LARGE


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    assert code_of(write_folder(tmp_path, FILES)) is Code.PACKAGE_MANIFEST


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", files_with_manifest({**FILES, "big": bytes(1 << 20)}))
    out = tmp_path / "out"
    out.mkdir()
    (out / "m.confide").write_bytes(b"the old one")
    program = (
        "import resource, signal, sys; from pathlib import Path; from confide.engine.package import write_package\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))\n"
        "try: write_package(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except Exception as error: sys.exit(error.code.value)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, folder, out / "m.confide"], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "package.write"
    assert [path.name for path in out.iterdir()] == ["m.confide"]
    assert (out / "m.confide").read_bytes() == b"the old one"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100000


def test_a_place_that_does_not_exist_cannot_be_written(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", files_with_manifest())
    with pytest.raises(PackageError) as caught:
        write_package(folder, tmp_path / "missing" / "m.confide")
    assert caught.value.code is Code.PACKAGE_WRITE


def test_an_unpacked_container_is_the_same_package(tiny: Package, tmp_path: Path) -> None:
    assert open_package(folder_of(tiny, tmp_path)).digest == tiny.digest


def test_messages_never_hold_content_of_files(tmp_path: Path) -> None:
    secret = "SECRET-CONTENT"
    folder = write_folder(tmp_path, FILES | {MANIFEST_NAME: tomli_w.dumps(manifest_value(FILES, extra=secret)).encode()})
    with pytest.raises(PackageError) as caught:
        open_package(folder)
    assert secret not in str(caught.value)
