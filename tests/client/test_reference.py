"""The page of the Python interface names everything that is public."""

import inspect
from pathlib import Path

import confide

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "python.md").read_text(encoding="utf-8")


def test_every_public_name_is_on_the_page() -> None:
    missing = [name for name in confide.__all__ if f"`{name}" not in PAGE and f"confide.{name}" not in PAGE]
    assert not missing


def test_every_method_of_a_node_is_on_the_page() -> None:
    missing = [
        name for name in dir(confide.Node) if not name.startswith("_") and f"`{name}(" not in PAGE and f"Node.{name}`" not in PAGE
    ]
    assert not missing


def test_every_argument_of_connect_is_on_the_page() -> None:
    for function in (confide.connect, confide.connect_async):
        assert not [name for name in inspect.signature(function).parameters if name not in PAGE]
