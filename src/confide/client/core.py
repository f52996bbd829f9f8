"""The flows of a client of one node. `Node` and `AsyncNode` run them; the two differ in nothing else.

`request` is the door to every inner route: sealed, repeated where that helps and does no harm (`patience`), its receipt checked.
Features are flows on top of it (`flow` says how to add one). Left to others: verifying (`session`), sealing (`exchange`,
`streaming`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from confide.client.answer import MAX_ANSWER, Answer, Output, Record, Timing, decode_output
from confide.client.completion import complete_flow, provable
from confide.client.exchange import Exchanged, KeyChangedError, Sealed
from confide.client.flow import Flow
from confide.client.loading import file_name
from confide.client.models import required_digest
from confide.client.patience import Tries, patiently
from confide.client.remote import error_code, parse_timing, raise_remote
from confide.client.session import Attested, Session
from confide.client.streaming import Source, Streamed, may_restart
from confide.client.tokens import AUTHORIZATION, Token
from confide.client.transport import Timeouts
from confide.codes import Code
from confide.errors import ChannelError, ConfideError, MisuseError, ReceiptError, RemoteError, TransportError
from confide.formats import strictjson
from confide.policy.model import Policy
from confide.receipt.checkpoint import Checkpoint
from confide.seal.bhttp import Request
from confide.seal.fields import Fields
from confide.seal.ohttp import INNER_AUTHORITY

DIGEST_HEADER = b"confide-model-digest"
IDEMPOTENT = frozenset({b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"})  # RFC 9110 section 9.2.2
HARMLESS = (b"/v1/pipelines/", b"/v1/embeddings", b"/v1/receipts/")  # what these compute leaves nothing behind
IDEMPOTENCY_KEY = b"idempotency-key"
Headers = Sequence[tuple[str | bytes, str | bytes]]
# Said inside the seal: nothing was done, and soon something may be. `owner.quota` is 429 too, and no matter of waiting.
NOT_TAKEN_INSIDE = frozenset(
    {Code.NODE_BUSY, Code.NODE_STARTING, Code.NODE_DRAINING, Code.ENGINE_BUSY, Code.ENGINE_STOPPED, Code.OHTTP_REPLAY_STORE_FULL}
)


class ModelInfo(msgspec.Struct, frozen=True):
    """One line of `/v1/models`, told by the node inside the seal."""

    id: str
    digest: str = ""
    task: str = ""


class _ModelList(msgspec.Struct, frozen=True):
    data: list[ModelInfo]


@dataclass(frozen=True)
class Asked:
    """A request before it is sealed: which package it needs is known only with a verdict.

    Attributes:
        model: an alias of the policy; its digest is demanded inside the seal and in the receipt.
        repeatable: running it twice does no harm.
    """

    method: bytes
    path: bytes
    headers: Fields
    content: bytes | Source = field(repr=False)
    model: str | None
    repeatable: bool

    def digests(self, policy: Policy, attested: Attested) -> tuple[bytes, ...] | None:
        """What a receipt may name as the model; None where the request names none."""
        return None if self.model is None else (required_digest(policy, attested.verdict, self.model),)

    def to(self, digests: tuple[bytes, ...] | None, token: Token | None = None) -> Request:
        """The inner request, without its content where that is a source; with the token, where it has no credentials of its own."""
        content = self.content if isinstance(self.content, bytes) else b""
        headers = self.headers
        if token is not None and not any(name == AUTHORIZATION for name, _ in headers):
            headers = (*headers, token.field)
        if digests is not None:
            headers = (*headers, (DIGEST_HEADER, digests[0].hex().encode()))
        return Request(self.method, b"https", INNER_AUTHORITY, self.path, headers, content)


def asked(
    method: str | bytes,
    path: str | bytes,
    *,
    headers: Headers = (),
    content: bytes | Source = b"",
    model: str | None = None,
    repeatable: bool | None = None,
) -> Asked:
    """A request as callers write it. `repeatable=None`: judged by its method, path and idempotency key."""
    verb, where = _bytes(method).upper(), _bytes(path)
    fields = tuple((_bytes(name).lower(), _bytes(value)) for name, value in headers)
    if repeatable is None:
        keyed = any(name == IDEMPOTENCY_KEY for name, _ in fields)
        repeatable = keyed or verb in IDEMPOTENT or where.startswith(HARMLESS)
    return Asked(verb, where, fields, content, model, repeatable)


class Core:
    """What both twins share: a policy, a session, how long to wait, and the flows."""

    def __init__(
        self, policy: Policy, session: Session, *, timeouts: Timeouts, patience: float, token: Token | None = None
    ) -> None:
        self.policy, self.session, self.timeouts, self.token = policy, session, timeouts, token
        self.heads: dict[bytes, Checkpoint] = {}  # of logs, by log id: the last ones seen (`completion`)
        self._patience = min(patience, timeouts.exchange)
        self.closed = False

    def tries(self, *, repeatable: bool) -> Tries:
        """A fresh patience for one request."""
        return Tries(self._patience, repeatable=repeatable)

    def attest(self, tries: Tries | None = None) -> Flow[Attested]:
        """Make sure of a verdict that has not expired."""
        if self.closed:
            raise MisuseError(Code.CLIENT_CLOSED, found="a closed node", wanted="an open one", hint="call confide.connect again")
        return (yield from self.session.attested(tries or self.tries(repeatable=True)))

    def request(
        self,
        method: str | bytes,
        path: str | bytes,
        *,
        headers: Headers = (),
        content: bytes | Source = b"",
        model: str | None = None,
        repeatable: bool | None = None,
        proven: bool = True,
    ) -> Flow[Exchanged]:
        """One sealed exchange on any inner route, whatever its status. Its receipt is checked.

        Args:
            content: bytes, or pieces that are sent as they come; then hashes of request and answer are kept, not the bytes.
            model: an alias of the policy; its digest is demanded inside the seal and in the receipt.
            repeatable: running it twice does no harm; by default judged by method, path and idempotency key.
            proven: refuse a successful answer without a receipt, where the policy requires receipts.
        """
        request = asked(method, path, headers=headers, content=content, model=model, repeatable=repeatable)
        done = yield from self._whole(request) if isinstance(request.content, bytes) else self._collected(request)
        return (yield from self.prove(done)) if proven else done

    def run(self, model: str, inputs: str | Sequence[str], parameters: Mapping[str, Any]) -> Flow[Answer]:
        """See `Node.run`."""
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        body, path = pipeline_body(texts, parameters), pipeline_path(model)
        headers = ((b"content-type", b"application/json"),)
        done = yield from self.request(b"POST", path, headers=headers, content=body, model=model, proven=False)
        raise_unless_ok(done)
        done = yield from self.prove(done)
        output = decode_output(done.content)
        _require_whole(output, digest=required_digest(self.policy, done.attested.verdict, model), inputs=len(texts))
        return Answer(model, output, done.receipt, done.attested.verdict, timing_of(done), self.record(done))

    def models(self) -> Flow[list[ModelInfo]]:
        """See `Node.models`."""
        done = yield from self.request(b"GET", b"/v1/models", proven=False)
        raise_unless_ok(done)
        try:
            return strictjson.load_as(done.content, _ModelList, limit=MAX_ANSWER).data
        except strictjson.JsonError as error:
            raise ChannelError(Code.CLIENT_ANSWER, found=error.code.value, wanted="a list of models") from None

    def prove(self, done: Exchanged) -> Flow[Exchanged]:
        """The last step of every way out, whole or streamed: what the policy requires of a success is there, or it is none.

        A flow, so that a proof which has to be asked for can be.
        """
        if done.receipt is None and self.policy.require.receipts and 200 <= done.status < 300:
            raise ReceiptError(Code.CLIENT_NO_RECEIPT, found="no receipt", wanted="one that the node's keyset signed")
        if self.policy.require.log_proof and done.receipt is not None and done.proof is None and 200 <= done.status < 300:
            item = provable(done.envelope, done.receipt, done.attested.verdict.keyset)
            (completed,) = yield from complete_flow(self, [item])
            done = replace(done, proof=completed.proof)
        return done

    def complete(self, answers: Sequence[Answer]) -> Flow[list[Answer]]:
        """See `Node.complete`."""
        items = [provable(answer.record.receipt, answer.receipt, answer.verdict.keyset) for answer in answers]
        completed = yield from complete_flow(self, items)
        return [
            replace(answer, record=replace(answer.record, proof=each.proof.to_bytes()), checkpoint=each.checkpoint)
            for answer, each in zip(answers, completed, strict=True)
        ]

    def record(self, done: Exchanged) -> Record:
        """The exact bytes that prove an exchange later."""
        if done.request is None or done.committed is None:
            raise MisuseError(Code.CLIENT_INPUT, found="a stream of which nothing was kept", wanted="keep=True")
        return Record(
            bundle=done.attested.document,
            policy=self.policy.raw,
            policy_name=file_name(self.policy),
            receipt=done.envelope,
            request=done.request,
            response=done.committed,
            salts=done.salts,
            proof=None if done.proof is None else done.proof.to_bytes(),
        )

    def _whole(self, request: Asked) -> Flow[Exchanged]:
        """Until there is an answer, or no reason to go on (`patience`)."""
        tries = self.tries(repeatable=request.repeatable)
        attested = yield from self.attest(tries)
        sealed, sent = self._seal(request, attested), 0
        while True:
            try:
                sent += 1
                done = yield from sealed.exchange()
                if not (yield from self._again(done, tries, sent)):
                    return done
            except KeyChangedError as error:
                self.session.forget(attested)
                tries.rekey(error)
            except TransportError as error:
                yield from patiently(tries, error)
                if error.code is not Code.TRANSPORT_BROKEN:
                    continue  # the same bytes
            attested = yield from self.attest(tries)
            sealed, sent = self._seal(request, attested), 0

    def _again(self, done: Exchanged, tries: Tries, sent: int) -> Flow[bool]:
        """Whether an answer says, inside the seal, that nothing was done, or was done for an earlier copy of the same bytes."""
        code = error_code(done.status, done.content)
        if code is Code.OHTTP_REPLAYED and sent > 1:
            tries.repeat(RemoteError(code, found="an answer that was lost", wanted="a request that may run twice"))
            return True
        if code not in NOT_TAKEN_INSIDE or tries.over:
            return False
        if code is Code.OHTTP_REPLAY_STORE_FULL:
            self.session.forget(done.attested)
        yield from tries.wait(RemoteError(code))
        return True

    def _seal(self, request: Asked, attested: Attested) -> Sealed:
        digests = request.digests(self.policy, attested)
        return Sealed(attested, request.to(digests, self.token), models=digests)

    def open_stream(self, request: Asked, *, keep: bool = False) -> Flow[Streamed]:
        """A chunked exchange whose answer has begun. Whoever calls this calls its `shut`.

        A request whose source was touched can be sent again only where that does no harm, and the source can begin anew.
        """
        tries = self.tries(repeatable=request.repeatable)
        attested = yield from self.attest(tries)
        stream = self._chunked(request, attested, keep=keep)
        while True:
            try:
                yield from stream.begin()
                if not (yield from self._refused(stream, tries)):
                    return stream
                yield from stream.shut()
            except KeyChangedError as error:
                yield from stream.shut()
                self.session.forget(attested)
                _require_restart(request, stream, error)
                tries.rekey(error)
            except TransportError as error:
                yield from stream.shut()
                yield from patiently(tries, error)
                if error.code is not Code.TRANSPORT_BROKEN and stream.untouched:
                    continue  # the same bytes
                _require_restart(request, stream, error)
            except BaseException:
                yield from stream.shut()
                raise
            attested = yield from self.attest(tries)
            stream = self._chunked(request, attested, keep=keep)

    def _collected(self, request: Asked) -> Flow[Exchanged]:
        """A streamed request and its answer, whole."""
        stream = yield from self.open_stream(request)
        try:
            return (yield from stream.collect())
        finally:
            yield from stream.shut()

    def _refused(self, stream: Streamed, tries: Tries) -> Flow[bool]:
        """As `_again`, for an answer whose head says that it is no success; it is short, and read whole."""
        if stream.head is None or stream.head.status not in {409, 429, 503}:
            return False
        done = yield from stream.peek()
        return (yield from self._again(done, tries, 2 if stream.begun > 1 else 1))

    def _chunked(self, request: Asked, attested: Attested, *, keep: bool) -> Streamed:
        digests = request.digests(self.policy, attested)
        source = None if isinstance(request.content, bytes) else request.content
        return Streamed(attested, request.to(digests, self.token), source, models=digests, keep=keep)


def _require_restart(request: Asked, stream: Streamed, error: ConfideError) -> None:
    """Raise the error where the request cannot be sent once more."""
    source = None if isinstance(request.content, bytes) else request.content
    if not stream.untouched and not (request.repeatable and may_restart(source)):
        raise error from None


def raise_unless_ok(done: Exchanged) -> None:
    """The node's own error, where it answered with one."""
    if done.status != 200:
        raise_remote(done.status, done.content)


