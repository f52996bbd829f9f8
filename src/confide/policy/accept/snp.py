"""The `accept` members of SEV-SNP: from a policy file to `SnpConstraints` and back (spec/06-policy.md, table "accept, snp").

Absent members take the defaults of `SnpConstraints`, so that they are written in one place. Left to others: comparing them with a
report (`attest.snp.validate`).
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Kind
from confide.attest.snp.claims import SnpClaims
from confide.attest.snp.layout import PlatformInfo, Product, SigningKey, Tcb
from confide.attest.snp.validate import BYTE_LISTS, HARDENING, SnpConstraints
from confide.codes import Code
from confide.errors import PolicyError
from confide.formats.fields import Hex32
from confide.policy.members import UNSAFE, convert, shape, unconstrained

TEE = Kind.SNP
MAX_LIST = 1024

_Skip = Literal["unsafe_ignored"]
_Hex16 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
_Hex48 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{96}\Z")]
_Hex64 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{128}\Z")]
_Some = Meta(min_length=1, max_length=MAX_LIST)
_Byte = Annotated[int, Meta(ge=0, le=255)]
_Word = Annotated[int, Meta(ge=0, le=2**32 - 1)]
_Csp = Annotated[str, Meta(pattern=r"\A[\x21-\x7e]{1,64}\Z")]


_BITS = {bit.name.lower(): bit for bit in PlatformInfo if bit.name}
_POLICY_BITS = {bit.name.lower(): bit for bit in HARDENING if bit.name}
_PolicyBit = Literal["single_socket", "mem_aes_256_xts", "rapl_dis", "ciphertext_hiding_dram", "page_swap_disable"]
_BitNumbers = Annotated[list[Annotated[int, Meta(ge=0, le=63)]], Meta(min_length=1, max_length=64)]
_MASKS = ("launch_mit_vector", "current_mit_vector")
_Bit = Literal["smt_en", "tsme_en", "ecc_en", "rapl_dis", "ciphertext_hiding_dram_en", "alias_check_complete", "tio_en"]


class _Accept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names as in `SnpConstraints`, which are AMD's."""

    tee: Literal["snp"]
    measurements: Annotated[list[_Hex48], _Some] | _Skip | UnsetType = UNSET
    minimum_tcb: dict[Product, dict[str, _Byte]] | _Skip | UnsetType = UNSET
    products: Annotated[list[Product], _Some] | UnsetType = UNSET
    signing_keys: Annotated[list[Literal["vcek", "vlek"]], _Some] | UnsetType = UNSET
    csp_ids: Annotated[list[_Csp], _Some] | UnsetType = UNSET
    max_vmpl: Annotated[int, Meta(ge=0, le=3)] | UnsetType = UNSET
    minimum_abi: Annotated[list[_Byte], Meta(min_length=2, max_length=2)] | UnsetType = UNSET
    minimum_guest_svn: _Word | UnsetType = UNSET
    smt: bool | UnsetType = UNSET
    cxl: bool | UnsetType = UNSET
    guest_policy: Annotated[list[_PolicyBit], _Some] | UnsetType = UNSET
    platform_info: Annotated[list[_Bit], _Some] | UnsetType = UNSET
    launch_mit_vector: _BitNumbers | UnsetType = UNSET
    current_mit_vector: _BitNumbers | UnsetType = UNSET
    allow_debug: _Skip | UnsetType = UNSET
    allow_migration: _Skip | UnsetType = UNSET
    host_data: Annotated[list[Hex32], _Some] | UnsetType = UNSET
    id_key_digests: Annotated[list[_Hex48], _Some] | UnsetType = UNSET
    author_key_digests: Annotated[list[_Hex48], _Some] | UnsetType = UNSET
    family_ids: Annotated[list[_Hex16], _Some] | UnsetType = UNSET
    image_ids: Annotated[list[_Hex16], _Some] | UnsetType = UNSET
    report_ids: Annotated[list[Hex32], _Some] | UnsetType = UNSET
    chip_ids: Annotated[list[_Hex64], _Some] | UnsetType = UNSET


