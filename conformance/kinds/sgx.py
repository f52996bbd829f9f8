"""SGX cases: quotes alone or in the containers of their sources, Intel's collateral (`intel`)."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.dcap.quote import INTEL_QE_VENDOR, REPORT_SIZE
from confide.attest.dcap.report import Attributes
from confide.attest.sgx.claims import SgxClaims
from confide.attest.sgx.validate import SgxConstraints
from conformance.kinds import intel, quotes
from conformance.kinds.case import Adapter, Case, File, Parts, UnknownDialectError, require_inputs, require_nonce
from conformance.kinds.intel import nonces, platform_fields, quote_fields, starts

RECORDED_V1 = SgxConstraints(mr_enclaves=Ignored.UNSAFE_IGNORED)


def sort(files: Sequence[File]) -> Parts:
    """As Intel's; without a file named so, the first quote anywhere in what came."""
    parts = intel.sort(files)
    if "quote" in parts.evidence:
        return parts
    found = next((quote for _, _, data in files for quote in _quotes(data)), None)
    if found is None:
        raise UnknownDialectError
    return Parts({"quote": found}, parts.endorsements)


def _quotes(data: bytes) -> Iterator[bytes]:
    """In JSON at any depth, or among other bytes (a certificate request, an Open Enclave report), cut by their own lengths."""
    try:
        members = quotes.members(json.loads(data))
    except (ValueError, RecursionError):
        members = iter([("", list(data))])
    for _, member in members:
        inner = quotes.member_octets(member) or b""
        start = inner.find(INTEL_QE_VENDOR) - 12  # of the vendor in the header
        if start >= 0:
            yield _cut(inner[start:])


def _cut(quote: bytes) -> bytes:
    body = 48 + REPORT_SIZE + (6 if quote[:1] == b"\x05" else 0)
    return quote[: body + 4 + int.from_bytes(quote[body : body + 4], "little")]


def judge(claims: Claims, case: Case, checks: Checks) -> None:
    """`recorded-v1`, then the nonce, then what else the case expects."""
    verifiers.validate(claims, RECORDED_V1, checks=checks)
    if not isinstance(claims, SgxClaims):
        raise TypeError(type(claims).__name__)
    if case.nonce is not None:
        require_nonce(case, claims.report_data, nonces(case.nonce))
    elif "report_data" not in case.policy_inputs:
        checks.skip("REPORTDATA", "the case records no nonce")
    require_inputs(case, {**fields(claims), **quote_fields(case)})


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
        "attributes_flags": enclave.flags,
        "attributes_xfrm": enclave.xfrm,
        "init": bool(enclave.flags & Attributes.INIT),
        "cpusvn": enclave.cpu_svn,
        "debug": enclave.debug,
        "reportdata": enclave.report_data,
    }
    return found | {f"expected_{name}": value for name, value in found.items()}


ADAPTER = Adapter(sort, judge, starts)
