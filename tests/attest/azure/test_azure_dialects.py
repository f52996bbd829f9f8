"""The objects in which other projects keep Azure's evidence hold the same bytes as the files beside them."""

import pytest
from conformance.kinds.azure import sort
from conformance.kinds.case import File
from tests.support import need_recorded_vectors

from confide.attest.tpm.quote import parse_pcrs, parse_signature

NAMES = {"hcl-report": "hcl-report.bin", "tpm-attest": "tpm-quote.msg", "td-quote": "td-quote.bin"}
OBJECTS = [
    "az-snp-vtpm/trustee-evidence-v0/evidence-v0.json",
    "az-snp-vtpm/trustee-evidence-v1/evidence-v1.json",
    "az-snp-vtpm/trustee-evidence-genoa/evidence-genoa.json",
    "az-snp-vtpm/attestation-rs-live-evidence/live-evidence.json",
    "az-tdx-vtpm/trustee-evidence-v1/evidence-v1.json",
]


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_is_unwrapped_to_the_recorded_files(name: str) -> None:
    path = need_recorded_vectors() / name
    parts = sort([File("attestation-json", path.name, path.read_bytes())])
    for role, file in NAMES.items():
        if (path.parent / file).exists():
            assert parts.evidence[role] == (path.parent / file).read_bytes()
    assert parse_signature(parts.evidence["tpm-signature"]).value == (path.parent / "tpm-quote.sig").read_bytes()
    assert len(parse_pcrs(parts.evidence["pcrs"])) == 24
    assert ("vcek" in parts.endorsements) == (path.parent / "vcek.der").exists()
