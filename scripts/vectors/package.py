"""Makes `vectors/11-package.json`: one small package, as a folder and as a container, in which one thing at a time is different.

The container's bytes are written here from APPNOTE and spec/11-package.md, not by the writer under test. Nothing is random.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from confide.codes import Code
from scripts.vectors._cases import accept, reject

OP = "package.open"
FILES = {"model.onnx": b"the graph", "tokenizer.json": b"{}"}
CLASSIFIER: dict[str, str | None] = {
    "task": '"text-classification"',
    "dimension": "2",
    "labels": '["no", "yes"]',
    "post": '["softmax"]',
}


def manifest(listed: Mapping[str, bytes] = FILES, /, **changes: str | None) -> bytes:
    """A `confide.toml` by hand; `changes` replace a line's value, None removes the line. `files` has every name in quotes."""
    top: dict[str, str | None] = {
        "format": "1",
        "name": '"minimal"',
        "task": '"sentence-embedding"',
        "dimension": "4",
        "labels": None,
        "post": '["mean-pool", "l2-normalise"]',
    }
    tables = {
        "pre": '{ step = "hf-tokenizer", file = "tokenizer.json", max_tokens = 16 }',
        "core": '{ step = "onnx", file = "model.onnx", inputs = ["input_ids"], output = "y" }',
    }
    lines = [f"{name} = {value}" for name, value in (top | tables | changes).items() if value is not None]
    listing = [
        f'"{name}" = {{ size = {len(data)}, sha256 = "{hashlib.sha256(data).hexdigest()}" }}' for name, data in listed.items()
    ]
    return "\n".join([*lines, "[files]", *listing, ""]).encode()


def folder(text: bytes | None, files: Mapping[str, bytes] = FILES, **more: Any) -> dict[str, Any]:
    """The input for a folder."""
    given = {**({"confide.toml": text} if text is not None else {}), **files}
    return {"files": {name: data.hex() for name, data in given.items()}, **more}


def archive(
    files: Mapping[str, bytes],
    *,
    order: list[str] | None = None,
    method: int = 0,
    date: int = 0x21,
    comment: bytes = b"",
    before: bytes = b"",
    after: bytes = b"",
    crc_change: int = 0,
    names: Mapping[str, bytes] | None = None,
) -> bytes:
    """A ZIP archive by the letter of APPNOTE; each option is one way to be another spelling."""
    body, directory, written = b"", b"", order or ["confide.toml", *sorted(set(files) - {"confide.toml"})]
    for key in written:
        data, name = files[key], (names or {}).get(key, key.encode())
        stored = zlib.compress(data)[2:-4] if method else data
        common = struct.pack("<HHHHIIIHH", 0, method, 0, date, zlib.crc32(data) ^ crc_change, len(stored), len(data), len(name), 0)
        directory += b"PK\x01\x02" + struct.pack("<HH", 0x0314, 20) + common
        directory += struct.pack("<HHHII", 0, 0, 0, 0o100644 << 16, len(before) + len(body)) + name
        body += b"PK\x03\x04" + struct.pack("<H", 20) + common + name + stored
    start = len(before) + len(body)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, len(written), len(written), len(directory), start, len(comment)) + comment
    return before + body + directory + end + after


def container(files: Mapping[str, bytes] | None = None, **options: Any) -> dict[str, Any]:
    """The input for a container."""
    return {"container": archive(files or {"confide.toml": manifest(), **FILES}, **options).hex()}


def build(previous: dict[str, Any] | None) -> dict[str, Any]:  # noqa: ARG001 - nothing is random here
    """The whole file."""
    return {
        "spec": "spec/11-package.md",
        "generator": "scripts/vectors/package.py",
        "provenance": "Made by the generator: a package of two small files, its container written by hand from APPNOTE.",
        "cases": [*_accepted(), *_containers(), *_names(), *_manifests(), *_pipelines(), *_files()],
    }


def _accepted() -> Iterator[dict[str, Any]]:
    whole = {"confide.toml": manifest(), **FILES}
    opened = accept("package-accept-folder", "PKG-2 PKG-4 PKG-6 PKG-7 PKG-8 PKG-9 PKG-10", OP, folder(manifest()))
    digest = opened["expected"]["ok"]["digest"]
    yield opened
    yield accept("package-accept-container", "PKG-1 PKG-2 PKG-3", OP, container())
    yield accept("package-accept-expected-digest", "PKG-11", OP, {**container(whole), "expected_digest": digest})
    yield accept("package-accept-classifier", "PKG-7 PKG-8", OP, folder(manifest(**CLASSIFIER)))
    about = manifest(about='{ description = "d", license = "Apache-2.0" }', post="[]")
    yield accept("package-accept-about-no-post", "PKG-7 PKG-8", OP, folder(about))
    many = {**FILES, **{f"data/{number:02}": b"" for number in range(62)}}
    yield accept("package-accept-64-files", "PKG-2 PKG-5", OP, folder(manifest(many), many))
    full = 262144 - len(manifest())
    yield accept("package-accept-manifest-of-262144-bytes", "PKG-5", OP, folder(manifest(), manifest_padding=full))


