"""The software digest: every source file counts, nothing else does."""

from pathlib import Path

from confide.guest.software import software_digest


def package(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_it_is_stable_and_covers_this_package() -> None:
    assert software_digest() == software_digest()
    assert len(software_digest()) == 32


def test_a_changed_an_added_and_a_renamed_file_change_it(tmp_path: Path) -> None:
    seen = {software_digest(package(tmp_path, a="1"))}
    seen.add(software_digest(package(tmp_path, a="2")))
    seen.add(software_digest(package(tmp_path, b="")))
    (tmp_path / "b.py").rename(tmp_path / "c.py")
    seen.add(software_digest(tmp_path))
    assert len(seen) == 4


def test_bytes_moved_between_name_and_content_change_it(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert software_digest(package(one, ab="c")) != software_digest(package(two, a="bc"))


def test_compiled_caches_do_not_count(tmp_path: Path) -> None:
    before = software_digest(package(tmp_path, a="1"))
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    (cache / "a.py").write_text("cached")
    (tmp_path / "a.pyc").write_bytes(b"\x00")
    assert software_digest(tmp_path) == before
