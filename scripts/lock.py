"""Write the hash-pinned requirement files of `requirements/`: `client.txt` (base install), `node.txt` (server),
`demo.txt` (node, packing, editable install), `dev.txt` (tests).

Run after a change of dependencies: `python scripts/lock.py` (needs `uv`). The files name no registry; install them with
`pip install --no-deps --require-hashes -r FILE`. Left to others: `requirements/models.txt`, which is written by hand.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
COMPILE = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-header"]
COMPILE += ["--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--override", "requirements/overrides.in"]
HEADER = "# Made by scripts/lock.py; install with: pip install --no-deps --require-hashes -r {name}\n"

EXTRAS = [word for extra in ("server", "pack", "gpu") for word in ("--extra", extra)]
LOCKS = {
    "client.txt": ["pyproject.toml"],
    "node.txt": ["pyproject.toml", "--extra", "server", "-c", "requirements/client.txt"],
    "demo.txt": ["pyproject.toml", "requirements/demo.in", "--extra", "server", "--extra", "pack", "-c", "requirements/node.txt"],
    "dev.txt": ["pyproject.toml", "requirements/dev.in", *EXTRAS, "-c", "requirements/demo.txt"],
}


def compile_lock(name: str, arguments: list[str]) -> str:
    """The text of one lock, without the packages that the overrides turn off."""
    done = subprocess.run([*COMPILE, *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    entries = re.split(r"\n(?=[A-Za-z0-9])", done.stdout.strip())
    kept = [entry for entry in entries if not _never(entry)]
    return HEADER.format(name=name) + "\n".join(kept) + "\n"


def _never(entry: str) -> bool:
    """Whether an entry is only for the platform that `overrides.in` made up."""
    marker = entry.split("\n", 1)[0].partition(";")[2]
    return "sys_platform == 'never'" in marker and " or sys_platform == 'never'" not in marker


def main() -> int:
    """Compile every lock in order; each is a constraint of the next."""
    for name, arguments in LOCKS.items():
        (REQUIREMENTS / name).write_text(compile_lock(name, arguments))
        print(f"{name}: {sum(1 for line in (REQUIREMENTS / name).read_text().splitlines() if '==' in line)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
