"""One request through the sealed channel: encode, seal, send, open, check the receipt. In this order, and no step can be skipped.

There is no other way out of this module than a `SealedRequest`: nothing falls back to plaintext, whatever the other side answers.
Left to others: which node and key are good (`session`), what the answer means (`answer`).
"""

import base64
import binascii
import time
from dataclasses import dataclass, field

from confide.client.session import Attested
from confide.client.transport import Reply, Transport
from confide.codes import Code
from confide.errors import ChannelError, ReceiptError, TransportError
from confide.receipt.check import check_receipt
from confide.receipt.commit import Salts
from confide.receipt.model import Receipt
from confide.seal import bhttp, ohttp
from confide.seal.padding import bucket

PATH = "/ohttp"
MAX_SEALED = 96 << 20  # bytes of one sealed answer
KEY_PROBLEM = "application/problem+json"  # RFC 9458 section 5.3: the gateway does not know the key
RECEIPT_TRAILER = b"confide-receipt"
SALTS_TRAILER = b"confide-salts"


class KeyChangedError(ChannelError):
    """The node said, outside the seal, that it does not know our key. The request was not opened and may be sealed anew."""


@dataclass(frozen=True)
class Exchanged:
    """An opened answer with a checked receipt, and the bytes and seconds that belong to it."""

    response: bhttp.Response
    receipt: Receipt | None
    envelope: bytes | None
    request: bytes = field(repr=False)
    committed: bytes = field(repr=False)  # the response bytes a receipt commits to
    salts: bytes | None = field(repr=False)
    seal: float = 0.0
    network: float = 0.0
    open: float = 0.0
    check: float = 0.0


def exchange(transport: Transport, attested: Attested, request: bhttp.Request, *, models: tuple[bytes, ...] | None) -> Exchanged:
    """Send `request` to the attested node. `models`: the package digests a receipt may name; None when the policy does not say.

    Raises:
        KeyChangedError: nothing was opened; re-attest, then seal anew.
        TransportError, ChannelError, ReceiptError: there is no answer.
    """
    started = time.perf_counter()
    message = bhttp.encode_request(request, pad_to=bucket)
    sealed = ohttp.seal_request(attested.key, message)
    sealed_at = time.perf_counter()
    headers = {"content-type": ohttp.OHTTP_REQUEST, "accept": ohttp.OHTTP_RESPONSE, "confide-request-id": sealed.request_id.hex()}
    reply = transport.post(PATH, sealed.body, headers=headers, limit=MAX_SEALED)
    answered = time.perf_counter()
    _require_sealed(reply)
    opened = sealed.opener.open(reply.content)
    decoded = bhttp.decode_response(opened)
    opened_at = time.perf_counter()
    committed = opened[: decoded.content_end]
    envelope, salts = _trailer(decoded.response, RECEIPT_TRAILER), _trailer(decoded.response, SALTS_TRAILER)
    receipt = None
    if envelope is not None:
        receipt = check_receipt(
            envelope,
            keyset=attested.verdict.keyset,
            request=message,
            response=committed,
            salts=Salts.parse(salts) if salts is not None else None,
            enc=sealed.enc,
            key_config=attested.key.raw,
            models=models,
        )
    return Exchanged(
        response=decoded.response,
        receipt=receipt,
        envelope=envelope,
        request=message,
        committed=committed,
        salts=salts,
        seal=sealed_at - started,
        network=answered - sealed_at,
        open=opened_at - answered,
        check=time.perf_counter() - opened_at,
    )


def _require_sealed(reply: Reply) -> None:
    """Outside the seal anybody may have written the reply: status and media type choose the error, its text is not read."""
    if reply.status == 200 and reply.media_type == ohttp.OHTTP_RESPONSE:
        return
    if reply.status in {400, 401, 422} and reply.media_type == KEY_PROBLEM:
        raise KeyChangedError(Code.CLIENT_KEY_CHANGED, found=f"HTTP {reply.status}", wanted="a key the node knows")
    if reply.status == 200:
        raise ChannelError(Code.CLIENT_NOT_SEALED, found=reply.media_type[:60] or "no media type", wanted=ohttp.OHTTP_RESPONSE)
    raise TransportError(Code.TRANSPORT_STATUS, found=f"HTTP {reply.status}", wanted="HTTP 200", hint=_status_hint(reply.status))


def _status_hint(status: int) -> str:
    if status in {429, 503}:
        return "the node is full or not ready: wait a moment and retry"
    return "is this the address of a confide node? tell the operator" if status == 404 else ""


def _trailer(response: bhttp.Response, name: bytes) -> bytes | None:
    """One base 64 trailer; twice is an error."""
    values = [value for key, value in response.trailers if key == name]
    if not values:
        return None
    malformed = ReceiptError(Code.RECEIPT_MALFORMED, found=f"a bad {name.decode()} trailer", wanted="base 64, once")
    if len(values) != 1:
        raise malformed
    try:
        return base64.b64decode(values[0], validate=True)
    except (ValueError, binascii.Error):
        raise malformed from None
