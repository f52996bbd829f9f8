"""The Python SDK as a conformance program: `{"op": ..., "input": {...}}` in, one line of JSON out.

    echo '{"op": "receipt.commit", "input": {...}}' | python conformance/sdk_python.py

Standard input is one JSON object, or one object per line; the answers come in the same order, one per line, flushed each:
`{"ok": {...}}` accepted, `{"error": "area.reason"}` refused, `{"unsupported": op}` a gap, `{"crash": type}` a defect of this SDK.
Programs of other languages speak the same lines (spec/README.md).
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from confide.errors import ConfideError
from conformance.ops import OPS


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Run one operation. Anything but a value or our own error is a defect, and shown as one."""
    operation = OPS.get(question["op"])
    if operation is None:
        return {"unsupported": question["op"]}
    try:
        return {"ok": operation(question["input"])}
    except ConfideError as error:
        return {"error": error.code.value}
    except Exception as error:  # noqa: BLE001 - the harness must see a crash as a failed case and go on
        return {"crash": type(error).__name__}


def questions(stream: TextIO) -> Iterator[dict[str, Any]]:
    """Objects, one per line; a first line that is no JSON of its own begins a single object over several lines."""
    for number, line in enumerate(stream):
        if not line.strip():
            continue
        try:
            question = json.loads(line)
        except ValueError:
            if number:
                raise
            question = json.loads(line + stream.read())
        yield question


def main() -> None:
    """Answer until standard input ends."""
    for question in questions(sys.stdin):
        sys.stdout.write(json.dumps(answer(question)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
