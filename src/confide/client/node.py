"""`connect` and `Node`: the few lines a program needs. `connect_async` and `AsyncNode` are their twins (`async_node`)."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from confide.client import state as state_file
from confide.client.answer import Answer
from confide.client.core import Core, Headers, ModelInfo
from confide.client.exchange import Exchanged
from confide.client.flow import Flow, drive
from confide.client.items import Items, Stream
from confide.client.loading import load
from confide.client.patience import PATIENCE
from confide.client.roots import roots_for
from confide.client.session import Attested, Session, utc_now
from confide.client.streaming import Source
from confide.client.tokens import Token
from confide.client.transport import CONNECTIONS, HttpTransport, Timeouts, Transport
from confide.client.uploads import AliasState, Progress, Uploaded, delete_package_flow, set_alias_flow, upload_flow
from confide.formats import dsse
from confide.policy.model import Policy
from confide.policy.verdict import Verdict

if TYPE_CHECKING:
    import asyncio

DEFAULT_STATE = Path()  # stands for "the user's own file": Path() itself can never be one
T = TypeVar("T")


def connect(
    url: str,
    *,
    policy: str | Path | Policy,
    policy_signers: Sequence[dsse.PublicKey] = (),
    timeout: float | Timeouts = 60.0,
    patience: float = PATIENCE,
    connections: int = CONNECTIONS,
    state: Path | str | None = DEFAULT_STATE,
    transport: Transport | None = None,
    now: Callable[[], datetime] = utc_now,
    token: str | Token | None = None,
) -> "Node":
    """Verify the node at `url` against `policy` and return it, ready to be asked. Nothing is sent to a node that does not pass.

    Args:
        policy: a policy file (TOML, JSON, or signed), or a `Policy`.
        policy_signers: when given, the policy file must be signed by one of these keys.
        timeout: seconds for one exchange, or all `Timeouts`.
        patience: seconds to wait for a node that is not there or does not take requests, within `timeout`; 0 to give up at once.
        connections: how many at once; further requests wait for one.
        state: where to keep the rollback state; the user's own file by default, None for not at all.
        transport: another way to reach the node than httpx.
        now: the clock that evidence is judged by.
        token: of a package owner, told inside the seal with every request: for models that only their owner may use, and uploads.

    Raises:
        EvidenceError, CollateralError, PolicyError: the node is not what the policy wants.
        TransportError: the node cannot be reached.
    """
    loaded = load(policy, signers=policy_signers)
    core = prepare(loaded, threading.Lock(), timeout=timeout, patience=patience, state=state, now=now, token=token)
    node = Node(transport or HttpTransport(url, timeout=core.timeouts, connections=connections), core)
    try:
        node.attest()
    except BaseException:
        node.close()
        raise
    return node


def prepare(
    policy: Policy,
    lock: "threading.Lock | asyncio.Lock",
    *,
    timeout: float | Timeouts,
    patience: float,
    state: Path | str | None,
    now: Callable[[], datetime],
    token: str | Token | None = None,
) -> Core:
    """What both twins start from."""
    path = state_file.default_path() if state is DEFAULT_STATE else None if state is None else Path(state)
    session = Session(policy, lock=lock, roots=roots_for(policy), state_path=path, now=now)
    owner = None if token is None else Token.parse(token)
    return Core(policy, session, timeouts=Timeouts.of(timeout), patience=patience, token=owner)


class Node:
    """A verified node. Made by `connect`; a context manager. May be shared between threads."""

    def __init__(self, transport: Transport, core: Core) -> None:
        self._transport, self.core = transport, core

    @property
    def verdict(self) -> Verdict:
        """What was verified, what was not, and until when it holds. Verifies anew when it has expired."""
        return self.attested().verdict

    @property
    def bundle(self) -> bytes:
        """The evidence document behind the verdict, for `confide verify FILE`."""
        return self.attested().document

    def attest(self) -> Verdict:
        """Make sure of a verdict that has not expired."""
        return self.attested().verdict

    def attested(self) -> Attested:
        """The verdict with the document it rests on and the key that requests are sealed to."""
        return self.drive(self.core.attest())

    def models(self) -> list[ModelInfo]:
        """What the node offers. A name is not an identity: `run` asks for a digest."""
        return self.drive(self.core.models())

    def run(self, model: str, inputs: str | Sequence[str], **parameters: str | float | bool | None) -> Answer:
        """Ask `model` about one text or several. The answer's receipt is checked before it is handed out.

        Raises:
            PolicyError: the policy names no digest for `model`, or the node holds another one; nothing was sent.
            RemoteError: the node answered, inside the seal, with an error.
            ReceiptError: the answer is not proven; it is not handed out.
        """
        return self.drive(self.core.run(model, inputs, parameters))

    def stream(
        self, model: str, inputs: str | Sequence[str], *, keep: bool = False, **parameters: str | float | bool | None
    ) -> Stream:
        """Ask `model` about texts and iterate over what it says of each, as it completes: `for item in node.stream(...)`.

        Items are authentic when they come; the receipt over all of them is checked at the end, and an error there, or a stream that
        was cut, means that the answer is not proven. Leaving the iteration early stops the node.

        Args:
            keep: hold all items and bytes, for `answer` and `answer.save`; without it memory stays small.
        """
        return Stream(Items(self.core, model, inputs, parameters, keep=keep), self)

    def request(
        self,
        method: str | bytes,
        path: str | bytes,
        headers: Headers = (),
        content: bytes | Source = b"",
        *,
        model: str | None = None,
        repeatable: bool | None = None,
    ) -> Exchanged:
        """One sealed exchange on any inner route, whatever its status. Its receipt is checked (`Core.request`).

        `content` may be an iterable: then it is sent as it comes.
        """
        return self.drive(self.core.request(method, path, headers=headers, content=content, model=model, repeatable=repeatable))

    def upload(
        self,
        path: Path | str,
        *,
        alias: str,
        token: str | Token | None = None,
        visibility: str = "owner",
        progress: Progress | None = None,
        resume: bool = True,
    ) -> Uploaded:
        """Put a package (a `.confide` file) on the node, in bounded memory, and give it a name. Returns when it is loaded.

        Args:
            token: the owner's; by default the one that `connect` was given.
            visibility: `owner`, or `public` for whoever may ask the node anything.
            progress: called with the bytes sent and the bytes in all.
            resume: after a broken connection go on where the node says that it broke.

        Raises:
            RemoteError: what the node says is wrong with the package, the alias or the owner.
            TransportError, MisuseError: `client.upload`, `client.file`, `client.token`.
        """
        return self.drive(
            upload_flow(self.core, Path(path), alias=alias, token=token, visibility=visibility, progress=progress, resume=resume)
        )

    def complete(self, *answers: Answer) -> list[Answer]:
        """The same answers, their receipts proven by the log and so by an ML-DSA-65 signature: `save` them, and they hold alone.

        Lazily and in batches: one exchange for hundreds of answers. A log that forked since the last time is refused.

        Raises:
            RemoteError: the node does not have the log of these receipts.
            ReceiptError: a `log` code.
        """
        return self.drive(self.core.complete(answers))

    def delete_package(self, digest: str, *, token: str | Token | None = None) -> tuple[str, ...]:
        """Take an owner's package off the node, with the aliases that stand on it: these are returned."""
        return self.drive(delete_package_flow(self.core, digest, token=token))

    def set_alias(self, alias: str, digest: str, *, token: str | Token | None = None) -> AliasState:
        """Let an owner's alias stand for another of its packages, from the next request on."""
        return self.drive(set_alias_flow(self.core, alias, digest, token=token))

    def drive(self, flow: Flow[T]) -> T:
        """Run a flow of this node (`flow`): how features outside this class work."""
        return drive(flow, self._transport)

    def close(self) -> None:
        """Close the connections; the node is not usable afterwards."""
        self.core.closed = True
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
