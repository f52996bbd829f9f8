"""`connect_async` and `AsyncNode`: the twins of `connect` and `Node` for an event loop (asyncio).

Requests of one node may run at once; they share one verification. Cancelling one closes its connection and leaves the node usable.
Left to others: everything that happens (`core`).
"""

import asyncio
from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from confide.client.answer import Answer
from confide.client.core import Core, Headers, ModelInfo
from confide.client.exchange import Exchanged
from confide.client.flow import Flow, drive_async
from confide.client.items import AsyncStream, Items
from confide.client.loading import load
from confide.client.node import DEFAULT_STATE, prepare
from confide.client.patience import PATIENCE
from confide.client.session import Attested, utc_now
from confide.client.streaming import Source
from confide.client.tokens import Token
from confide.client.transport import CONNECTIONS, AsyncTransport, Timeouts
from confide.client.transport_async import AsyncHttpTransport
from confide.client.uploads import AliasState, Progress, Uploaded, delete_package_flow, set_alias_flow, upload_flow
from confide.formats import dsse
from confide.policy.model import Policy
from confide.policy.verdict import Verdict

T = TypeVar("T")


def connect_async(
    url: str,
    *,
    policy: str | Path | Policy,
    policy_signers: Sequence[dsse.PublicKey] = (),
    timeout: float | Timeouts = 60.0,
    patience: float = PATIENCE,
    connections: int = CONNECTIONS,
    state: Path | str | None = DEFAULT_STATE,
    transport: AsyncTransport | None = None,
    now: Callable[[], datetime] = utc_now,
    token: str | Token | None = None,
) -> "Connecting":
    """As `connect`: `async with connect_async(url, policy=...) as node`, or `node = await connect_async(...)`."""

    def prepared() -> tuple[AsyncTransport, Core]:
        loaded = load(policy, signers=policy_signers)
        core = prepare(loaded, asyncio.Lock(), timeout=timeout, patience=patience, state=state, now=now, token=token)
        return transport or AsyncHttpTransport(url, timeout=core.timeouts, connections=connections), core

    return Connecting(prepared)


class Connecting:
    """A node that is about to be verified: wait for it, or enter it."""

    def __init__(self, prepare: Callable[[], tuple[AsyncTransport, Core]]) -> None:
        self._prepare = prepare
        self._node: AsyncNode | None = None

    def __await__(self) -> Generator[Any, Any, "AsyncNode"]:
        return self._connect().__await__()

    async def __aenter__(self) -> "AsyncNode":
        self._node = await self._connect()
        return self._node

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._node is not None:
            await self._node.close()

    async def _connect(self) -> "AsyncNode":
        node = AsyncNode(*await asyncio.to_thread(self._prepare))  # reads files: the policy, the system's certificates
        try:
            await node.attest()
        except BaseException:
            await node.close()
            raise
        return node


class AsyncNode:
    """A verified node. Made by `connect_async`; an asynchronous context manager. Belongs to one event loop."""

    def __init__(self, transport: AsyncTransport, core: Core) -> None:
        self._transport, self.core = transport, core

    async def attest(self) -> Verdict:
        """Make sure of a verdict that has not expired."""
        return (await self.attested()).verdict

    async def attested(self) -> Attested:
        """The verdict with the document it rests on and the key that requests are sealed to."""
        return await self.drive(self.core.attest())

    async def models(self) -> list[ModelInfo]:
        """As `Node.models`."""
        return await self.drive(self.core.models())

    async def run(self, model: str, inputs: str | Sequence[str], **parameters: str | float | bool | None) -> Answer:
        """As `Node.run`."""
        return await self.drive(self.core.run(model, inputs, parameters))

    def stream(
        self, model: str, inputs: str | Sequence[str], *, keep: bool = False, **parameters: str | float | bool | None
    ) -> AsyncStream:
        """As `Node.stream`: `async for item in node.stream(...)`."""
        return AsyncStream(Items(self.core, model, inputs, parameters, keep=keep), self)

    async def request(
        self,
        method: str | bytes,
        path: str | bytes,
        headers: Headers = (),
        content: bytes | Source = b"",
        *,
        model: str | None = None,
        repeatable: bool | None = None,
    ) -> Exchanged:
        """As `Node.request`; `content` may be an asynchronous iterable too."""
        return await self.drive(
            self.core.request(method, path, headers=headers, content=content, model=model, repeatable=repeatable)
        )

    async def upload(
        self,
        path: Path | str,
        *,
        alias: str,
        token: str | Token | None = None,
        visibility: str = "owner",
        progress: Progress | None = None,
        resume: bool = True,
    ) -> Uploaded:
        """As `Node.upload`; `progress` is called in a thread."""
        return await self.drive(
            upload_flow(self.core, Path(path), alias=alias, token=token, visibility=visibility, progress=progress, resume=resume)
        )

    async def complete(self, *answers: Answer) -> list[Answer]:
        """The same answers, their receipts proven by the log and so by an ML-DSA-65 signature: `save` them, and they hold alone.

        Lazily and in batches: one exchange for hundreds of answers. A log that forked since the last time is refused.

        Raises:
            RemoteError: the node does not have the log of these receipts.
            ReceiptError: a `log` code.
        """
        return await self.drive(self.core.complete(answers))

    async def delete_package(self, digest: str, *, token: str | Token | None = None) -> tuple[str, ...]:
        """As `Node.delete_package`."""
        return await self.drive(delete_package_flow(self.core, digest, token=token))

    async def set_alias(self, alias: str, digest: str, *, token: str | Token | None = None) -> AliasState:
        """As `Node.set_alias`."""
        return await self.drive(set_alias_flow(self.core, alias, digest, token=token))

    async def drive(self, flow: Flow[T]) -> T:
        """Run a flow of this node (`flow`): how features outside this class work."""
        return await drive_async(flow, self._transport)

    async def close(self) -> None:
        """Close the connections; the node is not usable afterwards."""
        self.core.closed = True
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
