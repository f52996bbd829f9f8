"""Whatever one field of a container or one value of a manifest says: a package opens, or is refused with a `package.*` code.

What opens is byte for byte what the second writer, in `scripts/vectors/package.py`, makes of the same files. Random bytes are in
`test_fuzz_package.py`; here headers stay whole except for the fields that are changed, so that later checks are reached.
"""

import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripts.vectors.package import FILES, archive, manifest

from confide.codes import Code
from confide.engine import Package, open_package, write_package
from confide.engine.manifest import MAX_SIZE, parse_manifest
from confide.errors import PackageError

WHOLE = {"confide.toml": manifest(), **FILES}
GOOD = archive(WHOLE)
NORMAL = settings(max_examples=60, deadline=None)
DEEP = settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))

_HEADERS = {  # APPNOTE 4.3.7, 4.3.12, 4.3.16: signature, and the widths of the fields after it
    b"PK\x03\x04": (2, 2, 2, 2, 2, 4, 4, 4, 2, 2),
    b"PK\x01\x02": (2, 2, 2, 2, 2, 2, 4, 4, 4, 2, 2, 2, 2, 2, 4, 4),
    b"PK\x05\x06": (2, 2, 2, 2, 4, 4, 2),
}


def _fields() -> list[tuple[int, int]]:
    """Offset and width of each header field of `GOOD`."""
    found = []
    for signature, widths in _HEADERS.items():
        at = GOOD.find(signature)
        while at >= 0:
            found += [(at + 4 + sum(widths[:index]), width) for index, width in enumerate(widths)]
            at = GOOD.find(signature, at + 1)
    return found


FIELDS = _fields()
_EDGES = st.sampled_from([0, 1, 20, 22, 0x21, 64, 65, 66, 200, 201, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
_CHANGES = st.lists(st.tuples(st.sampled_from(FIELDS), st.one_of(_EDGES, st.integers(0, 0xFFFFFFFF))), min_size=1, max_size=6)
_NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([-(2**63), 2**31, 2**63 - 1, 2**63, 2**64]),
    st.integers(3000, 6000).map(lambda digits: "0x" + "f" * digits),  # Python refuses to print such numbers
)
_TEXTS = st.sampled_from(
    ['""', "[]", "{}", "[[]]", "true", "nan", "-inf", "1979-05-27", "{a.a.a = 1}", '"\\u0000"', '"\\U0001F600"']
)
VALUES = st.one_of(_NUMBERS.map(str), _TEXTS)
MEMBERS = st.sampled_from(["format", "name", "task", "dimension", "labels", "post", "about", "pre", "core"])


def opened(data: bytes) -> Package | None:
    """The package in a container, or None when it is refused as it should be."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.confide"
        path.write_bytes(data)
        package: Package | None
        try:
            package = open_package(path)
            whole = archive({name: package.read(name) for name in package.parts}) == data
        except PackageError as error:
            package, whole = None, is_proper(error)
    assert whole
    return package


def is_proper(error: PackageError) -> bool:
    """Whether a refusal has a code of this area and a message that a terminal can show."""
    return error.code.area == "package" and str(error).isprintable()


def changed(changes: list[tuple[tuple[int, int], int]]) -> bytes:
    """`GOOD` with some header fields set; values are cut to the width of the field."""
    data = bytearray(GOOD)
    for (at, width), value in changes:
        data[at : at + width] = value.to_bytes(4, "little")[:width]
    return bytes(data)


def parses_or_refuses(text: bytes) -> None:
    """The invariant for manifests, with messages that a terminal can show."""
    try:
        holds = parse_manifest(text) is not None
    except PackageError as error:
        holds = is_proper(error)
    assert holds


@NORMAL
@given(_CHANGES)
def test_any_values_of_header_fields_open_or_are_refused(changes: list[tuple[tuple[int, int], int]]) -> None:
    data = changed(changes)
    assert (opened(data) is not None) == (data == GOOD)


@pytest.mark.deep
@DEEP
@given(_CHANGES)
def test_any_values_of_header_fields_open_or_are_refused_at_length(changes: list[tuple[tuple[int, int], int]]) -> None:
    data = changed(changes)
    assert (opened(data) is not None) == (data == GOOD)


@NORMAL
@given(MEMBERS, VALUES)
def test_any_toml_value_of_a_member_parses_or_is_refused(member: str, value: str) -> None:
    parses_or_refuses(manifest(**{member: value}))


@pytest.mark.deep
@DEEP
@given(MEMBERS, VALUES, st.text(max_size=30))
def test_any_toml_value_and_key_parse_or_are_refused_at_length(member: str, value: str, key: str) -> None:
    quoted = "".join(f"\\U{ord(letter):08X}" for letter in key)
    parses_or_refuses(manifest(**{member: value}) + f'"{quoted}" = {value}\n'.encode())


@NORMAL
@given(st.dictionaries(st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?", fullmatch=True), st.binary(max_size=40), max_size=6))
def test_files_survive_the_container_of_either_writer(files: dict[str, bytes]) -> None:
    listed = {f"f/{name}": data for name, data in files.items()}  # apart from the two that the steps use
    if any(name.startswith(other + "/") for name in listed for other in listed):
        return  # a file and a folder of one name
    whole = {"confide.toml": manifest({**FILES, **listed}), **FILES, **listed}
    package = opened(archive(whole))
    assert package is not None
    assert set(package.parts) == set(whole)
    assert rewritten(whole) == archive(whole)


def rewritten(files: dict[str, bytes]) -> bytes:
    """The files as a folder, written as a container by the writer under test."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            (Path(folder) / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / "in" / name).write_bytes(data)
        write_package(Path(folder) / "in", Path(folder) / "out.confide")
        return (Path(folder) / "out.confide").read_bytes()


def test_sizes_that_add_up_beyond_32_bits_are_a_broken_container() -> None:
    directory = b"".join(
        struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0x314, 20, 0, 0, 0, 0x21, 0, size, size, len(name), *([0] * 6)) + name
        for name, size in ((b"confide.toml", 0xFFFFFFFF), (b"model.onnx", 0xFFFFFFFF), (b"tokenizer.json", 1))
    )
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 3, 3, len(directory), 0, 0)
    assert refusal(directory + end) is Code.PACKAGE_CONTAINER