def _containers() -> Iterator[dict[str, Any]]:
    for name, options in (
        ("compressed", {"method": 8}),
        ("comment", {"comment": b"x"}),
        ("prefix", {"before": b"#!"}),
        ("trailing", {"after": b"\x00"}),
        ("order", {"order": ["model.onnx", "confide.toml", "tokenizer.json"]}),
        ("date", {"date": 0x22}),
        ("crc", {"crc_change": 1}),
    ):
        yield reject(f"package-reject-container-{name}", "PKG-1", OP, container(None, **options), Code.PACKAGE_CONTAINER)
    yield reject("package-reject-container-empty", "PKG-1", OP, {"container": ""}, Code.PACKAGE_CONTAINER)
    whole = archive({"confide.toml": manifest(), **FILES})
    yield reject("package-reject-container-truncated", "PKG-1", OP, {"container": whole[:-1].hex()}, Code.PACKAGE_CONTAINER)
    flipped = whole[:6] + bytes([whole[6] ^ 0x08]) + whole[7:]  # the local header announces a data descriptor
    yield reject("package-reject-container-flags", "PKG-1", OP, {"container": flipped.hex()}, Code.PACKAGE_CONTAINER)
    many = {"confide.toml": manifest(), **{f"{number:02}": b"" for number in range(65)}}
    yield reject("package-reject-65-files", "PKG-5", OP, container(many), Code.PACKAGE_TOO_LARGE)


def _names() -> Iterator[dict[str, Any]]:
    for case, name in (
        ("parent", "../x"),
        ("parent-inside", "a/../x"),
        ("absolute", "/x"),
        ("hidden", ".x"),
        ("backslash", "a\\\\x"),
        ("space", "a x"),
        ("double-slash", "a//x"),
        ("long", "x" * 201),
        ("deep", "a/" * 8 + "x"),
    ):
        text = manifest({**FILES, name: b""})
        yield reject(f"package-reject-listed-name-{case}", "PKG-2", OP, folder(text), Code.PACKAGE_PATH)
    for case, raw in (("parent", b"../x"), ("absolute", b"/x"), ("not-ascii", b"\xc3\xa4"), ("empty", b"")):
        renamed = container(None, names={"tokenizer.json": raw})
        yield reject(f"package-reject-stored-name-{case}", "PKG-2", OP, renamed, Code.PACKAGE_PATH)
    twice = container(None, names={"tokenizer.json": b"model.onnx"})
    yield reject("package-reject-stored-twice", "PKG-3", OP, twice, Code.PACKAGE_DUPLICATE)
    for case, name in (("case", "Model.onnx"), ("file-and-folder", "model.onnx/x")):
        text = manifest({**FILES, name: b""})
        yield reject(f"package-reject-listed-{case}", "PKG-3", OP, folder(text), Code.PACKAGE_DUPLICATE)
    for case, target in (("file", "model.onnx"), ("outside", "/etc/hostname"), ("dangling", "nowhere"), ("folder", "/")):
        linked = folder(manifest(), links={"link": target})
        yield reject(f"package-reject-link-{case}", "PKG-4", OP, linked, Code.PACKAGE_LINK)


