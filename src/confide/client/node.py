"""`connect` and `Node`: the few lines a program needs."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from confide.client import state as state_file
from confide.client.answer import MAX_ANSWER, Answer, Output, Record, Timing, decode_output
from confide.client.exchange import Exchanged, KeyChangedError, exchange
from confide.client.loading import file_name, load
from confide.client.models import required_digest
from confide.client.remote import parse_timing, raise_remote
from confide.client.roots import roots_for
from confide.client.session import Attested, Session, utc_now
from confide.client.transport import HttpTransport, Transport
from confide.codes import Code
from confide.errors import ChannelError, MisuseError, ReceiptError
from confide.formats import dsse, strictjson
from confide.policy.model import Policy
from confide.policy.verdict import Verdict
from confide.seal.bhttp import Request
from confide.seal.ohttp import INNER_AUTHORITY

DEFAULT_STATE = Path()  # stands for "the user's own file": Path() itself can never be one
DIGEST_HEADER = b"confide-model-digest"


class ModelInfo(msgspec.Struct, frozen=True):
    """One line of `/v1/models`, told by the node inside the seal."""

    id: str
    digest: str = ""
    task: str = ""


class _ModelList(msgspec.Struct, frozen=True):
    data: list[ModelInfo]


def connect(
    url: str,
    *,
    policy: str | Path | Policy,
    policy_signers: Sequence[dsse.PublicKey] = (),
    timeout: float = 60.0,
    state: Path | str | None = DEFAULT_STATE,
    transport: Transport | None = None,
    now: Callable[[], datetime] = utc_now,
) -> "Node":
    """Verify the node at `url` against `policy` and return it, ready to be asked. Nothing is sent to a node that does not pass.

    Args:
        policy: a policy file (TOML, JSON, or signed), or a `Policy`.
        policy_signers: when given, the policy file must be signed by one of these keys.
        timeout: seconds for one exchange.
        state: where to keep the rollback state; the user's own file by default, None for not at all.
        transport: another way to reach the node than httpx.
        now: the clock that evidence is judged by.

    Raises:
        EvidenceError, CollateralError, PolicyError: the node is not what the policy wants.
        TransportError: the node cannot be reached.
    """
    loaded = load(policy, signers=policy_signers)
    path = state_file.default_path() if state is DEFAULT_STATE else None if state is None else Path(state)
    roots = roots_for(loaded)
    sender = transport or HttpTransport(url, timeout=timeout)
    node = Node(sender, loaded, Session(sender, loaded, roots=roots, state_path=path, now=now))
    try:
        node.attest()
    except BaseException:
        node.close()
        raise
    return node


class Node:
    """A verified node. Made by `connect`; a context manager. May be shared between threads."""

    def __init__(self, transport: Transport, policy: Policy, session: Session) -> None:
        self._transport = transport
        self._policy = policy
        self._session = session
        self._closed = False

    @property
    def verdict(self) -> Verdict:
        """What was verified, what was not, and until when it holds. Verifies anew when it has expired."""
        return self._attested().verdict

    @property
    def bundle(self) -> bytes:
        """The evidence document behind the verdict, for `confide verify FILE`."""
        return self._attested().document

    def attest(self) -> Verdict:
        """Make sure of a verdict that has not expired."""
        return self._attested().verdict

    def models(self) -> list[ModelInfo]:
        """What the node offers. A name is not an identity: `run` asks for a digest."""
        request = Request(b"GET", b"https", INNER_AUTHORITY, b"/v1/models", (), b"")
        done, _ = self._exchange(lambda _: request, models=lambda _: None)
        _raise_unless_ok(done)
        try:
            return strictjson.load_as(done.response.content, _ModelList, limit=MAX_ANSWER).data
        except strictjson.JsonError as error:
            raise ChannelError(Code.CLIENT_ANSWER, found=error.code.value, wanted="a list of models") from None

    def run(self, model: str, inputs: str | Sequence[str], **parameters: str | float | bool | None) -> Answer:
        """Ask `model` about one text or several. The answer's receipt is checked before it is handed out.

        Raises:
            PolicyError: the policy names no digest for `model`, or the node holds another one; nothing was sent.
            RemoteError: the node answered, inside the seal, with an error.
            ReceiptError: the answer is not proven; it is not handed out.
        """
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        body, count = _body(texts, parameters), len(texts)
        path = b"/v1/pipelines/" + _segment(model)
        policy = self._policy

        def request(attested: Attested) -> Request:
            digest = required_digest(policy, attested.verdict, model)
            headers = ((b"content-type", b"application/json"), (DIGEST_HEADER, digest.hex().encode()))
            return Request(b"POST", b"https", INNER_AUTHORITY, path, headers, body)

        def digests(attested: Attested) -> tuple[bytes, ...]:
            return (required_digest(policy, attested.verdict, model),)

        done, attested = self._exchange(request, models=digests)
        _raise_unless_ok(done)
        if done.receipt is None and policy.require.receipts:
            raise ReceiptError(Code.CLIENT_NO_RECEIPT, found="no receipt", wanted="one that the node's keyset signed")
        output = decode_output(done.response.content)
        _require_whole(output, digest=required_digest(policy, attested.verdict, model), inputs=count)
        return Answer(model, output, done.receipt, attested.verdict, _timing(done, attested), self._record(done, attested))

    def close(self) -> None:
        """Close the connection; the node is not usable afterwards."""
        self._closed = True
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _attested(self) -> Attested:
        if self._closed:
            raise MisuseError(Code.CLIENT_CLOSED, found="a closed node", wanted="an open one", hint="call confide.connect again")
        return self._session.attested()

    def _exchange(
        self, request: Callable[[Attested], Request], *, models: Callable[[Attested], tuple[bytes, ...] | None]
    ) -> tuple[Exchanged, Attested]:
        """Send; when the node no longer knows the key, re-attest once and send anew. That request was never opened, so it is safe
        to repeat; a proxy that lies about it can only make the node do the same work twice.
        """
        attested = self._attested()
        try:
            return exchange(self._transport, attested, request(attested), models=models(attested)), attested
        except KeyChangedError:
            self._session.forget(attested)
        attested = self._attested()
        return exchange(self._transport, attested, request(attested), models=models(attested)), attested

    def _record(self, done: Exchanged, attested: Attested) -> Record:
        return Record(
            bundle=attested.document,
            policy=self._policy.raw,
            policy_name=file_name(self._policy),
            receipt=done.envelope,
            request=done.request,
            response=done.committed,
            salts=done.salts,
        )


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


def _timing(done: Exchanged, attested: Attested) -> Timing:
    return Timing(
        verify=attested.seconds,
        seal=done.seal,
        network=done.network,
        open=done.open,
        receipt=done.check,
        node=parse_timing(done.response.headers),
    )


def _raise_unless_ok(done: Exchanged) -> None:
    if done.response.status != 200:
        raise_remote(done.response.status, done.response.content)


def _body(inputs: list[str], parameters: Mapping[str, Any]) -> bytes:
    if not inputs or not all(isinstance(text, str) for text in inputs):
        raise MisuseError(Code.CLIENT_INPUT, found="inputs that are not texts", wanted="one text or more")
    if not all(value is None or isinstance(value, (str, int, float, bool)) for value in parameters.values()):
        raise MisuseError(Code.CLIENT_INPUT, found="a parameter that is not a scalar", wanted="text, number or truth value")
    try:
        return strictjson.dumps({"inputs": inputs, "parameters": dict(parameters), "encoding_format": "base64"})
    except ValueError:
        raise MisuseError(Code.CLIENT_INPUT, found="a text or number that JSON cannot carry", wanted="Unicode, finite") from None


def _segment(model: str) -> bytes:
    """The alias as one path segment. What RFC 3986 section 3.3 would encode is no alias."""
    data = model.encode("utf-8", "replace")
    if not 1 <= len(data) <= 128 or not all(byte in _UNRESERVED for byte in data) or model in {".", ".."}:
        raise MisuseError(Code.CLIENT_INPUT, found=f"a model name of {len(data)} bytes", wanted="1 to 128 of A-Z a-z 0-9 - . _ ~")
    return data


_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # RFC 3986 section 2.3