def refusal(data: bytes) -> Code | None:
    """The code with which a container is refused."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "m.confide").write_bytes(data)
        with pytest.raises(PackageError) as caught:
            open_package(Path(folder) / "m.confide")
        return caught.value.code


def test_a_container_holds_64_files_besides_the_manifest_and_no_more() -> None:
    most = {**FILES, **{f"data/{number:02}": b"" for number in range(62)}}
    whole = {"confide.toml": manifest(most), **most}
    package = opened(archive(whole))
    assert package is not None
    assert rewritten(whole) == archive(whole)
    assert refusal(archive({**whole, "data/62": b""})) is Code.PACKAGE_TOO_LARGE


def test_a_second_spelling_of_the_manifest_is_a_duplicate_in_folder_and_container(tmp_path: Path) -> None:
    whole = {**WHOLE, "Confide.toml": b""}
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(PackageError) as caught:
        open_package(tmp_path)
    assert caught.value.code is refusal(archive(whole)) is Code.PACKAGE_DUPLICATE


@pytest.mark.parametrize("number", ["0x" + "f" * 5000, "0x" + "f" * 17, "-0x1", "1e3"])
def test_numbers_out_of_bounds_are_refused_and_not_printed_at_length(number: str) -> None:
    listed = manifest().replace(b"size = 9", f"size = {number}".encode())
    for text in (manifest(dimension=number), manifest(format=number), listed):
        with pytest.raises(PackageError) as caught:
            parse_manifest(text)
        assert len(str(caught.value)) < 300


def test_a_size_of_63_bits_is_a_size() -> None:
    text = manifest().replace(b"size = 9", f"size = {MAX_SIZE}".encode())
    assert parse_manifest(text).files["model.onnx"].size == MAX_SIZE


def test_keys_do_not_reach_a_message_as_they_are() -> None:
    with pytest.raises(PackageError) as caught:
        parse_manifest(manifest() + b'[" - at \\u001b[2J"]\n')
    assert str(caught.value).isprintable()


def test_only_listed_files_have_a_size() -> None:
    package = opened(GOOD)
    assert package is not None
    assert package.size("model.onnx") == len(FILES["model.onnx"])
    for name in ("confide.toml", "other"):
        with pytest.raises(PackageError) as caught:
            package.size(name)
        assert caught.value.code is Code.PACKAGE_MISSING_FILE
