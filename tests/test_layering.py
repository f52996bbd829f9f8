"""Imports point one way (DESIGN section 3). Read from the syntax trees, so that lazy imports inside functions count too."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import confide

PACKAGE = Path(confide.__file__).parent
BASE = {"codes", "errors", "formats"}

# room -> rooms of this package that it may import
ALLOWED: dict[str, set[str]] = {
    "codes": set(),
    "errors": {"codes"},
    "formats": {"codes", "errors"},
    "attest": BASE,
    "seal": BASE,
    "collateral": BASE | {"attest"},
    "policy": BASE | {"attest"},
    "receipt": BASE | {"attest", "policy"},
    "engine": BASE,
    "guest": BASE | {"attest", "seal", "collateral"},
    "client": BASE | {"attest", "policy", "seal", "receipt"},
    "server": BASE | {"attest", "collateral", "seal", "engine", "guest", "receipt"},
    "cli": BASE | {"attest", "collateral", "policy", "seal", "receipt", "client", "server", "engine", "guest"},
    "__main__": {"cli"},
    "__init__": BASE | {"client", "policy", "receipt"},
}

# third-party packages that a room may import; the base client has no numpy, no engine and no web server
LIBRARIES: dict[str, set[str]] = {
    "codes": set(),
    "errors": set(),
    "formats": {"cryptography", "msgspec"},
    "attest": {"cryptography", "msgspec"},
    "seal": {"cryptography", "msgspec"},
    "collateral": {"cryptography", "httpx"},
    "policy": {"cryptography", "msgspec", "tomli_w", "confide_sim"},
    "receipt": {"cryptography", "msgspec"},
    "engine": {"msgspec", "numpy", "onnxruntime", "tokenizers", "onnx", "safetensors", "tomli_w"},
    "guest": {"cryptography", "msgspec", "confide_sim"},
    "client": {"cryptography", "msgspec", "httpx", "confide_sim"},
    "server": {"cryptography", "msgspec", "uvicorn", "uvloop", "httptools"},
    "cli": {"click", "msgspec"},
    "__main__": set(),
    "__init__": set(),
}


def _modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield parts[0], path


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" if module == "confide" else module for alias in node.names)


@pytest.mark.parametrize(("room", "path"), list(_modules()), ids=lambda value: str(value) if isinstance(value, str) else value.name)
def test_a_room_imports_only_the_rooms_and_libraries_it_may(room: str, path: Path) -> None:
    assert room in ALLOWED, f"{room} is a new room: decide what it may import, here and in docs/explanation/architecture.md"
    for name in _imports(path):
        top, _, rest = name.partition(".")
        if top == "confide":
            target = rest.split(".", 1)[0]
            assert target in {"", "__version__", room} | ALLOWED[room], f"{path} imports {name}"
        elif top not in sys.stdlib_module_names:
            assert top in LIBRARIES[room], f"{path} imports {name}"


def test_every_room_of_the_table_exists_and_is_described() -> None:
    assert {room for room, _ in _modules()} == set(ALLOWED)
    for room in ALLOWED:
        source = PACKAGE / room / "__init__.py" if (PACKAGE / room).is_dir() else PACKAGE / f"{room}.py"
        assert ast.get_docstring(ast.parse(source.read_text())), source


def test_the_base_client_loads_no_heavy_library() -> None:
    code = (
        "import sys, confide, confide.client, confide.cli, confide.policy, confide.receipt, confide.seal;"
        "print([m for m in ('numpy', 'onnxruntime', 'tokenizers', 'uvicorn', 'torch', 'confide_sim') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
