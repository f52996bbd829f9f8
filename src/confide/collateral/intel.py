"""Intel's Provisioning Certification Service, API version 4, or a PCCS with the same paths.

    /{sgx|tdx}/certification/v4/tcb?fmspc=       TCB info, JSON; its issuers in the header TCB-Info-Issuer-Chain
    /{sgx|tdx}/certification/v4/qe/identity      QE identity, JSON; SGX-Enclave-Identity-Issuer-Chain
    /sgx/certification/v4/pckcrl?ca=&encoding=der   the PCK CA's revocation list; SGX-PCK-CRL-Issuer-Chain
    the root's revocation list                   DER; a PCCS gives it in hex

Chains in headers are PEM, percent-encoded (PCS API, "Response headers"). Bodies are kept to the byte, since the signatures inside
cover exact bytes. `update=standard` is the service's default and is what is asked for: `early` would refuse platforms before their
owners could update. Left to others: signatures and windows (`attest.dcap`).
"""

import binascii
import string
import urllib.parse
from collections.abc import Mapping
from typing import Literal

from confide.attest.x509 import MAX_BUNDLE, MAX_CRL
from confide.codes import Code
from confide.collateral.fetch import Answer, Fetcher, Question
from confide.collateral.services import Services
from confide.errors import CollateralError

MAX_JSON = 1 << 20  # bytes; TCB info with all its levels is under 100 KiB
TCB_CHAIN = ("tcb-info-issuer-chain", "sgx-tcb-info-issuer-chain")  # version 4, and older caches
QE_CHAIN = ("sgx-enclave-identity-issuer-chain",)
CRL_CHAIN = ("sgx-pck-crl-issuer-chain",)

Tee = Literal["sgx", "tdx"]
Ca = Literal["processor", "platform"]


def fetch_intel(fetcher: Fetcher, services: Services, *, tee: Tee, fmspc: bytes, ca: Ca) -> Mapping[str, bytes]:
    """Roles to bytes of what verifiers of a quote need beside its PCK chain.

    Args:
        fmspc: the 6 bytes of the PCK certificate's extension.
        ca: which CA issued that certificate.

    Raises:
        CollateralError: what `Fetcher.ask` raises; `collateral.answer` where a chain is missing from the headers.
    """
    base = f"{services.intel}/{tee}/certification/v4"
    info = fetcher.ask(Question(f"{base}/tcb?fmspc={fmspc.hex().upper()}", MAX_JSON))
    identity = fetcher.ask(Question(f"{base}/qe/identity", MAX_JSON))
    crl = fetcher.ask(Question(f"{services.intel}/sgx/certification/v4/pckcrl?ca={ca}&encoding=der", MAX_CRL))
    root = fetcher.ask(Question(services.intel_root_crl, 2 * MAX_CRL))
    return {
        "tcb-info": info.content,
        "tcb-info-chain": _chain(info, TCB_CHAIN),
        "qe-identity": identity.content,
        "qe-identity-chain": _chain(identity, QE_CHAIN),
        "pck-crl": _der(crl.content),
        "pck-crl-chain": _chain(crl, CRL_CHAIN),
        "root-crl": _der(root.content),
    }


def _chain(answer: Answer, names: tuple[str, ...]) -> bytes:
    value = next((answer.headers[name] for name in names if name in answer.headers), None)
    if value is None:
        found = ", ".join(sorted(answer.headers)[:8]) or "no headers"
        raise CollateralError(Code.COLLATERAL_ANSWER, found=found, wanted=f"a header {names[0]}")
    chain = urllib.parse.unquote_to_bytes(value)
    if not chain.startswith(b"-----BEGIN ") or len(chain) > MAX_BUNDLE:
        raise CollateralError(Code.COLLATERAL_ANSWER, found=f"{len(chain)} bytes in {names[0]}", wanted="certificates in PEM")
    return chain


def _der(data: bytes) -> bytes:
    """A list as it is, or out of the hex in which a PCCS gives it."""
    text = data.strip().strip(b'"')
    if text and not set(text) - set(string.hexdigits.encode()):
        try:
            return binascii.unhexlify(text)
        except binascii.Error:
            return data  # the verifier says what is wrong with it
    return data
