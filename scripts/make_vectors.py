"""Make `vectors/*.json` with the generators in `scripts/vectors/`, or `--check` that they rebuild byte for byte.

    python scripts/make_vectors.py [--check] [GENERATOR]...      e.g. keyset receipt

A generator has `build(previous)`, where `previous` is the committed file's object or None; it takes over from it what is random
(X-Wing encapsulations, ML-DSA signatures, RSA-PSS and ECDSA certificates), so that building twice gives the same bytes.
"""

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def generators() -> list[str]:
    """Module names in `scripts/vectors`; a leading underscore marks a helper."""
    return sorted(m.name for m in pkgutil.iter_modules([str(ROOT / "scripts" / "vectors")]) if not m.name.startswith("_"))


def committed(name: str) -> dict[str, Any] | None:
    """The object of the vector file that names this generator, if there is one."""
    for path in sorted((ROOT / "vectors").glob("*.json")):
        value: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if value["generator"] == f"scripts/vectors/{name}.py":
            return value
    return None


def rebuild(name: str) -> tuple[Path, str]:
    """The path and the text that a generator makes now."""
    value = importlib.import_module(f"scripts.vectors.{name}").build(committed(name))
    return ROOT / "vectors" / (Path(value["spec"]).stem + ".json"), json.dumps(value, indent=1, sort_keys=False) + "\n"


def differing(names: Sequence[str]) -> Iterator[Path]:
    """Vector files whose bytes are not what their generator makes."""
    for name in names:
        path, text = rebuild(name)
        if not path.exists() or path.read_text("utf-8") != text:
            yield path


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module docstring."""
    parser = argparse.ArgumentParser(description="Make the vectors, or check that they are current.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    parser.add_argument("names", nargs="*", help="generators by module name; all when none is given")
    options = parser.parse_args(arguments)
    names = options.names or generators()
    if options.check:
        stale = [str(path.relative_to(ROOT)) for path in differing(names)]
        print("\n".join(f"differs: {path}" for path in stale) or f"{len(names)} generators: all current")
        return 1 if stale else 0
    for name in names:
        path, text = rebuild(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        print(f"{path.relative_to(ROOT)}: {len(json.loads(text)['cases'])} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
