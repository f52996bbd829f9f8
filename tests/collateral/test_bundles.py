"""Bundle files for the command line: bounded, and told apart from folders."""

from pathlib import Path

import pytest
from tests.policy.world import World
from tests.support import refused

from confide.attest.document import MAX_DOCUMENT
from confide.codes import Code
from confide.collateral.bundles import complete, contents, pieces, read_bundle


def test_a_bundle_beyond_its_bound_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(bytes(MAX_DOCUMENT + 1))
    with refused(Code.COLLATERAL_CACHE):
        read_bundle(path)
    path.write_bytes(bytes(MAX_DOCUMENT))
    assert len(read_bundle(path)) == MAX_DOCUMENT


def test_a_bundle_that_is_not_there_is_told(tmp_path: Path) -> None:
    with refused(Code.COLLATERAL_CACHE):
        read_bundle(tmp_path / "nowhere")
    with refused(Code.COLLATERAL_CACHE):
        pieces(tmp_path / "nowhere")


def test_a_whole_bundle_tells_what_it_holds_and_lacks_nothing(tmp_path: Path) -> None:
    path, raw = tmp_path / "bundle.json", World().document()
    path.write_bytes(raw)
    evidence, collateral = contents(raw)
    assert evidence == ["snp"]
    assert len(pieces(path)) == len(collateral)
    assert contents(complete(path, folder=None, source="")) == (evidence, collateral)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}"], ids=repr)
def test_a_file_that_is_no_bundle_is_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(data)
    with refused(Code.DOCUMENT_MALFORMED):
        pieces(path)
