"""Tiny packages with random weights, packed once for all engine tests."""

import pytest
from tests.support_models import tiny_package

from confide.engine import Package, open_package


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A tiny sentence encoder as a `.confide` file."""
    return open_package(tiny_package(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="session")
def tiny_classifier(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A tiny classifier with three labels."""
    return open_package(tiny_package(tmp_path_factory.mktemp("sorter"), name="sorter", labels=("red", "green", "blue")))
