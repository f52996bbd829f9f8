"""Is a genuine enclave acceptable? Each constraint that is absent takes its strict value.

An enclave is named by MRENCLAVE (exactly this code), or by MRSIGNER with ISVPRODID and a minimum ISVSVN (whatever this signer calls
this product): one of the two must be given. Left to others: the platform (`dcap.constraints`), REPORTDATA (`binding`).
"""

from dataclasses import dataclass

from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.dcap.constraints import Digests, IntelConstraints, listed, rule, validate_platform
from confide.attest.dcap.report import Attributes
from confide.attest.sgx.claims import SgxClaims
from confide.codes import Code
from confide.errors import EvidenceError

KNOWN_FLAGS = sum(Attributes)  # bits whose meaning Intel has published (SDM volume 3D, "ATTRIBUTES")
X87_SSE = 0x3  # XFRM bits that are always set


@dataclass(frozen=True)
class SgxConstraints(IntelConstraints):
    """What an enclave must satisfy beyond its platform.

    Attributes:
        mr_enclaves: MRENCLAVE is one of these.
        mr_signers: MRSIGNER is one of these; beside `mr_enclaves` both must hold.
        isv_prod_ids: ISVPRODID is one of these; without `mr_enclaves` the list must be there.
        minimum_isv_svn, minimum_config_svn: lowest accepted.
        config_ids, ext_prod_ids, family_ids: of enclaves with KSS.
        allow_debug: `Ignored.UNSAFE_IGNORED` accepts an enclave whose memory the host may read.
        allow_provision_key: accepts enclaves that may derive provisioning or launch keys, as only Intel's own need to.
        attributes: FLAGS and XFRM, 16 bytes as in the report, compared under `attributes_mask` (as SIGSTRUCT does it).
        misc_select, xfrm: exact values.
    """

    mr_enclaves: Digests | Ignored | None = None
    mr_signers: Digests | None = None
    isv_prod_ids: tuple[int, ...] | None = None
    minimum_isv_svn: int = 0
    minimum_config_svn: int = 0
    config_ids: Digests | None = None
    ext_prod_ids: Digests | None = None
    family_ids: Digests | None = None
    allow_debug: Ignored | None = None
    allow_provision_key: Ignored | None = None
    attributes: bytes | None = None
    attributes_mask: bytes = b"\xff" * 16
    misc_select: tuple[int, ...] = (0, 1)  # EXINFO tells the enclave of its own faults (SDM volume 3D, "MISCSELECT")
    xfrm: tuple[int, ...] | None = None

    @property
    def references(self) -> int | None:
        """How many MRENCLAVEs and MRSIGNERs are listed."""
        if isinstance(self.mr_enclaves, Ignored):
            return None
        return len(self.mr_enclaves or ()) + len(self.mr_signers or ())


def validate(claims: SgxClaims, constraints: SgxConstraints, *, checks: Checks) -> None:
    """Compare verified claims with `constraints`; the first failure raises if `checks` is strict.

    Raises:
        EvidenceError: the enclave may be debugged, or is no initialised one.
        PolicyError: a value is not among, or below, what the constraints name.
        CollateralError: as `dcap.constraints.validate_platform`.
    """
    _attributes(claims, constraints, checks)
    validate_platform(claims, constraints, checks=checks)
    _identity(claims, constraints, checks)
    _product(claims, constraints, checks)


def _attributes(claims: SgxClaims, constraints: SgxConstraints, checks: Checks) -> None:
    """SDM volume 3D, "ATTRIBUTES": INIT is set by EINIT; DEBUG lets the host read; bits of unknown meaning may loosen."""
    enclave = claims.enclave
    known = bool(enclave.flags & Attributes.INIT) and not enclave.flags & ~KNOWN_FLAGS
    rule(checks, known, Code.SGX_INIT, "ATTRIBUTES.FLAGS", f"{enclave.flags:#x}", "INIT, and no unknown bits", EvidenceError)
    if constraints.allow_debug is not None:
        checks.relax("allow_debug", "the host may read and write the memory of the enclave")
    else:
        rule(checks, not enclave.debug, Code.SGX_DEBUG, "ATTRIBUTES.DEBUG", str(int(enclave.debug)), "0", EvidenceError)
    keys = enclave.flags & (Attributes.PROVISIONKEY | Attributes.EINITTOKEN_KEY)
    if constraints.allow_provision_key is not None:
        checks.relax("allow_provision_key", "the enclave may derive keys that are for Intel's own enclaves")
    else:
        rule(checks, not keys, Code.SGX_PROVISION_KEY, "ATTRIBUTES key bits", f"{int(keys):#x}", "0")
    _exact_attributes(claims, constraints, checks)