def constraints(members: Mapping[str, Any]) -> SnpConstraints:
    """The constraints of one `accept` entry.

    Raises:
        PolicyError: `policy.shape`; `policy.unconstrained` without measurements or minimum TCB.
    """
    entry = convert(members, _Accept)
    for name, wanted in (("measurements", "a list of MEASUREMENTs"), ("minimum_tcb", "a table for each accepted product")):
        if getattr(entry, name) is UNSET:
            raise unconstrained(f"accept.{name}", wanted)
    given = ((name, getattr(entry, name)) for name in _Accept.__struct_fields__ if name != "tee")
    return SnpConstraints(**{name: _value(name, value) for name, value in given if value is not UNSET})


def _value(name: str, value: Any) -> Any:
    if value == UNSAFE:
        return Ignored.UNSAFE_IGNORED
    if name in BYTE_LISTS:
        return tuple(bytes.fromhex(item) for item in value)
    if name == "minimum_tcb":
        return _minimum_tcb(value)
    if name == "platform_info":
        return reduce(or_, (_BITS[item] for item in value))
    if name == "guest_policy":
        return reduce(or_, (_POLICY_BITS[item] for item in value))
    if name in _MASKS:
        return reduce(or_, (1 << number for number in value))
    if name == "signing_keys":
        return tuple(SigningKey[item.upper()] for item in value)
    return tuple(value) if isinstance(value, list) else value


def _minimum_tcb(table: Mapping[Product, Mapping[str, int]]) -> Mapping[Product, Tcb]:
    """Every component that the product has is named: one left out would be a minimum of 0 that nobody wrote."""
    if not table:
        raise shape("accept.minimum_tcb", "{}", "a table for each accepted product")
    for product, components in table.items():
        wanted = components_of(product)
        if set(components) != set(wanted):
            raise shape(f"accept.minimum_tcb.{product.value}", ", ".join(sorted(components)) or "{}", ", ".join(wanted))
    return {product: Tcb(**components) for product, components in table.items()}


def components_of(product: Product) -> tuple[str, ...]:
    """The TCB components that the product's TCB_VERSION has, in its own order."""
    return tuple(name for name in product.tcb_layout.value if name)


def without_references(claims: Claims) -> SnpConstraints:
    """Strict about the state, open about what runs and who signed: for showing evidence to people who have no policy yet."""
    claims = as_snp(claims)
    skip = Ignored.UNSAFE_IGNORED
    csp_ids = (claims.csp_id,) if claims.csp_id else ()
    return SnpConstraints(measurements=skip, minimum_tcb=skip, signing_keys=(claims.signing_key,), csp_ids=csp_ids)


def observed(claims: Claims) -> dict[str, Any]:
    """The members of an `accept` entry for exactly this: MEASUREMENT, HOST_DATA, signed identity, REPORTED_TCB as minimum."""
    claims = as_snp(claims)
    report, product = claims.report, claims.product
    minimum = {name: getattr(claims.reported_tcb, name) for name in components_of(product)}
    members: dict[str, Any] = {
        "tee": TEE.value,
        "measurements": [report.measurement.hex()],
        "products": [product.value],
        "signing_keys": [claims.signing_key.name.lower()],
        "host_data": [report.host_data.hex()],
        "id_key_digests": [report.id_key_digest.hex()],
    }
    if report.author_key_en:
        members["author_key_digests"] = [report.author_key_digest.hex()]
    if claims.csp_id is not None:
        members["csp_ids"] = [claims.csp_id]
    asked = [name for name, bit in _POLICY_BITS.items() if report.policy & bit]
    if asked:
        members["guest_policy"] = asked
    members |= {name: _bit_numbers(vector) for name in _MASKS if (vector := getattr(report, name))}
    return members | {"minimum_tcb": {product.value: minimum}}


def _bit_numbers(vector: int) -> list[int]:
    return [number for number in range(64) if vector >> number & 1]


def as_snp(claims: Claims) -> SnpClaims:
    """The claims with AMD's own fields; a kind without a module like this one has no verifier either."""
    if not isinstance(claims, SnpClaims):
        raise PolicyError(Code.POLICY_TEE, found=claims.kind.value, wanted=TEE.value)
    return claims
