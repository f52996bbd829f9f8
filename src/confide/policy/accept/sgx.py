"""The `accept` members of SGX: from a policy file to `SgxConstraints` and back (spec/06-policy.md, table "accept, sgx").

Absent members take the defaults of `SgxConstraints`, so that they are written in one place. An enclave is named by MRENCLAVE, or by
MRSIGNER with ISVPRODID and a minimum ISVSVN. Left to others: comparing them with a report (`attest.sgx.validate`), the platform's
members (`intel`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.dcap.report import Attributes
from confide.attest.evidence import Kind
from confide.attest.sgx.claims import SgxClaims
from confide.attest.sgx.validate import SgxConstraints
from confide.codes import Code
from confide.errors import PolicyError
from confide.formats.fields import Hex32
from confide.policy.accept import intel
from confide.policy.accept.intel import Hex16, Skip, Some
from confide.policy.members import UNSAFE, convert, shape, unconstrained

TEE = Kind.SGX
BYTES = frozenset({"mr_enclaves", "mr_signers", "config_ids", "ext_prod_ids", "family_ids"})
OWN = (
    *("mr_enclaves", "mr_signers", "isv_prod_ids", "minimum_isv_svn", "minimum_config_svn"),
    *("config_ids", "ext_prod_ids", "family_ids", "attributes", "attributes_mask", "misc_select", "xfrm"),
    *("allow_debug", "allow_provision_key"),
)

_Hex64 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{128}\Z")]
_Word = Annotated[int, Meta(ge=0, le=0xFFFF)]
_Long = Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
_Mask = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class _Accept(intel.Members, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Names as in `SgxConstraints`, which are Intel's."""

    tee: Literal["sgx"]
    mr_enclaves: Annotated[list[Hex32], Some] | Skip | UnsetType = UNSET
    mr_signers: Annotated[list[Hex32], Some] | UnsetType = UNSET
    isv_prod_ids: Annotated[list[_Word], Some] | UnsetType = UNSET
    minimum_isv_svn: _Word | UnsetType = UNSET
    minimum_config_svn: _Word | UnsetType = UNSET
    config_ids: Annotated[list[_Hex64], Some] | UnsetType = UNSET
    ext_prod_ids: Annotated[list[Hex16], Some] | UnsetType = UNSET
    family_ids: Annotated[list[Hex16], Some] | UnsetType = UNSET
    attributes: Hex16 | UnsetType = UNSET
    attributes_mask: Hex16 | UnsetType = UNSET
    misc_select: Annotated[list[_Long], Some] | UnsetType = UNSET
    xfrm: Annotated[list[_Mask], Some] | UnsetType = UNSET
    allow_debug: Skip | UnsetType = UNSET
    allow_provision_key: Skip | UnsetType = UNSET


def constraints(members: Mapping[str, Any]) -> SgxConstraints:
    """The constraints of one `accept` entry.

    Raises:
        PolicyError: `policy.shape`; `policy.unconstrained` where neither MRENCLAVEs nor signers are named, or a signer without
            ISVPRODIDs and a minimum ISVSVN.
    """
    entry = convert(members, _Accept)
    if entry.mr_enclaves is UNSET:
        _require_signer(entry)
    if entry.attributes is UNSET and entry.attributes_mask is not UNSET:
        raise shape("accept.attributes_mask", "a mask", "attributes beside it")
    given = ((name, getattr(entry, name)) for name in OWN)
    own = {name: _value(name, value) for name, value in given if value is not UNSET}
    return SgxConstraints(**intel.platform_of(entry), **own)


def _require_signer(entry: _Accept) -> None:
    """A signer vouches for all that it ever signed, so the entry says which product of it, and from which version on."""
    if entry.mr_signers is UNSET:
        raise unconstrained("accept.mr_enclaves", "a list of MRENCLAVEs, or mr_signers with isv_prod_ids and minimum_isv_svn")
    for name, wanted in (("isv_prod_ids", "a list of ISVPRODIDs"), ("minimum_isv_svn", "the lowest accepted ISVSVN")):
        if getattr(entry, name) is UNSET:
            raise unconstrained(f"accept.{name}", f"{wanted} of the signer")


def _value(name: str, value: Any) -> Any:
    if value == UNSAFE:
        return Ignored.UNSAFE_IGNORED
    if name in BYTES:
        return tuple(bytes.fromhex(item) for item in value)
    if isinstance(value, str):
        return bytes.fromhex(value)
    return tuple(value) if isinstance(value, list) else value


def without_references(claims: Claims) -> SgxConstraints:
    """Strict about the state, open about what runs: for showing evidence to people who have no policy yet."""
    return SgxConstraints(mr_enclaves=Ignored.UNSAFE_IGNORED, **intel.open_platform(as_sgx(claims)))


def observed(claims: Claims) -> dict[str, Any]:
    """The members of an `accept` entry for exactly this: MRENCLAVE, signer, product, what the loader configured; TCB as minimum."""
    claims = as_sgx(claims)
    enclave = claims.enclave
    members: dict[str, Any] = {
        "tee": TEE.value,
        "mr_enclaves": [enclave.mr_enclave.hex()],
        "mr_signers": [enclave.mr_signer.hex()],
        "isv_prod_ids": [enclave.isv_prod_id],
        "minimum_isv_svn": enclave.isv_svn,
    }
    if enclave.flags & Attributes.KSS:  # without it these are zero, and no part of the enclave's keys
        members |= {
            "config_ids": [enclave.config_id.hex()],
            "minimum_config_svn": enclave.config_svn,
            "ext_prod_ids": [enclave.isv_ext_prod_id.hex()],
            "family_ids": [enclave.isv_family_id.hex()],
        }
    return members | intel.observed_platform(claims)


def as_sgx(claims: Claims) -> SgxClaims:
    """The claims with Intel's own fields; a kind without a module like this one has no verifier either."""
    if not isinstance(claims, SgxClaims):
        raise PolicyError(Code.POLICY_TEE, found=claims.kind.value, wanted=TEE.value)
    return claims
