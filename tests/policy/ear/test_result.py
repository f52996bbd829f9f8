"""Reading others' results: what is taken, and for each member what is refused."""

from datetime import timedelta
from typing import Any

import pytest
from tests.policy.ear.tokens import ED25519, NONCE, NOW, P256, checked, members, submodule, token

from confide.codes import Code
from confide.errors import MisuseError, PolicyError
from confide.policy.ear import jws
from confide.policy.ear.result import MAX_AGE, MAX_SUBMODS, SKEW
from confide.policy.ear.vector import Status

SECONDS = int(NOW.timestamp())


def refused(code: Code, text: str, **how: Any) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        checked(text, **how)
    assert caught.value.code is code
    return caught.value


def test_an_affirming_result_is_taken() -> None:
    result = checked(token(members()))
    assert (result.status, dict(result.submods)) == (Status.AFFIRMING, {"cpu": Status.AFFIRMING})
    assert (result.verifier, result.nonce) == ("https://verifier.example, 3.1", NONCE)
    assert result.ends is not None
    assert result.claims["ear_verifier_id"]["build"] == "3.1"
    assert "claims" not in repr(result)


def test_a_result_in_veraisons_form_is_taken() -> None:
    """The profile and member names of implementations before the draft fixed its own; ES256."""
    old = {"ear.status": "affirming", "ear.trustworthiness-vector": {"hardware": 2}, "ear.appraisal-policy-id": "policy:1"}
    whole = members(eat_profile="tag:github.com,2023:veraison/ear", exp=None)
    whole["ear.verifier-id"] = whole.pop("ear_verifier_id")
    whole["submods"] = {"PARSEC_TPM": old}
    result = checked(token(whole, key=P256), key=P256.public_key())
    assert dict(result.submods) == {"PARSEC_TPM": Status.AFFIRMING}


def test_both_spellings_of_one_member_are_refused() -> None:
    both = submodule() | {"ear.status": "affirming"}
    refused(Code.EAR_MALFORMED, token(members(submods={"cpu": both})))
    refused(Code.EAR_MALFORMED, token(members() | {"ear.verifier-id": {"developer": "x", "build": "y"}}))


@pytest.mark.parametrize(
    "change",
    [
        {"eat_profile": None},
        {"eat_profile": 7},
        {"iat": None},
        {"iat": "now"},
        {"iat": -1},
        {"iat": (1 << 37) + 1},
        {"exp": 1 << 40},
        {"iat": 1.5},
        {"exp": "never"},
        {"nbf": None, "exp": []},
        {"eat_nonce": ["a", "b"]},
        {"eat_nonce": "x" * 2000},
        {"ear_verifier_id": None},
        {"ear_verifier_id": {"developer": "only"}},
        {"submods": None},
        {"submods": {}},
        {"submods": {"cpu": 1}},
        {"submods": {f"cpu-{index}": submodule() for index in range(MAX_SUBMODS + 1)}},
        {"submods": {"cpu": submodule(None)}},
        {"submods": {"cpu": submodule("excellent")}},
        {"submods": {"cpu": submodule(hardware=128)}},
        {"submods": {"cpu": submodule(hardware=-129)}},
        {"submods": {"cpu": submodule(luck=2)}},
        {"submods": {"cpu": {"ear_status": "affirming", "ear_trustworthiness_vector": [2]}}},
    ],
    ids=str,
)
def test_members_of_another_shape_are_refused(change: dict[str, Any]) -> None:
    refused(Code.EAR_MALFORMED, token(members(**change)))


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"null", b"{", b'{"iat":1,"iat":1}', b'{"iat":NaN}', b"\xef\xbb\xbf{}", b"[" * 500]
)
def test_a_payload_that_is_no_strict_json_is_refused(payload: bytes) -> None:
    refused(Code.EAR_MALFORMED, token(payload))


def test_the_signature_is_looked_at_before_anything_is_read() -> None:
    refused(Code.EAR_SIGNATURE, token(members())[:-86] + "A" * 86)
    refused(Code.EAR_ALGORITHM, token(members()), key=P256.public_key())


@pytest.mark.parametrize("profile", ["", "tag:ietf.org,2026:rats/ear#05", "tag:github.com,2023:veraison/EAR"])
def test_another_profile_is_refused(profile: str) -> None:
    refused(Code.EAR_PROFILE, token(members(eat_profile=profile)))


@pytest.mark.parametrize(
    "change",
    [
        {"exp": SECONDS},
        {"exp": SECONDS - 1},
        {"iat": SECONDS + int(SKEW.total_seconds()) + 1, "exp": SECONDS + 1000},
        {"nbf": SECONDS + int(SKEW.total_seconds()) + 1},
        {"iat": SECONDS - int(MAX_AGE.total_seconds())},
        {"iat": SECONDS - int(MAX_AGE.total_seconds()), "exp": None},
        {"iat": 0, "exp": 1 << 37},
    ],
    ids=str,
)
def test_a_token_about_another_time_is_refused(change: dict[str, Any]) -> None:
    refused(Code.EAR_TIME, token(members(**change)))


@pytest.mark.parametrize(
    "change",
    [
        {"exp": SECONDS + 1},
        {"iat": SECONDS + int(SKEW.total_seconds())},
        {"nbf": SECONDS + int(SKEW.total_seconds())},
        {"iat": SECONDS - int(MAX_AGE.total_seconds()) + 1, "exp": None},
    ],
    ids=str,
)
def test_clocks_may_differ_a_little(change: dict[str, Any]) -> None:
    assert checked(token(members(**change))).status is Status.AFFIRMING


def test_the_reader_may_want_a_younger_token() -> None:
    refused(Code.EAR_TIME, token(members()), max_age=timedelta(seconds=30))
    assert checked(token(members()), max_age=timedelta(seconds=61)).issued < NOW


def test_the_nonce_must_be_the_callers() -> None:
    assert refused(Code.EAR_NONCE, token(members(eat_nonce="b3RoZXI"))).found == "another nonce"
    assert refused(Code.EAR_NONCE, token(members(eat_nonce=None))).found == "no nonce"
    refused(Code.EAR_NONCE, token(members()), nonce=NONCE + "\udc80")
    assert checked(token(members(eat_nonce=None)), nonce=None).nonce is None
    assert checked(token(members()), nonce=None).nonce == NONCE


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.AFFIRMING])
def test_a_worse_status_than_wanted_is_refused(status: Status) -> None:
    text = token(members(submods={"cpu": submodule(), "gpu": submodule(status.value)}))
    assert f"gpu {status.value}" in refused(Code.EAR_STATUS, text).found
    assert checked(text, wanted=status).status is status


@pytest.mark.parametrize(("value", "status"), [(32, Status.WARNING), (96, Status.CONTRAINDICATED), (-33, Status.WARNING)])
def test_a_status_better_than_its_own_vector_does_not_count(value: int, status: Status) -> None:
    text = token(members(submods={"cpu": submodule("affirming", hardware=value)}))
    refused(Code.EAR_STATUS, text)
    assert checked(text, wanted=status).status is status


def test_a_vector_is_no_better_than_its_status() -> None:
    refused(Code.EAR_STATUS, token(members(submods={"cpu": submodule("contraindicated", hardware=2)})))


def test_only_utc_instants_are_taken_as_now() -> None:
    with pytest.raises(MisuseError, match=r"verdict\.time"):
        checked(token(members()), now=NOW.replace(tzinfo=None))
    assert jws.algorithm_of(ED25519) == "EdDSA"
