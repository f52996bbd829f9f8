"""One request through the sealed channel: encode, seal, send, open, check the receipt. In this order, and no step can be skipped.

There is no other way out of this module than a sealed request: nothing falls back to plaintext, whatever the other side answers.
Left to others: which node and key are good (`session`), when to send again (`patience`), streams (`streaming`), what the answer
means (`answer`).
"""

import time
from dataclasses import dataclass, field
from typing import Any

from confide.client.flow import Flow, post
from confide.client.patience import NOT_TAKING, NotTakenError
from confide.client.remote import CODES
from confide.client.session import Attested
from confide.client.transport import Reply
from confide.codes import Code
from confide.errors import ChannelError, TransportError
from confide.formats import strictjson
from confide.receipt.check import check_receipt
from confide.receipt.commit import Salts
from confide.receipt.deliver import from_trailers
from confide.receipt.model import Receipt
from confide.receipt.proof import LogProof
from confide.seal import bhttp, ohttp
from confide.seal.fields import Fields
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
    """An opened answer with a checked receipt, and the bytes and seconds that belong to it.

    Where the request was a stream, `request` and `committed` are None: nothing but their hashes was kept.
    """

    attested: Attested
    response: bhttp.Response
    receipt: Receipt | None
    envelope: bytes | None
    request: bytes | None = field(repr=False)
    committed: bytes | None = field(repr=False)  # the response bytes a receipt commits to
    salts: bytes | None = field(repr=False)
    seal: float = 0.0
    network: float = 0.0
    open: float = 0.0
    check: float = 0.0
    proof: LogProof | None = field(default=None, repr=False)  # where the policy demands one

    @property
    def status(self) -> int:
        """HTTP status, inside the seal."""
        return self.response.status

    @property
    def headers(self) -> Fields:
        """Header fields, inside the seal."""
        return self.response.headers

    @property
    def content(self) -> bytes:
        """The content of the answer."""
        return self.response.content


class Sealed:
    """A request, sealed to one key. It may be sent more than once: a node opens it once."""

    __slots__ = ("_attested", "_headers", "_message", "_models", "_sealed", "_seconds")

    def __init__(self, attested: Attested, request: bhttp.Request, *, models: tuple[bytes, ...] | None) -> None:
        """`models`: the package digests that a receipt may name; None when the policy does not say."""
        started = time.perf_counter()
        self._attested, self._models = attested, models
        self._message = bhttp.encode_request(request, pad_to=bucket)
        self._sealed = ohttp.seal_request(attested.key, self._message)
        self._headers = outer_headers(ohttp.OHTTP_REQUEST, ohttp.OHTTP_RESPONSE, self._sealed.request_id)
        self._seconds = time.perf_counter() - started

    def exchange(self) -> Flow[Exchanged]:
        """Send it, and open and check the answer.

        Raises:
            KeyChangedError: nothing was opened; re-attest, then seal anew.
            TransportError, ChannelError, ReceiptError: there is no answer.
        """
        started = time.perf_counter()
        reply = yield from post(PATH, self._sealed.body, headers=self._headers, limit=MAX_SEALED)
        answered = time.perf_counter()
        require_sealed(reply, ohttp.OHTTP_RESPONSE)
        return self._opened(reply.content, network=answered - started)

    def _opened(self, content: bytes, *, network: float) -> Exchanged:
        answered = time.perf_counter()
        opened = self._sealed.opener.open(content)
        decoded = bhttp.decode_response(opened)
        opened_at = time.perf_counter()
        committed = opened[: decoded.content_end]
        envelope, salts = from_trailers(decoded.response.trailers)
        receipt = None
        if envelope is not None:
            receipt = check_receipt(
                envelope,
                keyset=self._attested.verdict.keyset,
                request=self._message,
                response=committed,
                salts=Salts.parse(salts) if salts is not None else None,
                enc=self._sealed.enc,
                key_config=self._attested.key.raw,
                models=self._models,
                succeeded=200 <= decoded.response.status < 300,
            )
        return Exchanged(
            attested=self._attested,
            response=decoded.response,
            receipt=receipt,
            envelope=envelope,
            request=self._message,
            committed=committed,
            salts=salts,
            seal=self._seconds,
            network=network,
            open=opened_at - answered,
            check=time.perf_counter() - opened_at,
        )


def outer_headers(request: str, response: str, request_id: bytes) -> dict[str, str]:
    """All that the network is told. The request id says nothing that the sealed bytes do not: balancers hash it."""
    return {"content-type": request, "accept": response, "confide-request-id": request_id.hex()}


def require_sealed(reply: Reply, media_type: str) -> None:
    """Outside the seal anybody may have written the reply: it chooses which error is raised and never becomes an answer."""
    if reply.status == 200 and reply.media_type == media_type:
        return
    if 200 <= reply.status < 300:
        raise ChannelError(Code.CLIENT_NOT_SEALED, found=reply.media_type[:60] or "no media type", wanted=media_type)
    problem = _problem(reply)
    if problem.get("type") == KEY_PROBLEM and 400 <= reply.status < 500:
        raise KeyChangedError(Code.CLIENT_KEY_CHANGED, found=f"HTTP {reply.status}", wanted="a key that the node knows")
    found = f"HTTP {reply.status}{_said(problem.get('code'))}"
    kind = NotTakenError if reply.status in NOT_TAKING else TransportError
    raise kind(Code.TRANSPORT_STATUS, found=found, wanted="HTTP 200", hint=_status_hint(reply.status))


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
    if status in NOT_TAKING:
        return "the node is full or not ready: wait a moment and retry"
    return "is this the address of a confide node?" if status == 404 else ""
