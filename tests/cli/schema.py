"""The published schema of what `verify`, `explain` and their neighbours print with `--json`, and a validator by somebody else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastjsonschema

FILE = Path(__file__).parents[2] / "docs" / "reference" / "cli.schema.json"
SCHEMA: dict[str, Any] = json.loads(FILE.read_text())
validate: Callable[[Any], Any] = fastjsonschema.compile(SCHEMA)