def timing_of(done: Exchanged) -> Timing:
    """How long each part of an exchange took."""
    return Timing(
        verify=done.attested.seconds,
        seal=done.seal,
        network=done.network,
        open=done.open,
        receipt=done.check,
        node=parse_timing(done.headers),
    )


def pipeline_path(model: str) -> bytes:
    """`/v1/pipelines/{model}`: the alias as one path segment. What RFC 3986 section 3.3 would encode is no alias."""
    data = model.encode("utf-8", "replace")
    if not 1 <= len(data) <= 128 or not all(byte in _UNRESERVED for byte in data) or model in {".", ".."}:
        raise MisuseError(Code.CLIENT_INPUT, found=f"a model name of {len(data)} bytes", wanted="1 to 128 of A-Z a-z 0-9 - . _ ~")
    return b"/v1/pipelines/" + data


def pipeline_body(inputs: list[str], parameters: Mapping[str, Any]) -> bytes:
    """What `/v1/pipelines/{model}` is asked."""
    if not inputs or not all(isinstance(text, str) for text in inputs):
        raise MisuseError(Code.CLIENT_INPUT, found="inputs that are not texts", wanted="one text or more")
    if not all(value is None or isinstance(value, (str, int, float, bool)) for value in parameters.values()):
        raise MisuseError(Code.CLIENT_INPUT, found="a parameter that is not a scalar", wanted="text, number or truth value")
    try:
        return strictjson.dumps({"inputs": inputs, "parameters": dict(parameters), "encoding_format": "base64"})
    except ValueError:
        raise MisuseError(Code.CLIENT_INPUT, found="a text or number that JSON cannot carry", wanted="Unicode, finite") from None


_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # RFC 3986 section 2.3


def _require_whole(output: Output, *, digest: bytes, inputs: int) -> None:
    """The answer is by the model that was required, one value per input."""
    if output.digest != digest.hex():
        raise ChannelError(Code.CLIENT_ANSWER, found=f"an answer by {output.digest[:64]}", wanted=digest.hex())
    counts = {
        "values": len(output.vectors) + len(output.ranked),
        "token counts": len(output.tokens),
        "marks of truncation": len(output.truncated),
    }
    for what, count in counts.items():
        if count != inputs:
            raise ChannelError(Code.CLIENT_ANSWER, found=f"{count} {what}", wanted=f"{inputs}, one per input")


def _bytes(text: str | bytes) -> bytes:
    """As the wire carries it. What is not ASCII is refused by binary HTTP's own rules, not here."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "replace")
