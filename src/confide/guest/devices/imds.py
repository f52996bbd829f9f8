"""Azure's metadata service, as far as evidence needs it: plain HTTP on a link-local address of this host, never through a proxy.

    GET  /metadata/THIM/amd/certification    {"vcekCert": PEM, "certificateChain": PEM, "tcbm": hex, ...}
         (Microsoft Learn, "Trusted Hardware Identity Management", "How do I request collateral in a confidential virtual machine?")
    POST /acc/tdquote    {"report": base64url of a TDREPORT} -> {"quote": base64url}
         (Microsoft Learn, "Azure confidential VM guest attestation", TDX; kinvolk/azure-cvm-tooling, `az-tdx-vtpm`)

Both want the header `Metadata: true`. Whoever answers there is the host: what comes back is bounded, and verified by others.
Left to others: which report is asked about (`azure`).
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from time import sleep
from typing import Any

from confide.attest.dcap.quote import MAX_QUOTE
from confide.attest.x509 import MAX_BUNDLE
from confide.codes import Code
from confide.collateral.fetch import Fetcher, HttpFetcher, Question
from confide.errors import CollateralError
from confide.formats import strictjson
from confide.guest import GuestError

ADDRESS = "http://169.254.169.254"
TIMEOUT, ATTEMPTS = 4.0, 3  # seconds for all attempts: a quote has 10 in all (`limits.quote_ms`)
MAX_CERTIFICATES = 3 * MAX_BUNDLE  # bytes: leaf, chain, and room for JSON
MAX_ANSWER = 2 * MAX_QUOTE
_JSON = "application/json"


class MetadataService:
    """Asks one host. `address`: where it is, `ADDRESS` when nothing is said; `fetcher`: what carries the questions."""

    def __init__(
        self, address: str | None = None, *, pause: Callable[[float], object] = sleep, fetcher: Fetcher | None = None
    ) -> None:
        self._address = address or ADDRESS
        headers = {"Metadata": "true"}
        self._fetcher = fetcher or HttpFetcher(timeout=TIMEOUT, attempts=ATTEMPTS, pause=pause, headers=headers, direct=True)

    def amd_certificates(self) -> Mapping[str, bytes]:
        """The chip's certificate and AMD's, by role.

        Raises:
            CollateralError: `collateral.*`, the service does not answer.
            GuestError: `guest.certificates`, it answers something else.
        """
        url = f"{self._address}/metadata/THIM/amd/certification"
        answer = self._fetcher.ask(Question(url, MAX_CERTIFICATES, accept=_JSON)).content
        members = _object(answer, limit=MAX_CERTIFICATES)
        leaf, chain = members.get("vcekCert"), members.get("certificateChain")
        if not all(isinstance(each, str) and each.isascii() and 0 < len(each) <= MAX_BUNDLE for each in (leaf, chain)):
            wanted = "vcekCert and certificateChain in PEM"
            raise GuestError(Code.GUEST_CERTIFICATES, found=f"{len(answer)} bytes of another form from THIM", wanted=wanted)
        return {"vcek": str(leaf).encode(), "cert-chain": str(chain).encode()}

    def td_quote(self, td_report: bytes) -> bytes:
        """The quoting enclave's quote over a TDREPORT of this host.

        Raises:
            GuestError: `guest.quote`.
        """
        body = json.dumps({"report": base64.urlsafe_b64encode(td_report).decode().rstrip("=")}).encode()
        question = Question(f"{self._address}/acc/tdquote", MAX_ANSWER, body=body, content_type=_JSON, accept=_JSON)
        try:
            answer = self._fetcher.ask(question).content
        except CollateralError as error:
            raise GuestError(Code.GUEST_QUOTE, found=error.found, wanted="a TD quote from the metadata service") from None
        try:
            text = _object(answer, limit=MAX_ANSWER)["quote"].rstrip("=")
            quote = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (KeyError, AttributeError, TypeError, binascii.Error, ValueError):
            quote = b""
        if not 0 < len(quote) <= MAX_QUOTE:
            found = f"{len(answer)} bytes of another form from the metadata service"
            raise GuestError(Code.GUEST_QUOTE, found=found, wanted=f"a quote of at most {MAX_QUOTE} bytes in base64url")
        return quote


def _object(answer: bytes, *, limit: int) -> Mapping[str, Any]:
    """A JSON object; nothing for anything else."""
    try:
        members = strictjson.loads(answer, limit=limit)
    except strictjson.JsonError:
        return {}
    return members if isinstance(members, dict) else {}
