"""A verdict as a token: what is in it and what must not be, and that our own reader takes it."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.policy.ear.tokens import ED25519, P256
from tests.policy.test_verify import judge
from tests.policy.world import MEASUREMENT, NONCE, NOW, World

from confide.attest.claims import Claims
from confide.errors import PolicyError
from confide.policy.ear import export, jws
from confide.policy.ear.export import claims_set, named
from confide.policy.ear.result import check
from confide.policy.ear.vector import Status


def payload(**overrides: Any) -> Any:
    verdict = judge(**overrides)
    return json.loads(jws.verify(export.export(verdict, ED25519, now=NOW), ED25519.public_key()))


def test_a_token_says_who_judged_what_by_which_policy() -> None:
    verdict = judge()
    members = payload()
    submodule = members["submods"]["snp"]
    assert members["eat_profile"] == "tag:ietf.org,2026:rats/ear#04"
    assert members["ear_verifier_id"]["developer"] == "confide"
    assert members["eat_nonce"] == NONCE.hex()
    assert submodule["ear_appraisal_policy_ids"] == [f"sha256:{verdict.policy.digest.hex()}"]
    assert submodule["ear_attester_claims"]["measurements"]["measurement"] == MEASUREMENT.hex()
    assert members["confide_keyset_sha256"] == verdict.keyset.digest.hex()
    assert {item["what"] for item in members["confide_not_checked"]} == {item.what for item in verdict.not_checked}


def test_what_was_relaxed_and_simulated_is_said() -> None:
    members = payload(accept__minimum_tcb="unsafe_ignored")
    assert members["confide_simulated"] is True
    assert [item["setting"] for item in members["confide_relaxations"]] == ["unsafe_accept_simulated", "minimum_tcb"]


def test_simulated_evidence_is_contraindicated_and_its_reader_refuses() -> None:
    token = export.export(judge(), ED25519, now=NOW)
    with pytest.raises(PolicyError, match=r"ear\.status"):
        check(token, ED25519.public_key(), now=NOW, nonce=NONCE.hex())
    taken = check(token, ED25519.public_key(), now=NOW, nonce=NONCE.hex(), wanted=Status.CONTRAINDICATED)
    assert taken.submods == {"snp": Status.CONTRAINDICATED}


@pytest.mark.parametrize("key", [ED25519, P256], ids=["EdDSA", "ES256"])
def test_either_algorithm_is_read_back(key: jws.PrivateKey) -> None:
    token = export.export(judge(), key, now=NOW)
    assert check(token, key.public_key(), now=NOW, nonce=NONCE.hex(), wanted=Status.CONTRAINDICATED).verifier.startswith("confide")


def test_another_curve_signs_nothing() -> None:
    with pytest.raises(PolicyError, match=r"ear\.algorithm"):
        export.export(judge(), ec.generate_private_key(ec.SECP521R1()), now=NOW)


def test_a_token_ends_with_its_verdict_and_after_its_own_life() -> None:
    verdict = judge()
    assert claims_set(verdict, now=NOW)["exp"] == int((NOW + timedelta(hours=1)).timestamp())
    late = verdict.expires - timedelta(minutes=1)
    assert claims_set(verdict, now=late)["exp"] == int(verdict.expires.timestamp())


def test_no_key_and_no_evidence_is_in_a_token() -> None:
    world = World()
    verdict = judge(world)
    text = json.dumps(claims_set(verdict, now=NOW))
    for secret in (*verdict.ohttp_key_configs, verdict.claims[0].report_data):
        assert secret.hex() not in text
        assert base64.b64encode(secret).decode() not in text


def test_several_pieces_of_one_kind_are_numbered() -> None:
    claims: Claims = judge().claims[0]
    assert list(named((claims,))) == ["snp"]
    assert list(named((claims, claims))) == ["snp-0", "snp-1"]
