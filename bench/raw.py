"""The raw side of a pair: tokenizer and session alone, in a process that does nothing else.

    python -m bench.raw PACKAGE      a line `COUNT TEXT` on standard input, a line `done` when TEXT has run COUNT times

The pipeline is the worker's own (`confide.engine.steps`), so that a ratio says what the node adds and not what another model costs.
"""

import sys
from pathlib import Path

import numpy as np

from confide.engine.package import open_package
from confide.engine.steps import Pipeline


def load(path: Path) -> Pipeline:
    """The pipeline of a package, in this process."""
    package = open_package(path)
    manifest = package.manifest
    return Pipeline(manifest, core=package.read(manifest.core.file), tokenizer=package.read(manifest.pre.file))


def run_once(pipeline: Pipeline, text: str) -> bytes:
    """One text through tokenizer, session and pooling."""
    (tokens,) = pipeline.tokenize([text], refuse_truncation=False)
    rows, _, _ = pipeline.infer(np.array([tokens.ids], dtype=np.int64))
    return rows.tobytes()


def main() -> None:
    """Answer until standard input closes."""
    pipeline = load(Path(sys.argv[1]))
    for line in sys.stdin:
        count, _, text = line.rstrip("\n").partition(" ")
        for _ in range(int(count)):
            run_once(pipeline, text)
        print("done", flush=True)


if __name__ == "__main__":
    main()
