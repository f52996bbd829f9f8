"""Collateral as files: folders, and bundles that are completed from them or from a service."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.collateral.doubles import Service, serving
from tests.collateral.test_collect import kds
from tests.policy.world import NONCE, NOW, ROOTS, World, policy
from tests.support import refused

from confide.attest.document import parse_document
from confide.attest.evidence import Kind
from confide.attest.x509 import MAX_CRL
from confide.cli.app import run
from confide.codes import Code
from confide.collateral.bundles import complete, pieces
from confide.collateral.files import FILES, completed, write_folder
from confide.errors import ConfideError
from confide.policy.verify import verify
from confide_sim.amd import FalseChip

WORLD = World(collateral={"crl": False, "vcek": None})


def folder_of(place: Path, chip: FalseChip) -> Path:
    """As `collateral_dir`."""
    items = dict(chip.endorsements(crl=True).items)
    write_folder(place, Kind.SNP, {"vcek": items["vcek"], "crl": items["crl"]})
    return place


def judged(document: bytes) -> Any:
    return verify(document, policy(), now=NOW, nonce=NONCE, roots=ROOTS)


def test_a_bundle_without_its_certificates_is_completed_from_a_folder(tmp_path: Path) -> None:
    document = WORLD.document()
    with pytest.raises(ConfideError) as caught:
        judged(document)
    assert caught.value.code is Code.X509_MISSING
    whole = completed(document, folder=folder_of(tmp_path, WORLD.chip))
    assert judged(whole).simulated
    assert parse_document(whole).keyset.raw == parse_document(document).keyset.raw


def test_a_bundle_is_completed_by_the_vendor(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(WORLD.document())
    with serving(kds(WORLD.chip)) as here:
        assert judged(complete(path, folder=None, source=here.url)).simulated


def test_what_is_in_a_bundle_stays(tmp_path: Path) -> None:
    whole = World().document()
    folder = folder_of(tmp_path, FalseChip(at=NOW))
    assert parse_document(completed(whole, folder=folder)).collateral == parse_document(whole).collateral


def test_collateral_that_is_wrong_makes_no_bundle_good(tmp_path: Path) -> None:
    other = FalseChip(at=NOW)
    with pytest.raises(ConfideError) as caught:
        judged(completed(WORLD.document(), folder=folder_of(tmp_path, other)))
    assert caught.value.code in {Code.SNP_SIGNATURE, Code.SNP_CHIP_ID, Code.SNP_HWID}


def test_a_bundle_that_would_grow_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, Kind.SNP, {"vcek.der": ("vcek", 1 << 21)})
    (tmp_path / "vcek.der").write_bytes(bytes(1 << 20))
    with refused(Code.DOCUMENT_TOO_LARGE):
        completed(WORLD.document(), folder=tmp_path)


def test_what_a_bundle_and_a_folder_hold_is_told_soonest_end_first(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(World().document())
    found = pieces(path)
    assert found[0].file == "crl"
    assert found[0].ends == NOW + timedelta(days=29)
    assert {each.file for each in pieces(folder_of(tmp_path / "x", WORLD.chip))} == {"vcek.der", "crl.der"}


@pytest.mark.parametrize("broken", ["nothing", "empty", "large", "folder"])
def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path, broken: str) -> None:
    place = tmp_path / "here"
    if broken != "nothing":
        place.mkdir()
    if broken == "empty":
        (place / "crl.der").write_bytes(b"")
    if broken == "large":
        (place / "crl.der").write_bytes(bytes(MAX_CRL + 1))
    if broken == "folder":
        (place / "crl.der").mkdir()
    with refused(Code.COLLATERAL_CACHE):
        completed(WORLD.document(), folder=place)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with refused(Code.COLLATERAL_CACHE):
        write_folder(tmp_path / "file", Kind.SNP, {"crl": b"x"})


def test_the_commands_save_complete_and_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "bundle.json", tmp_path / "whole.json"
    path.write_bytes(WORLD.document())
    folder = folder_of(tmp_path / "x", WORLD.chip)
    words = ["bundle", "complete", str(path), "-o", str(out), "--collateral", str(folder)]
    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["collateral"] == ["ark", "ask", "crl", "vcek"]
    assert judged(out.read_bytes()).simulated
    assert run(words) == 0
    assert "not verified" in capsys.readouterr().out
    assert run(["collateral", "list", str(out)]) == 0
    assert "crl" in capsys.readouterr().out
    with serving(Service()) as here:
        assert run(["bundle", "complete", str(path), "-o", str(out), "--source", here.url]) == 4
    assert "collateral.refused" in capsys.readouterr().err
    path.write_bytes(b"no bundle")
    assert run(words) == 3
    assert run(["collateral", "list", str(path)]) == 3
    assert run(["bundle", "complete", str(tmp_path / "none"), "-o", str(out), "--collateral", str(folder)]) == 2
    assert run(["bundle", "complete", str(out), "-o", str(out)]) == 2  # from neither folder nor vendor
