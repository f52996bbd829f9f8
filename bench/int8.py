"""int8 against float32: `python -m bench.int8`. Accuracy on texts that calibration has not seen, CPU of a text, memory of a worker.

MiniLM is the real one of `scripts/fetch_models.py`, so its cosine means something; BERT-base has random weights, so only its times
and sizes do. Both are packed as `confide pack --quantize` does it.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from tests.support_models import minilm_original

from bench.models import CACHE, _write_folder
from confide.engine import Engine, Package, open_package
from confide.engine.pack import PackReport, pack, read_calibration

mpl.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).resolve().parent
MINILM = (
    "config.json",
    "tokenizer.json",
    "model.safetensors",
    "sentence_bert_config.json",
    "modules.json",
    "1_Pooling/config.json",
)


def main() -> int:
    """Pack, measure, publish."""
    table: dict[str, Mapping[str, Any]] = {}
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        for name in ("MiniLM", "BERT-base, random weights"):
            source = Path(scratch) / name.split(",", 1)[0].lower()
            source.mkdir()
            _minilm(source) if name == "MiniLM" else _write_folder(source)
            whole = pack(source, Path(scratch) / "whole.confide")
            small = pack(source, Path(scratch) / "small.confide", calibration=read_calibration())
            table[name] = _row(whole, small)
            print(name, json.dumps(table[name]))
    (HERE / "results" / "int8.json").write_text(json.dumps(table, indent=1) + "\n")
    _plot(table)
    return 0


def _minilm(folder: Path) -> None:
    for name in MINILM:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(minilm_original(name))


def _row(whole: PackReport, small: PackReport) -> Mapping[str, Any]:
    if small.accuracy is None:
        raise SystemExit("no int8 package was made")
    resident = {kind: _resident(open_package(report.package.location)) for kind, report in (("float32", whole), ("int8", small))}
    return {**small.accuracy.as_dict(), "worker_resident_mb": resident}


def _resident(package: Package) -> float:
    """Of one worker that has answered a text of 128 tokens."""

    async def measured() -> float:
        engine = Engine(workers=1)
        await engine.start()
        try:
            model = await engine.load(package)
            await engine.run(model.digest, ["word " * 126])
            (pid,) = engine.worker_pids
            return await asyncio.to_thread(_megabytes, pid)
        finally:
            await engine.stop()

    return asyncio.run(measured())


def _megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def _plot(table: Mapping[str, Mapping[str, Any]]) -> None:
    figure, axes = plt.subplots(1, len(table), figsize=(9, 3.4), constrained_layout=True)
    for axis, (name, row) in zip(axes, table.items(), strict=True):
        for offset, kind in ((-0.2, "float32"), (0.2, "int8")):
            values = [times[kind] for times in row["cpu_ms"].values()]
            bars = axis.bar([place + offset for place in range(len(values))], values, width=0.38, label=kind)
            axis.bar_label(bars, fmt="%.3g", fontsize=8)
        axis.set(title=name, xlabel="tokens", ylabel="CPU ms of one text", xticks=range(len(row["cpu_ms"])))
        axis.set_xticklabels(row["cpu_ms"])
        axis.legend()
    figure.savefig(HERE / "plots" / "int8.png", dpi=130)
    plt.close(figure)


if __name__ == "__main__":
    raise SystemExit(main())
