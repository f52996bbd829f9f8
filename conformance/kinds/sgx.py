"""SGX cases."""

from typing import Any

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.sgx.claims import SgxClaims
from confide.attest.sgx.validate import SgxConstraints
from conformance.kinds.case import Adapter, Case, require_inputs, require_nonce
from conformance.kinds.intel import nonces, platform_fields, sort, starts

RECORDED_V1 = SgxConstraints(mr_enclaves=Ignored.UNSAFE_IGNORED)


def judge(claims: Claims, case: Case, checks: Checks) -> None:
    """`recorded-v1`, then the nonce, then what else the case expects."""
    verifiers.validate(claims, RECORDED_V1, checks=checks)
    if not isinstance(claims, SgxClaims):
        raise TypeError(type(claims).__name__)
    if case.nonce is not None:
        require_nonce(case, claims.report_data, nonces(case.nonce))
    elif "report_data" not in case.policy_inputs:
        checks.skip("REPORTDATA", "the case records no nonce")
    require_inputs(case, fields(claims))


def fields(claims: SgxClaims) -> dict[str, Any]:
    """Field names of the manifests to values."""
    enclave = claims.enclave
    own: dict[str, Any] = {name: getattr(enclave, name) for name in enclave.__dataclass_fields__}
    found = {
        **platform_fields(claims),
        **own,
        "mrenclave": enclave.mr_enclave,
        "mrsigner": enclave.mr_signer,
        "isvprodid": enclave.isv_prod_id,
        "isvsvn": enclave.isv_svn,
        "miscselect": enclave.misc_select,
        "attributes": enclave.attributes,
        "debug": enclave.debug,
        "reportdata": enclave.report_data,
    }
    return found | {f"expected_{name}": value for name, value in found.items()}


ADAPTER = Adapter(sort, judge, starts)
