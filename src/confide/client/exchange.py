"""One request through the sealed channel: encode, seal, send, open, check the receipt. In this order, and no step can be skipped.

There is no other way out of this module than a `SealedRequest`: nothing falls back to plaintext, whatever the other side answers.
Left to others: which node and key are good (`session`), what the answer means (`answer`).
"""

import time
from dataclasses import dataclass, field
from typing import Any

from confide.client.remote import CODES
from confide.client.session import Attested
from confide.client.transport import Reply, Transport
from confide.codes import Code
from confide.errors import ChannelError, TransportError
from confide.formats import strictjson
from confide.receipt.check import check_receipt
from confide.receipt.commit import Salts
from confide.receipt.deliver import from_trailers
from confide.receipt.model import Receipt
from confide.seal import bhttp, ohttp
from confide.seal.padding import bucket

PATH = "/ohttp"
MAX_SEALED = 64 << 20  # bytes of one sealed answer
MAX_PROBLEM = 4096
PROBLEM = "application/problem+json"  # RFC 9457
KEY_PROBLEM = "https://iana.org/assignments/http-problem-types#ohttp-key"  # RFC 9458 section 5.3: the gateway does not know the key


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
    envelope, salts = from_trailers(decoded.response.trailers)
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
            succeeded=200 <= decoded.response.status < 300,
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
    """Outside the seal anybody may have written the reply: it chooses which error is raised and never becomes an answer."""
    if reply.status == 200 and reply.media_type == ohttp.OHTTP_RESPONSE:
        return
    if 200 <= reply.status < 300:
        raise ChannelError(Code.CLIENT_NOT_SEALED, found=reply.media_type[:60] or "no media type", wanted=ohttp.OHTTP_RESPONSE)
    problem = _problem(reply)
    if problem.get("type") == KEY_PROBLEM and 400 <= reply.status < 500:
        raise KeyChangedError(Code.CLIENT_KEY_CHANGED, found=f"HTTP {reply.status}", wanted="a key that the node knows")
    found = f"HTTP {reply.status}{_said(problem.get('code'))}"
    raise TransportError(Code.TRANSPORT_STATUS, found=found, wanted="HTTP 200", hint=_status_hint(reply.status))


def _problem(reply: Reply) -> dict[str, Any]:
    if reply.media_type != PROBLEM:
        return {}
    try:
        members = strictjson.loads(reply.content, limit=MAX_PROBLEM)
    except strictjson.JsonError:  # a broken error is still that error
        return {}
    return members if isinstance(members, dict) else {}


def _said(code: object) -> str:
    """A code of ours is worth showing even from an unauthenticated reply; other text is not."""
    return f", {code}" if isinstance(code, str) and code in CODES else ""


def _status_hint(status: int) -> str:
    if status in {429, 503}:
        return "the node is full or not ready: wait a moment and retry"
    return "is this the address of a confide node?" if status == 404 else ""