def _manifests() -> Iterator[dict[str, Any]]:
    padded = folder(manifest(), manifest_padding=262145 - len(manifest()))
    yield reject("package-reject-manifest-of-262145-bytes", "PKG-5", OP, padded, Code.PACKAGE_TOO_LARGE)
    for case, value in (("2", "2"), ("0", "0"), ("text", '"1"'), ("true", "true"), ("float", "1.0"), ("absent", None)):
        text = manifest(format=value, unknown="1")
        yield reject(f"package-reject-format-{case}", "PKG-6", OP, folder(text), Code.PACKAGE_VERSION)
    yield reject("package-reject-no-manifest", "PKG-7", OP, folder(None), Code.PACKAGE_MANIFEST)
    yield reject("package-reject-manifest-not-utf8", "PKG-7", OP, folder(b"\xff"), Code.PACKAGE_MANIFEST)
    yield reject("package-reject-manifest-not-toml", "PKG-7", OP, folder(b"format = "), Code.PACKAGE_MANIFEST)
    yield reject("package-reject-manifest-key-twice", "PKG-7", OP, folder(manifest() + b"[files]\n"), Code.PACKAGE_MANIFEST)
    changes: tuple[tuple[str, dict[str, str | None]], ...] = (
        ("unknown-member", {"unknown": "1"}),
        ("no-task", {"task": None}),
        ("unknown-task", {"task": '"translation"'}),
        ("name", {"name": '"Not An Alias"'}),
        ("dimension-0", {"dimension": "0"}),
        ("dimension-65537", {"dimension": "65537"}),
        ("dimension-text", {"dimension": '"4"'}),
        ("unknown-post", {"post": '["python"]'}),
        ("unknown-pre", {"pre": '{ step = "python", file = "tokenizer.json", max_tokens = 16 }'}),
        ("max-tokens-0", {"pre": '{ step = "hf-tokenizer", file = "tokenizer.json", max_tokens = 0 }'}),
        ("unknown-input", {"core": '{ step = "onnx", file = "model.onnx", inputs = ["pixels"], output = "y" }'}),
        ("label-twice", CLASSIFIER | {"labels": '["yes", "yes"]'}),
        ("label-empty", CLASSIFIER | {"labels": '["yes", ""]'}),
        ("label-control", CLASSIFIER | {"labels": '["yes", "n\\u0007"]'}),
    )
    for case, change in changes:
        yield reject(f"package-reject-manifest-{case}", "PKG-7", OP, folder(manifest(**change)), Code.PACKAGE_MANIFEST)


def _pipelines() -> Iterator[dict[str, Any]]:
    changes: tuple[tuple[str, dict[str, str | None]], ...] = (
        ("core-step", {"core": '{ step = "python", file = "model.onnx", inputs = ["input_ids"], output = "y" }'}),
        ("core-file", {"core": '{ step = "onnx", file = "other.onnx", inputs = ["input_ids"], output = "y" }'}),
        ("pre-file", {"pre": '{ step = "hf-tokenizer", file = "other.json", max_tokens = 16 }'}),
        ("no-input-ids", {"core": '{ step = "onnx", file = "model.onnx", inputs = ["attention_mask"], output = "y" }'}),
        ("input-twice", {"core": '{ step = "onnx", file = "model.onnx", inputs = ["input_ids", "input_ids"], output = "y" }'}),
        ("no-output", {"core": '{ step = "onnx", file = "model.onnx", inputs = ["input_ids"], output = "" }'}),
        ("post-order", {"post": '["l2-normalise", "mean-pool"]'}),
        ("post-twice", {"post": '["mean-pool", "cls-pool"]'}),
        ("post-of-another-task", {"post": '["softmax"]'}),
        ("labels-of-another-task", {"labels": '["yes"]'}),
        ("no-score", CLASSIFIER | {"post": "[]"}),
        ("too-few-labels", CLASSIFIER | {"labels": '["yes"]'}),
    )
    for case, change in changes:
        yield reject(f"package-reject-step-{case}", "PKG-8", OP, folder(manifest(**change)), Code.PACKAGE_STEP)
    itself = manifest({**FILES, "confide.toml": b""})
    yield reject("package-reject-step-manifest-listed", "PKG-8", OP, folder(itself), Code.PACKAGE_STEP)


def _files() -> Iterator[dict[str, Any]]:
    missing = folder(manifest(), {"model.onnx": FILES["model.onnx"]})
    yield reject("package-reject-missing-file", "PKG-9", OP, missing, Code.PACKAGE_MISSING_FILE)
    more = folder(manifest(), {**FILES, "extra": b""})
    yield reject("package-reject-unlisted-file", "PKG-9", OP, more, Code.PACKAGE_UNLISTED_FILE)
    for case, data in (("changed", b"The graph"), ("short", b"the grap"), ("long", b"the graph!"), ("empty", b"")):
        given = folder(manifest(), {**FILES, "model.onnx": data})
        yield reject(f"package-reject-file-{case}", "PKG-10", OP, given, Code.PACKAGE_FILE_DIGEST)
        packed = container({"confide.toml": manifest(), **FILES, "model.onnx": data})
        yield reject(f"package-reject-packed-file-{case}", "PKG-10", OP, packed, Code.PACKAGE_FILE_DIGEST)
    other = folder(manifest(), expected_digest="00" * 32)
    yield reject("package-reject-another-digest", "PKG-11", OP, other, Code.PACKAGE_DIGEST)
