"""References in a policy: what is replaced, what stays, and that values of two references are never combined."""

from typing import Any

import pytest
from tests.policy.world import MEASUREMENT, members
from tests.support import refused

from confide.attest.evidence import Kind
from confide.attest.snp.validate import SnpConstraints
from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.load import load_policy
from confide.policy.model import Policy
from confide.policy.reference.merge import merge
from confide.policy.reference.model import Reference

NEW, OTHER = "ab" * 48, "cd" * 48
HOST = "01" * 32


def snp(**values: Any) -> Reference:
    return Reference(Kind.SNP, values)


def merged(*references: Reference, keep: bool = False, **overrides: Any) -> Policy:
    return load_policy(merge(members(**overrides), references, keep=keep).policy)


def entries(policy: Policy) -> list[SnpConstraints]:
    found = [entry.constraints for entry in policy.accept]
    assert all(isinstance(each, SnpConstraints) for each in found)
    return [each for each in found if isinstance(each, SnpConstraints)]


def test_a_reference_replaces_what_it_speaks_of_and_nothing_else() -> None:
    before, (after,) = load_policy(_text()), entries(merged(snp(measurements=[NEW])))
    assert after.measurements == (bytes.fromhex(NEW),)
    assert after.minimum_tcb == entries(before)[0].minimum_tcb


def _text() -> bytes:
    return merge(members(), [snp(measurements=[MEASUREMENT.hex()])]).policy


def test_an_ignored_member_becomes_a_constraint() -> None:
    (after,) = entries(merged(snp(measurements=[NEW]), accept__measurements="unsafe_ignored"))
    assert after.measurements == (bytes.fromhex(NEW),)


def test_references_that_differ_in_the_software_alone_are_one_entry() -> None:
    (after,) = entries(merged(snp(measurements=[NEW]), snp(measurements=[OTHER, NEW])))
    assert after.measurements == (bytes.fromhex(NEW), bytes.fromhex(OTHER))


def test_values_of_two_references_are_not_combined() -> None:
    first, second = entries(merged(snp(measurements=[NEW], minimum_guest_svn=1), snp(measurements=[OTHER], minimum_guest_svn=2)))
    assert (first.measurements, first.minimum_guest_svn) == ((bytes.fromhex(NEW),), 1)
    assert (second.measurements, second.minimum_guest_svn) == ((bytes.fromhex(OTHER),), 2)


def test_a_reference_without_a_measurement_stands_alone() -> None:
    first, second = entries(merged(snp(host_data=[HOST]), snp(measurements=[NEW])))
    assert first.measurements == (MEASUREMENT,)
    assert second.measurements == (bytes.fromhex(NEW),)
    assert second.host_data is None or second.host_data != (bytes.fromhex(HOST),)


def test_entries_may_be_kept() -> None:
    first, second = entries(merged(snp(measurements=[NEW]), keep=True))
    assert first.measurements == (MEASUREMENT,)
    assert second.measurements == (bytes.fromhex(NEW),)


def test_kinds_that_the_policy_does_not_accept_are_told() -> None:
    made = merge(members(), [snp(measurements=[NEW]), Reference(Kind.TDX, {"mr_tds": [NEW]})])
    assert made.skipped == (Kind.TDX,)
    assert made.entries == {Kind.SNP: 1}


def test_references_about_nothing_that_is_accepted_are_refused() -> None:
    with refused(Code.REFERENCE_NO_ENTRY):
        merge(members(), [Reference(Kind.TDX, {"mr_tds": [NEW]})])


@pytest.mark.parametrize(
    "reference",
    [snp(measurements=["ab"]), snp(measurements=[7]), snp(minimum_guest_svn=1 << 40), snp(measurements={"4": [NEW]})],
    ids=["short", "a number", "beyond its field", "a table"],
)
def test_nothing_is_written_that_would_not_load(reference: Reference) -> None:
    with pytest.raises(PolicyError, match=r"policy\.shape"):
        merge(members(), [reference])
