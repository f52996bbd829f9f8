"""Reference values in JSON: every kind's members, and that nothing in it can loosen a policy."""

import json
from typing import Any

import pytest
from tests.support import refused

from confide.attest.evidence import Kind
from confide.codes import Code
from confide.policy.accept import table
from confide.policy.reference.model import MAX_REFERENCES, MEMBERS, Reference
from confide.policy.reference.plain import read

LIMIT = 1 << 20


def file(*references: Any, **overrides: Any) -> bytes:
    return json.dumps({"version": 1, "references": list(references)} | overrides).encode()


SNP = {"tee": "snp", "measurements": ["5a" * 48]}


def test_references_arrive_as_they_stand() -> None:
    tpm = {"tee": "tpm", "pcrs": {"4": ["00" * 32]}}
    found = read(file(SNP, tpm, name="image 7"), limit=LIMIT)
    assert (found.name, found.signed, found.left_out) == ("image 7", False, ())
    assert found.found == (
        Reference(Kind.SNP, {"measurements": ["5a" * 48]}),
        Reference(Kind.TPM, {"pcrs": {"4": ["00" * 32]}}),
    )


def test_every_kind_that_a_policy_names_has_members() -> None:
    assert set(MEMBERS) <= set(table.KINDS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        file(),
        file(SNP, version=2),
        file(SNP, more=1),
        file(*[SNP] * (MAX_REFERENCES + 1)),
        b'{"version":1,"version":1,"references":[]}',
        file({"tee": "snp"}),
        file({"tee": "snp", "measurements": []}),
        file({"tee": "snp", "measurements": "unsafe_ignored"}),
        file({"tee": "snp", "measurements": [["x"]]}),
        file({"tee": "snp", "measurements": [True]}),
        file({"tee": "snp", "measurements": None}),
        file({"tee": "snp", "minimum_guest_svn": True}),
        file({"tee": "tpm", "pcrs": {"4": "unsafe_ignored"}}),
        file({"tee": "tpm", "pcrs": {"4": []}}),
        b" " * (LIMIT + 1),
    ],
    ids=range(18),
)
def test_a_file_of_another_form_is_refused(data: bytes) -> None:
    with refused(Code.REFERENCE_MALFORMED):
        read(data, limit=LIMIT)


@pytest.mark.parametrize(
    "reference",
    [
        {"tee": "sev", "measurements": ["00"]},
        {"measurements": ["00"]},
        {"tee": ["snp"], "measurements": ["00"]},
        {"tee": "snp", "allow_debug": "unsafe_ignored"},
        {"tee": "snp", "minimum_tcb": "unsafe_ignored"},
        {"tee": "snp", "chip_ids": ["00"]},
        {"tee": "tpm", "allow_host_trusted": "unsafe_ignored"},
        {"tee": "nitro", "measurements": ["00"]},
    ],
    ids=str,
)
def test_what_no_maker_says_is_refused(reference: dict[str, Any]) -> None:
    with refused(Code.REFERENCE_UNSUPPORTED):
        read(file(reference), limit=LIMIT)
