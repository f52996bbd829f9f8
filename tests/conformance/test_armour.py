"""Recorded cases stay right however their files are written down: hex, base 64, JSON, gzip, numbers of C."""

import base64
import functools
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from conformance.kinds.armour import NAMES, bare
from conformance.kinds.case import File
from tests.support import need_recorded_vectors, recorded_vectors

from conformance import recorded

BLOB = bytes(range(256))
FORMS: Mapping[str, Callable[[bytes], bytes]] = {
    "hex": lambda data: data.hex().encode(),
    "hex with 0x and a line end": lambda data: b"0x" + data.hex().upper().encode() + b"\n",
    "hex in groups": lambda data: b"\n".join(data[place : place + 16].hex(" ").encode() for place in range(0, len(data), 16)),
    "numbers of C": lambda data: b"{ " + ", ".join(f"0x{byte:02x}" for byte in data).encode() + b" };",
    "base 64": base64.b64encode,
    "base 64 in lines": base64.encodebytes,
    "base 64 for URLs": lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
    "a JSON object": lambda data: json.dumps({"about": "x", "data": base64.b64encode(data).decode()}).encode(),
    "a JSON list of numbers": lambda data: json.dumps(list(data)).encode(),
    "gzip": gzip.compress,
}


@functools.cache
def manifest() -> Any:
    folder = recorded_vectors()
    return {} if folder is None else json.loads((folder / "MANIFEST.json").read_text("utf-8"))


def binary_files() -> Iterator[tuple[Any, Any, str]]:
    """One case of each kind and role whose file is binary."""
    folder, seen = recorded_vectors(), set()
    for entry in manifest().get("vectors", ()):
        roles = {file["name"]: file["role"] for file in entry["files"]}
        for judge in entry.get("judge", ()):
            for name in judge["use"]:
                key = entry["kind"], roles[name], judge.get("default")
                if folder is None or key in seen or roles[name] not in NAMES:
                    continue
                if not (folder / entry["path"] / name).read_bytes().isascii():
                    seen.add(key)
                    yield entry, judge, name


CASES = list(binary_files())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("entry", "judge", "name"), CASES, ids=[f"{judge['case']}-{name}" for _, judge, name in CASES])
def test_a_recorded_case_stays_right(monkeypatch: pytest.MonkeyPatch, entry: Any, judge: Any, name: str, form: str) -> None:
    folder = need_recorded_vectors()
    place, read = folder / entry["path"] / name, Path.read_bytes
    written = FORMS[form](place.read_bytes())
    monkeypatch.setattr(Path, "read_bytes", lambda path: written if path == place else read(path))
    finding, _ = recorded.run_case(folder, entry, judge)
    assert recorded.is_right(finding, judge), finding.code


@pytest.mark.parametrize("form", FORMS)
def test_a_blob_is_found_in_each_form(form: str) -> None:
    assert bare(File("quote", "quote.txt", FORMS[form](BLOB))).data == BLOB


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"<xml>" + b"a" * 200,
        b"deadbeef",  # too small to be evidence
        b"not evidence, but a sentence of some length that has no meaning at all to anybody",
        b'{"broken": ',
        json.dumps({"a": BLOB.hex(), "b": BLOB.hex()}).encode(),  # which of the two is the adapter's to say
        b"\x1f\x8bno gzip",
        BLOB,
    ],
)
def test_anything_else_stays_as_it_is(text: bytes) -> None:
    assert bare(File("ak-crl", "file", text)).data == text


def test_of_several_blobs_the_one_with_the_roles_name_counts() -> None:
    text = json.dumps({"quote": BLOB.hex(), "event_log": (BLOB * 2).hex()}).encode()
    assert bare(File("quote", "q.json", text)).data == BLOB
    assert bare(File("event-log", "q.json", text)).data == BLOB * 2


def test_roles_that_are_text_are_left_alone() -> None:
    assert bare(File("pcrs", "pcrs.json", BLOB.hex().encode())).data == BLOB.hex().encode()
