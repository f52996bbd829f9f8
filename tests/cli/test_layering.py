"""The command line asks the library and prints. It holds no check of its own: it cannot even reach what one would be made of."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import confide.cli

FOLDER = Path(confide.cli.__file__).parent
MODULES = sorted(FOLDER.glob("*.py"))
FORBIDDEN = (
    "cryptography",
    "hashlib",
    "hmac",
    "ssl",
    "socket",
    "httpx",
    "base64",
    "secrets",
)  # what verifying and sending are made of
DOORS = {  # the rooms' doors that it may knock at
    "confide",
    "confide.cli",
    "confide.client",
    "confide.codes",
    "confide.collateral",
    "confide.engine",
    "confide.errors",
    "confide.guest.examination",
    "confide.guest.stocking",
    "confide.policy.text",
    "confide.receipt.model",  # types only
    "confide.receipt.verify",  # types only
    "confide.server",
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_command_never_verifies_by_itself(path: Path) -> None:
    for name in imports(path):
        assert name.split(".", 1)[0] not in FORBIDDEN, f"{path.name} imports {name}"
        if name.split(".", 1)[0] == "confide":
            assert any(name == door or (name.startswith(f"{door}.") and door != "confide") for door in DOORS), (
                f"{path.name} imports {name}"
            )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_command_module_stays_thin(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 200


def test_help_loads_no_library() -> None:
    code = (
        "import sys; from confide.cli.app import run; run(['--help']);"
        "heavy = ('httpx', 'cryptography', 'confide.client', 'confide.attest', 'numpy', 'onnxruntime');"
        "bad = [module for module in heavy if module in sys.modules];"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
