"""Dispatch by kind: what has no verifier is refused, and constraints of one kind do not judge claims of another."""

from dataclasses import fields
from typing import Any, cast

import pytest
from tests.attest.snp.world import NOW, REPORT_DATA, ROOTS, chip, genuine, strict
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.evidence import Endorsements, Evidence
from confide.attest.verifiers import Revocation, authenticate, validate
from confide.codes import Code


def test_snp_evidence_goes_to_its_verifier() -> None:
    evidence, endorsements = chip().evidence(report_data=REPORT_DATA), chip().endorsements()
    checks = Checks()
    claims = authenticate(evidence, endorsements, roots=ROOTS, now=NOW, revocation=Revocation(), checks=checks)
    validate(claims, strict(), checks=checks)
    assert claims.report_data == REPORT_DATA


@pytest.mark.parametrize("kind", ["moon", "SNP", "", "snp ", "x" * 1000])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    evidence = Evidence(kind, {"report": b""})
    with refused(Code.EVIDENCE_KIND) if kind else pytest.raises(Exception, match="kind"):
        authenticate(evidence, Endorsements(), roots=ROOTS, now=NOW, revocation=Revocation(), checks=Checks())


def test_claims_of_no_known_class_are_not_judged() -> None:
    claims = genuine()
    plain = Claims(**{field.name: getattr(claims, field.name) for field in fields(Claims)})
    with refused(Code.EVIDENCE_KIND):
        validate(plain, strict(), checks=Checks())


def test_constraints_of_another_kind_do_not_judge() -> None:
    with refused(Code.EVIDENCE_KIND):
        validate(genuine(), cast("Any", object()), checks=Checks())
