"""TCB info and enclave identity as the Provisioning Certification Service returns them (Intel PCS API version 4): JSON to fields.

    {"tcbInfo": {...}, "signature": "<hex>"}          {"enclaveIdentity": {...}, "signature": "<hex>"}

Signatures cover the exact bytes of the inner object, which are kept as they came and never written anew. Members that Intel adds
are left out; those that decide anything are required. Version 3 of TCB info and version 2 of identities are read: version 2 of TCB
info names no TEE, so that one of SGX could stand in for one of TDX. Left to others: signatures (`chain`), levels (`tcb`).
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from confide.attest.dcap.pck import COMPONENTS
from confide.codes import Code
from confide.errors import CollateralError
from confide.formats import strictjson

T = TypeVar("T")
MAX_BODY = 1 << 20  # bytes; TCB info with a dozen levels is 20 KiB
MAX_LEVELS = 256
MAX_ADVISORIES = 256
TCB_INFO_VERSION, IDENTITY_VERSION = 3, 2
_SIGNATURE = re.compile(r"[0-9a-fA-F]{128}\Z")

_Byte = Annotated[int, Meta(ge=0, le=255)]
_Word = Annotated[int, Meta(ge=0, le=0xFFFF)]
_Long = Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
_Text = Annotated[str, Meta(max_length=64)]
_Advisories = Annotated[list[_Text], Meta(max_length=MAX_ADVISORIES)]
_Hex2 = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{4}\Z")]
_Hex4 = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{8}\Z")]
_Hex6 = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{12}\Z")]
_Hex8 = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{16}\Z")]
_Hex16 = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{32}\Z")]
_Hex32 = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{64}\Z")]
_Hex48 = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{96}\Z")]


class _Component(msgspec.Struct, frozen=True):
    svn: _Byte


class _Svn(msgspec.Struct, frozen=True):
    isvsvn: _Word


class _SvnLevel(msgspec.Struct, frozen=True, rename={"status": "tcbStatus", "date": "tcbDate", "advisories": "advisoryIDs"}):
    tcb: _Svn
    status: _Text
    date: _Text = ""
    advisories: _Advisories = msgspec.field(default_factory=list)


_Components = Annotated[list[_Component], Meta(min_length=COMPONENTS, max_length=COMPONENTS)]


class _Tcb(msgspec.Struct, frozen=True):
    sgxtcbcomponents: _Components
    pcesvn: _Word
    tdxtcbcomponents: _Components | None = None


class _Level(msgspec.Struct, frozen=True, rename={"status": "tcbStatus", "date": "tcbDate", "advisories": "advisoryIDs"}):
    tcb: _Tcb
    status: _Text
    date: _Text = ""
    advisories: _Advisories = msgspec.field(default_factory=list)


class _Module(msgspec.Struct, frozen=True, rename={"attributes_mask": "attributesMask"}):
    mrsigner: _Hex48
    attributes: _Hex8
    attributes_mask: _Hex8


_SvnLevels = Annotated[list[_SvnLevel], Meta(min_length=1, max_length=MAX_LEVELS)]


class _ModuleIdentity(_Module, frozen=True, rename={"attributes_mask": "attributesMask", "levels": "tcbLevels"}, kw_only=True):
    id: _Text
    levels: _SvnLevels


class _TcbInfo(msgspec.Struct, frozen=True, rename="camel"):
    id: _Text
    issue_date: _Text
    next_update: _Text
    fmspc: _Hex6
    pce_id: _Hex2
    tcb_evaluation_data_number: _Long
    tcb_levels: Annotated[list[_Level], Meta(min_length=1, max_length=MAX_LEVELS)]
    tdx_module: _Module | None = None
    tdx_module_identities: Annotated[list[_ModuleIdentity], Meta(max_length=64)] = msgspec.field(default_factory=list)


class _Identity(msgspec.Struct, frozen=True, rename="camel"):
    id: _Text
    issue_date: _Text
    next_update: _Text
    tcb_evaluation_data_number: _Long
    miscselect: _Hex4
    miscselect_mask: _Hex4
    attributes: _Hex16
    attributes_mask: _Hex16
    mrsigner: _Hex32
    isvprodid: _Word
    tcb_levels: _SvnLevels


@dataclass(frozen=True)
class SvnLevel:
    """A level of something that has one security version number: the QE, a TDX module."""

    isv_svn: int
    status: str
    advisories: tuple[str, ...]


@dataclass(frozen=True)
class Level:
    """A level of a platform."""

    sgx: tuple[int, ...]
    pce_svn: int
    tdx: tuple[int, ...] | None
    status: str
    advisories: tuple[str, ...]


@dataclass(frozen=True)
class Module:
    """Who signs a TDX module, and what its attributes must be; levels where the collateral names its version."""

    id: str
    mr_signer: bytes
    attributes: bytes
    attributes_mask: bytes
    levels: tuple[SvnLevel, ...] = ()


@dataclass(frozen=True)
class Signed:
    """The exact signed bytes, the signature r || s, and the window of either kind of collateral."""

    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    id: str
    issue_date: datetime
    next_update: datetime
    evaluation_number: int


@dataclass(frozen=True)
class TcbInfo(Signed):
    """TCB info version 3 of one FMSPC. Levels are in Intel's order, highest first."""

    fmspc: bytes
    pce_id: bytes
    levels: tuple[Level, ...] = field(repr=False)
    module: Module | None = field(repr=False)
    module_identities: tuple[Module, ...] = field(repr=False)


