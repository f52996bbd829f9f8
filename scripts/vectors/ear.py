"""Makes `vectors/13-ear.json`: one result in which one thing at a time is different. ES256 tokens are kept, Ed25519 made again."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.policy.ear.test_keys import OURS, jwk, okp
from tests.policy.ear.tokens import ED25519, NONCE, NOW, P256, encoded, members, submodule, token

from confide.codes import Code
from confide.formats.fields import format_time
from confide.policy.ear import jws
from confide.policy.ear.result import MAX_SUBMODS
from scripts.vectors._cases import accept, reject

OP = "ear.check"
SECONDS = int(NOW.timestamp())
DAY = 86400


def pem(key: jws.PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def given(text: str | None = None, **changes: Any) -> dict[str, Any]:
    """A reader that wants everything, of the affirming token unless another is given."""
    whole = {"token": token(members()) if text is None else text, "key": pem(ED25519.public_key()), "now": format_time(NOW)}
    return whole | {"nonce": NONCE, "accept": "affirming", "max_age_s": DAY} | changes


def build(previous: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    return {
        "spec": "spec/13-ear.md",
        "generator": "scripts/vectors/ear.py",
        "provenance": "Results of an imaginary verifier, for this file. The Ed25519 seed is 32 bytes of 5, the P-256 scalar "
        "is 5; ES256 signatures are random and kept.",
        "cases": [*_accepted(_kept(previous)), *_forms(), *_members(), *_times(), *_statuses(), *_keys()],
    }


def _kept(previous: dict[str, Any] | None) -> Mapping[str, str]:
    return {case["id"]: case["input"]["token"] for case in (previous or {}).get("cases", [])}


def _accepted(kept: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    everything = "EAR-1 EAR-2 EAR-3 EAR-4 EAR-5 EAR-6 EAR-7 EAR-8"
    yield accept("ear-accept-ed25519", everything, OP, given())
    yield accept(
        "ear-accept-unknown-members", "EAR-4", OP, given(token(members(iss="somebody", submods={"a": submodule() | {"x": 1}})))
    )
    name = "ear-accept-es256-older-names"
    older = members(eat_profile="tag:github.com,2023:veraison/ear", ear_verifier_id=None, exp=None)
    older["ear.verifier-id"] = {"developer": "https://verifier.example", "build": "0"}
    older["submods"] = {"cpu": {"ear.status": "affirming", "ear.trustworthiness-vector": {"hardware": 2}}}
    text = kept.get(name) or token(older, key=P256)
    yield accept(name, everything, OP, given(text, key=pem(P256.public_key())))
    for form, key in {"jwk": okp(), "ours": OURS}.items():
        yield accept(f"ear-accept-key-{form}", "EAR-9", OP, given(key=key.decode()))
    yield accept("ear-accept-no-nonce-asked", "EAR-7", OP, given(token(members(eat_nonce=None)), nonce=None))
    yield accept("ear-accept-last-second", "EAR-6", OP, given(token(members(exp=SECONDS + 1))))
    yield accept("ear-accept-clock-behind", "EAR-6", OP, given(token(members(iat=SECONDS + 300))))
    for status in ("none", "warning", "contraindicated"):
        text = token(members(submods={"cpu": submodule(), "gpu": submodule(status)}))
        yield accept(f"ear-accept-status-{status}", "EAR-8", OP, given(text, accept=status))
    for value in (1, 2, 31, 32, 95, 96, 127, -1, -2, -32, -33, -96, -97, -128):
        text = token(members(submods={"cpu": submodule(hardware=value)}))
        yield accept(f"ear-accept-value-{value}", "EAR-8", OP, given(text, accept="contraindicated"))


def _forms() -> Iterator[dict[str, Any]]:
    good = token(members())
    head, body, signature = good.split(".")
    forms = {
        "empty": "",
        "two-parts": f"{head}.{body}",
        "four-parts": f"{good}.",
        "padding": f"{good}=",
        "blank": f"{good} ",
        "other-alphabet": f"{head}.{body}.{signature[:-2]}+/",
        "spare-bits": good[:-1] + chr(ord(good[-1]) + 1),
    }
    for name, text in forms.items():
        yield reject(f"ear-reject-{name}", "EAR-1", OP, given(text), Code.EAR_MALFORMED)
    yield reject("ear-reject-too-long", "EAR-1", OP, given(zeros=1 << 20), Code.EAR_MALFORMED)
    headers: dict[str, Any] = {
        "crit": {"alg": "EdDSA", "crit": ["exp"]},
        "b64": {"alg": "EdDSA", "b64": False},
        "two-algs": b'{"alg":"EdDSA","alg":"EdDSA"}',
        "header-list": b"[]",
    }
    for name, header in headers.items():
        yield reject(f"ear-reject-{name}", "EAR-2", OP, given(token(members(), header=header)), Code.EAR_MALFORMED)
    for alg in ("none", "HS256", "ES256", "Ed25519", "eddsa"):
        yield reject(f"ear-reject-alg-{alg}", "EAR-2", OP, given(token(members(), header={"alg": alg})), Code.EAR_ALGORITHM)
    yield reject("ear-reject-no-signature", "EAR-3", OP, given(f"{head}.{body}."), Code.EAR_SIGNATURE)
    yield reject("ear-reject-zero-signature", "EAR-3", OP, given(f"{head}.{body}.{encoded(bytes(64))}"), Code.EAR_SIGNATURE)
    other = encoded(json.dumps(members(iat=SECONDS)).encode())
    yield reject("ear-reject-other-payload", "EAR-3", OP, given(f"{head}.{other}.{signature}"), Code.EAR_SIGNATURE)


def _members() -> Iterator[dict[str, Any]]:
    malformed: dict[str, Any] = {
        "no-profile": {"eat_profile": None},
        "no-iat": {"iat": None},
        "text-iat": {"iat": "now"},
        "late-iat": {"iat": (1 << 37) + 1},
        "two-nonces": {"eat_nonce": ["a", "b"]},
        "no-verifier": {"ear_verifier_id": None},
        "half-a-verifier": {"ear_verifier_id": {"build": "1"}},
        "both-verifiers": {"ear.verifier-id": {"developer": "x", "build": "y"}},
        "no-submods": {"submods": None},
        "empty-submods": {"submods": {}},
        "many-submods": {"submods": {f"s{index}": submodule() for index in range(MAX_SUBMODS + 1)}},
        "no-status": {"submods": {"cpu": submodule(None)}},
        "both-statuses": {"submods": {"cpu": submodule() | {"ear.status": "affirming"}}},
        "unknown-status": {"submods": {"cpu": submodule("excellent")}},
        "unknown-claim": {"submods": {"cpu": submodule(luck=2)}},
        "value-128": {"submods": {"cpu": submodule(hardware=128)}},
    }
    for name, change in malformed.items():
        yield reject(f"ear-reject-{name}", "EAR-4", OP, given(token(members(**change))), Code.EAR_MALFORMED)
    for name, payload in {"list": b"[]", "two-iats": b'{"iat":1,"iat":1}', "nan": b'{"iat":NaN}', "deep": b"[" * 99}.items():
        yield reject(f"ear-reject-payload-{name}", "EAR-4", OP, given(token(payload)), Code.EAR_MALFORMED)
    for name, profile in {"other": "tag:ietf.org,2026:rats/ear#05", "empty": ""}.items():
        yield reject(f"ear-reject-profile-{name}", "EAR-5", OP, given(token(members(eat_profile=profile))), Code.EAR_PROFILE)


def _times() -> Iterator[dict[str, Any]]:
    times: dict[str, Any] = {
        "ended": {"exp": SECONDS},
        "ahead": {"iat": SECONDS + 301},
        "not-yet": {"nbf": SECONDS + 301},
        "old": {"iat": SECONDS - DAY, "exp": None},
        "old-and-long-lived": {"iat": 0, "exp": 1 << 37},
    }
    for name, change in times.items():
        yield reject(f"ear-reject-{name}", "EAR-6", OP, given(token(members(**change))), Code.EAR_TIME)
    yield reject("ear-reject-older-than-wanted", "EAR-6", OP, given(max_age_s=60), Code.EAR_TIME)
    yield reject("ear-reject-nonce-other", "EAR-7", OP, given(nonce=NONCE + "x"), Code.EAR_NONCE)
    yield reject("ear-reject-nonce-absent", "EAR-7", OP, given(token(members(eat_nonce=None))), Code.EAR_NONCE)


def _statuses() -> Iterator[dict[str, Any]]:
    worse = {"none": "affirming", "warning": "none", "contraindicated": "warning"}
    for status, wanted in worse.items():
        text = token(members(submods={"cpu": submodule(), "gpu": submodule(status)}))
        yield reject(f"ear-reject-status-{status}", "EAR-8", OP, given(text, accept=wanted), Code.EAR_STATUS)
    for value in (32, -33, 96, -97):
        text = token(members(submods={"cpu": submodule(hardware=value)}))
        yield reject(f"ear-reject-value-{value}", "EAR-8", OP, given(text), Code.EAR_STATUS)


def _keys() -> Iterator[dict[str, Any]]:
    for name, key in {"text": "ed25519:00", "private": okp(d="AAAA").decode(), "off-the-curve": jwk(y="A" * 43).decode()}.items():
        yield reject(f"ear-reject-key-{name}", "EAR-9", OP, given(key=key), Code.EAR_KEY)
    p384 = pem(ec.derive_private_key(5, ec.SECP384R1()).public_key())
    yield reject("ear-reject-key-p-384", "EAR-9", OP, given(key=p384), Code.EAR_ALGORITHM)
