"""The members of a policy file, their types, and what it means when one is absent (the table of spec/06-policy.md).

Left to others: bytes and signatures (`load`), the `accept` members of each kind of TEE (`accept`).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from confide.attest.constraints import Ignored
from confide.attest.keyset import Isolation, Role
from confide.attest.publickeys import parse_key_text
from confide.errors import EvidenceError
from confide.formats import dsse, strictjson
from confide.formats.fields import Hex32, Line, Name, parse_time
from confide.policy.accept import table
from confide.policy.members import UNSAFE, convert, shape, unconstrained
from confide.policy.model import AcceptEntry, NodeRules, Origin, Policy, PoolRule, Requirements

MAX_ACCEPT = 64
MAX_LIST = 1024

Skip = Literal["unsafe_ignored"]
_Digests = Annotated[list[Hex32], Meta(min_length=1, max_length=MAX_LIST)]
_Flag = bool | Skip
_AGE = re.compile(r"\A([1-9][0-9]{0,4})([hd])\Z")
MAX_GRACE = timedelta(days=30)
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}


class _Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: Role | None = None
    authority_key: str | None = None
    config_digests: _Digests | Skip | None = None
    software_digests: _Digests | Skip | None = None
    isolation: Annotated[list[Isolation], Meta(min_length=1, max_length=len(Isolation))] = msgspec.field(
        default_factory=lambda: [Isolation.WORKER_PROCESS]
    )


class _Require(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    post_quantum: _Flag = True
    receipts: _Flag = True
    log_proof: Literal[True] | None = None
    client_nonce: _Flag = True
    admission: _Flag | None = None
    places: Annotated[list[Line], Meta(min_length=1, max_length=MAX_LIST)] | None = None
    pool: PoolRule = PoolRule.NODE_ONLY
    max_crl_age: str | None = None
    collateral_grace: str | None = None


class _Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    name: Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9._-]{0,63}\Z")]
    serial: Annotated[int, Meta(ge=1, le=strictjson.MAX_SAFE_INTEGER)]
    expires: str
    accept: Annotated[list[dict[str, Any]], Meta(max_length=MAX_ACCEPT)] = []
    node: _Node = _Node()
    require: _Require = _Require()
    models: Annotated[dict[Name, _Digests], Meta(max_length=MAX_LIST)] = {}
    origin: Origin | None = None
    unsafe_accept_simulated: bool = False


def to_policy(members: Mapping[str, Any], *, digest: bytes, raw: bytes, signer: str) -> Policy:
    """The policy in plain values, strict JSON's or TOML's.

    Raises:
        PolicyError: `policy.shape`, or `policy.unconstrained` where a constraint is absent that has no strict default.
    """
    file = convert(members, _Policy)
    if not file.accept:
        raise unconstrained("accept", "at least one entry")
    node = _node(file.node)
    return Policy(
        name=file.name,
        serial=file.serial,
        expires=_time(file.expires),
        accept=tuple(_accept(entry) for entry in file.accept),
        node=node,
        require=_requirements(file.require, node),
        models=MappingProxyType({alias: _bytes(digests) for alias, digests in file.models.items()}),
        origin=_origin(file.origin, signer),
        unsafe_accept_simulated=file.unsafe_accept_simulated,
        digest=digest,
        raw=raw,
        signer=signer,
    )


def _accept(entry: Mapping[str, Any]) -> AcceptEntry:
    kind, module = table.of(entry.get("tee"))
    return AcceptEntry(kind, module.constraints(entry))


def _origin(value: Origin | None, signer: str) -> Origin:
    if value is Origin.RELEASE and not signer:
        raise shape("origin", repr(value.value), "a signed envelope, or another origin")
    return value or (Origin.RELEASE if signer else Origin.FILE)


def _node(file: _Node) -> NodeRules:
    if file.role is None:
        raise unconstrained("node.role", "the role of the node")
    return NodeRules(
        role=file.role,
        authority_key=_authority_key(file.authority_key),
        config_digests=_digests("node.config_digests", file.config_digests),
        software_digests=_digests("node.software_digests", file.software_digests),
        isolation=tuple(file.isolation),
    )


def _requirements(file: _Require, node: NodeRules) -> Requirements:
    named = isinstance(node.authority_key, dsse.PublicKey)
    admission = named if file.admission is None else _flag("require.admission", file.admission)
    if admission and not named:
        raise unconstrained("node.authority_key", "the key that signs the required admission")
    if file.log_proof and file.receipts == UNSAFE:
        raise shape("require.log_proof", "true beside receipts that may be missing", "require.receipts = true")
    return Requirements(
        post_quantum=_flag("require.post_quantum", file.post_quantum),
        receipts=_flag("require.receipts", file.receipts),
        log_proof=file.log_proof is True,
        client_nonce=_flag("require.client_nonce", file.client_nonce),
        admission=admission,
        places=None if file.places is None else tuple(file.places),
        pool=file.pool,
        max_crl_age=_age(file.max_crl_age),
        collateral_grace=_grace(file.collateral_grace),
    )


def _flag(member: str, value: bool | str) -> bool:
    """True, or the spelled-out skip; a plain false would be a check that vanishes quietly."""
    if value is False:
        raise shape(member, "false", f"true, or {UNSAFE!r} to skip it in every verdict's sight")
    return value is True


def _digests(member: str, value: Sequence[str] | None) -> tuple[bytes, ...] | Ignored:
    if value is None:
        raise unconstrained(member, "a list of digests")
    return Ignored.UNSAFE_IGNORED if value == UNSAFE else _bytes(value)


def _authority_key(value: str | None) -> dsse.PublicKey | Ignored | None:
    if value is None:
        raise unconstrained("node.authority_key", "'ed25519:<hex>' or 'none'")
    if value == UNSAFE:
        return Ignored.UNSAFE_IGNORED
    return None if value == "none" else parse_key(value)


def parse_key(value: str) -> dsse.PublicKey:
    """`ed25519:<64 hex>` or `ml-dsa-65:<3904 hex>`."""
    try:
        return parse_key_text(value)
    except EvidenceError as error:
        raise shape("key", f"{value[:16]!r}, {len(value)} characters", error.wanted) from None


def _age(value: str | None) -> timedelta | Ignored | None:
    if value is None or value == UNSAFE:
        return Ignored.UNSAFE_IGNORED if value else None
    return _span("require.max_crl_age", value)


def _grace(value: str | None) -> timedelta:
    """None at all unless it is spelled out, and never longer than vendors' collateral lives."""
    grace = timedelta() if value is None else _span("require.collateral_grace", value)
    if grace > MAX_GRACE:
        raise shape("require.collateral_grace", repr(value), f"at most {MAX_GRACE.days}d")
    return grace


def _span(member: str, value: str) -> timedelta:
    match = _AGE.match(value)
    if match is None:
        raise shape(member, repr(value), "hours or days, such as '24h' or '30d'")
    return int(match[1]) * _UNITS[match[2]]


def _time(value: str) -> datetime:
    try:
        return parse_time(value)
    except strictjson.JsonError as error:
        raise shape("expires", repr(value), error.wanted) from None


def _bytes(digests: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(digest) for digest in digests)
