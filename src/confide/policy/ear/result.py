"""Somebody's EAR, checked as a relying party: signature, profile, time, nonce, and that every submodule is good enough.

What comes out is typed and frozen, and no verdict: it opens no channel, because whoever signed it and not the reader looked at
the evidence. A status that a token claims is compared with its own vector, and the worse of the two counts. Left to others: whose
key it is.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from confide.codes import Code
from confide.errors import PolicyError
from confide.formats import strictjson
from confide.formats.fields import format_span, format_time
from confide.policy.ear import jws
from confide.policy.ear.export import PROFILE
from confide.policy.ear.vector import Status, tier_of, worst
from confide.policy.instants import aware

PROFILES = frozenset({PROFILE, "tag:github.com,2023:veraison/ear"})  # and of the implementations before the draft had one
SKEW = timedelta(minutes=5)
MAX_AGE = timedelta(hours=24)
MAX_SUBMODS = 64
CLAIMS = frozenset(
    {
        "instance-identity",
        "configuration",
        "executables",
        "file-system",
        "hardware",
        "runtime-opaque",
        "storage-opaque",
        "sourced-data",
    }
)
T = TypeVar("T")
_Text = Annotated[str, Meta(max_length=1024)]
_Instant = Annotated[int, Meta(ge=0, le=1 << 37)]  # to the year 6325, which every calendar here knows


class _Verifier(msgspec.Struct, frozen=True):
    developer: _Text
    build: _Text


_Vector = dict[str, Annotated[int, Meta(ge=-128, le=127)]]


class _Submodule(msgspec.Struct, frozen=True):
    """Members that are read, and their names before the draft; others are claims that nobody here relies on."""

    status: Status | UnsetType = msgspec.field(name="ear_status", default=UNSET)
    status_before: Status | UnsetType = msgspec.field(name="ear.status", default=UNSET)
    vector: _Vector | UnsetType = msgspec.field(name="ear_trustworthiness_vector", default=UNSET)
    vector_before: _Vector | UnsetType = msgspec.field(name="ear.trustworthiness-vector", default=UNSET)


class _Token(msgspec.Struct, frozen=True):
    profile: _Text = msgspec.field(name="eat_profile")
    iat: _Instant
    submods: Annotated[dict[_Text, _Submodule], Meta(min_length=1, max_length=MAX_SUBMODS)]
    verifier: _Verifier | UnsetType = msgspec.field(name="ear_verifier_id", default=UNSET)
    verifier_before: _Verifier | UnsetType = msgspec.field(name="ear.verifier-id", default=UNSET)
    exp: _Instant | UnsetType = UNSET
    nbf: _Instant | UnsetType = UNSET
    nonce: _Text | UnsetType = msgspec.field(name="eat_nonce", default=UNSET)


@dataclass(frozen=True)
class EarResult:
    """A token that was checked.

    Attributes:
        status: the least favourable of all submodules.
        submods: the status of each, by its name.
        issued, ends: the token's own times; `ends` is None where it says none.
        claims: everything that was signed, for whoever knows what the verifier means by it.
    """

    status: Status
    submods: Mapping[str, Status]
    verifier: str
    issued: datetime
    ends: datetime | None
    nonce: str | None
    claims: Mapping[str, Any] = field(repr=False)


def check(
    token: str,
    key: jws.PublicKey,
    *,
    now: datetime,
    nonce: str | None,
    wanted: Status = Status.AFFIRMING,
    max_age: timedelta = MAX_AGE,
) -> EarResult:
    """What a token says, if it is the key's, is about now and good enough.

    Args:
        nonce: the caller's own, in the token's spelling; None where the caller gave none, which is said by naming it so.
        wanted: the least favourable status that is accepted; `contraindicated` accepts nothing less than everything.
        max_age: of the token, whatever it says of its end.

    Raises:
        PolicyError: `ear.malformed`, `ear.algorithm`, `ear.signature`, `ear.profile`, `ear.time`, `ear.nonce` or `ear.status`.
    """
    payload = jws.verify(token, key)
    parsed, claims = _parsed(payload)
    if parsed.profile not in PROFILES:
        raise PolicyError(Code.EAR_PROFILE, found=parsed.profile[:80], wanted=" or ".join(sorted(PROFILES)))
    _require_time(parsed, aware(now), max_age)
    _require_nonce(parsed, nonce)
    statuses = {name: _status(name, submodule) for name, submodule in parsed.submods.items()}
    verifier = _one(parsed.verifier, parsed.verifier_before, "verifier")
    overall = worst(statuses.values())
    if not list(Status).index(overall) <= list(Status).index(wanted):
        bad = ", ".join(f"{name} {status.value}" for name, status in statuses.items() if status is overall)
        raise PolicyError(Code.EAR_STATUS, found=bad[:200], wanted=f"{wanted.value} or better")
    return EarResult(
        status=overall,
        submods=statuses,
        verifier=f"{verifier.developer}, {verifier.build}",
        issued=datetime.fromtimestamp(parsed.iat, UTC),
        ends=None if parsed.exp is UNSET else datetime.fromtimestamp(parsed.exp, UTC),
        nonce=None if parsed.nonce is UNSET else parsed.nonce,
        claims=claims,
    )


def _parsed(payload: bytes) -> tuple[_Token, Mapping[str, Any]]:
    try:
        members = strictjson.loads(payload, limit=jws.MAX_TOKEN)
        return strictjson.convert(members, _Token), members
    except strictjson.JsonError as error:
        found = f"a payload of another form: {error.found}"[:120]
        raise PolicyError(Code.EAR_MALFORMED, found=found, wanted="the members of an attestation result") from None


def _require_time(token: _Token, now: datetime, max_age: timedelta) -> None:
    """RFC 7519 sections 4.1.4 to 4.1.6, with a little patience for clocks that run ahead."""
    issued = datetime.fromtimestamp(token.iat, UTC)
    begins = issued if token.nbf is UNSET else max(issued, datetime.fromtimestamp(token.nbf, UTC))
    over = token.exp is not UNSET and now >= datetime.fromtimestamp(token.exp, UTC)
    if over or begins - now > SKEW or now - issued >= max_age:
        ends = "" if token.exp is UNSET else f", ends {format_time(datetime.fromtimestamp(token.exp, UTC))}"
        found = f"begins {format_time(begins)}{ends}, now {format_time(now)}"
        raise PolicyError(Code.EAR_TIME, found=found, wanted=f"one of now, younger than {format_span(max_age)}")


def _require_nonce(token: _Token, nonce: str | None) -> None:
    if nonce is None:
        return
    said = "" if token.nonce is UNSET else token.nonce
    if not hmac.compare_digest(said.encode(), nonce.encode("utf-8", "surrogatepass")):
        raise PolicyError(Code.EAR_NONCE, found="another nonce" if said else "no nonce", wanted="the caller's")


def _status(name: str, submodule: _Submodule) -> Status:
    """The worse of what is claimed and what the vector gives; a vector with claims that AR4SI does not know refuses."""
    said = _one(submodule.status, submodule.status_before, "status")
    unset = submodule.vector is UNSET and submodule.vector_before is UNSET
    vector = {} if unset else _one(submodule.vector, submodule.vector_before, "trustworthiness vector")
    if set(vector) - CLAIMS:
        raise PolicyError(Code.EAR_MALFORMED, found=f"{name[:40]} with unknown claims", wanted=", ".join(sorted(CLAIMS)))
    tiers = [tier for tier in map(tier_of, vector.values()) if tier is not Status.NONE]
    return worst([said, *tiers])


def _one(now: T | UnsetType, before: T | UnsetType, what: str) -> T:
    """A member under exactly one of its names: two of them could say two things."""
    if now is not UNSET and before is not UNSET:
        raise PolicyError(Code.EAR_MALFORMED, found=f"two members for the {what}", wanted="one")
    if now is not UNSET:
        return now
    if before is not UNSET:
        return before
    raise PolicyError(Code.EAR_MALFORMED, found=f"no {what}", wanted="the members of an attestation result")