@dataclass(frozen=True)
class Identity(Signed):
    """The identity of a quoting enclave, version 2."""

    misc_select: int
    misc_select_mask: int
    attributes: bytes
    attributes_mask: bytes
    mr_signer: bytes
    isv_prod_id: int
    levels: tuple[SvnLevel, ...] = field(repr=False)


def parse_tcb_info(data: bytes) -> TcbInfo:
    """Raises `CollateralError`: `dcap.collateral`, or `dcap.collateral_version`."""
    body, signature = _split(data, "tcbInfo", TCB_INFO_VERSION)
    parsed = _convert(body, _TcbInfo)
    return TcbInfo(
        body=body,
        signature=signature,
        id=parsed.id,
        issue_date=_time(parsed.issue_date),
        next_update=_time(parsed.next_update),
        evaluation_number=parsed.tcb_evaluation_data_number,
        fmspc=bytes.fromhex(parsed.fmspc),
        pce_id=bytes.fromhex(parsed.pce_id),
        levels=tuple(sorted(map(_level, parsed.tcb_levels), key=_order, reverse=True)),
        module=None if parsed.tdx_module is None else _module("", parsed.tdx_module, ()),
        module_identities=tuple(_module(each.id, each, _svn_levels(each.levels)) for each in parsed.tdx_module_identities),
    )


def parse_identity(data: bytes) -> Identity:
    """Raises as `parse_tcb_info`."""
    body, signature = _split(data, "enclaveIdentity", IDENTITY_VERSION)
    parsed = _convert(body, _Identity)
    return Identity(
        body=body,
        signature=signature,
        id=parsed.id,
        issue_date=_time(parsed.issue_date),
        next_update=_time(parsed.next_update),
        evaluation_number=parsed.tcb_evaluation_data_number,
        misc_select=int(parsed.miscselect, 16),
        misc_select_mask=int(parsed.miscselect_mask, 16),
        attributes=bytes.fromhex(parsed.attributes),
        attributes_mask=bytes.fromhex(parsed.attributes_mask),
        mr_signer=bytes.fromhex(parsed.mrsigner),
        isv_prod_id=parsed.isvprodid,
        levels=_svn_levels(parsed.tcb_levels),
    )


def _split(data: bytes, member: str, version: int) -> tuple[bytes, bytes]:
    """The exact bytes of the inner object, and the signature; after the whole was read strictly, duplicates refused."""
    try:
        whole = strictjson.loads(data, limit=MAX_BODY)
    except strictjson.JsonError as error:
        raise _malformed(f"{error.code.value}: {error.found}", error.wanted) from None
    inner = whole.get(member) if isinstance(whole, dict) else None
    signature = whole.get("signature") if isinstance(whole, dict) else None
    if not isinstance(inner, dict) or not isinstance(signature, str) or not _SIGNATURE.match(signature):
        raise _malformed("other members", f"{member} and a signature of 64 bytes in hex")
    if inner.get("version") != version:
        found = f"{member} version {str(inner.get('version'))[:20]}"
        raise CollateralError(Code.DCAP_COLLATERAL_VERSION, found=found, wanted=f"version {version}")
    raw = msgspec.json.decode(data, type=dict[str, msgspec.Raw])[member]
    return bytes(raw).strip(), bytes.fromhex(signature)


def _convert(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, ValueError) as error:
        raise _malformed(str(error)[:160], "the members of Intel's PCS API version 4") from None


def _level(parsed: _Level) -> Level:
    tdx = parsed.tcb.tdxtcbcomponents
    return Level(
        sgx=tuple(each.svn for each in parsed.tcb.sgxtcbcomponents),
        pce_svn=parsed.tcb.pcesvn,
        tdx=None if tdx is None else tuple(each.svn for each in tdx),
        status=parsed.status,
        advisories=tuple(parsed.advisories),
    )


def _order(level: Level) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
    """Highest first, as Intel's own library sorts them whatever order the JSON has."""
    return level.sgx, level.pce_svn, level.tdx or ()


def _svn_levels(levels: list[_SvnLevel]) -> tuple[SvnLevel, ...]:
    found = [SvnLevel(each.tcb.isvsvn, each.status, tuple(each.advisories)) for each in levels]
    return tuple(sorted(found, key=lambda each: each.isv_svn, reverse=True))


def _module(name: str, parsed: _Module, levels: tuple[SvnLevel, ...]) -> Module:
    signer, attributes, mask = map(bytes.fromhex, (parsed.mrsigner, parsed.attributes, parsed.attributes_mask))
    return Module(name, signer, attributes, mask, levels)


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _malformed("a date that is none", "RFC 3339") from None


def _malformed(found: str, wanted: str) -> CollateralError:
    return CollateralError(Code.DCAP_COLLATERAL, found=found, wanted=wanted)