def _exact_attributes(claims: SgxClaims, constraints: SgxConstraints, checks: Checks) -> None:
    """What the processor had switched on (SDM volume 3D, "MISCSELECT", "ATTRIBUTES.XFRM")."""
    enclave = claims.enclave
    if constraints.attributes is not None:
        mask = int.from_bytes(constraints.attributes_mask)
        found, expected = int.from_bytes(enclave.attributes) & mask, int.from_bytes(constraints.attributes) & mask
        rule(checks, found == expected, Code.SGX_ATTRIBUTES, "ATTRIBUTES", f"{found:032x} under the mask", f"{expected:032x}")
    wanted = ", ".join(f"{value:#x}" for value in constraints.misc_select)
    misc = enclave.misc_select
    rule(checks, misc in constraints.misc_select, Code.SGX_MISC_SELECT, "MISCSELECT", f"{misc:#x}", wanted)
    if constraints.xfrm is None:
        rule(checks, enclave.xfrm & X87_SSE == X87_SSE, Code.SGX_XFRM, "ATTRIBUTES.XFRM", f"{enclave.xfrm:#x}", "x87 and SSE set")
    else:
        accepted = ", ".join(f"{value:#x}" for value in constraints.xfrm)
        rule(checks, enclave.xfrm in constraints.xfrm, Code.SGX_XFRM, "ATTRIBUTES.XFRM", f"{enclave.xfrm:#x}", accepted)


def _identity(claims: SgxClaims, constraints: SgxConstraints, checks: Checks) -> None:
    """By code, or by signer and product."""
    enclave = claims.enclave
    if isinstance(constraints.mr_enclaves, Ignored):
        checks.relax("mr_enclaves", "any software is accepted")
    elif constraints.mr_enclaves is not None or constraints.mr_signers is None:
        listed(enclave.mr_enclave, constraints.mr_enclaves or (), Code.SGX_MR_ENCLAVE, "MRENCLAVE", checks)
    else:
        checks.skip("MRENCLAVE", "the policy names signers instead")
    listed(enclave.mr_signer, constraints.mr_signers, Code.SGX_MR_SIGNER, "MRSIGNER", checks)


def _product(claims: SgxClaims, constraints: SgxConstraints, checks: Checks) -> None:
    enclave = claims.enclave
    by_signer = constraints.mr_enclaves is None  # a signer alone vouches for whatever it ever signed, under any number
    if constraints.isv_prod_ids is None and not by_signer:
        checks.skip("ISVPRODID", "the policy names none")
    else:
        products = constraints.isv_prod_ids or ()
        wanted = ", ".join(map(str, products)) or "none listed"
        fits = enclave.isv_prod_id in products
        rule(checks, fits, Code.SGX_ISV_PROD_ID, "ISVPRODID", str(enclave.isv_prod_id), wanted)
    for code, title, found, least in (
        (Code.SGX_ISV_SVN, "ISVSVN", enclave.isv_svn, constraints.minimum_isv_svn),
        (Code.SGX_CONFIG_SVN, "CONFIGSVN", enclave.config_svn, constraints.minimum_config_svn),
    ):
        rule(checks, found >= least, code, title, str(found), f"at least {least}")
    listed(enclave.config_id, constraints.config_ids, Code.SGX_CONFIG_ID, "CONFIGID", checks)
    listed(enclave.isv_ext_prod_id, constraints.ext_prod_ids, Code.SGX_EXT_PROD_ID, "ISVEXTPRODID", checks)
    listed(enclave.isv_family_id, constraints.family_ids, Code.SGX_FAMILY_ID, "ISVFAMILYID", checks)
