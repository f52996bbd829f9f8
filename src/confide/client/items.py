"""An answer line by line: items as they complete, the receipt at the end.

    {"index": 0, "output": ..., "tokens": 7, "truncated": false}     and last     {"done": true, "model", "digest", "task", "count"}

An item was authentic when it came, and is proven only when the iteration has ended without an error. Ending it early closes the
connection, and the node stops. Left to others: the exchange (`streaming`), whole answers (`answer`).
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import msgspec

from confide.client.answer import CLASSIFICATION, EMBEDDING, Answer, Label, Output, decode_value
from confide.client.core import Asked, Core, asked, pipeline_body, pipeline_path, timing_of
from confide.client.flow import Flow
from confide.client.models import required_digest
from confide.client.remote import MAX_ERROR, raise_remote
from confide.client.streaming import Streamed
from confide.codes import Code
from confide.errors import ChannelError, MisuseError
from confide.formats import strictjson
from confide.policy.verdict import Verdict
from confide.receipt.model import Receipt

if TYPE_CHECKING:
    from confide.client.async_node import AsyncNode
    from confide.client.node import Node

NDJSON = b"application/x-ndjson"
MAX_LINE = 4 << 20  # bytes
_HEADERS = ((b"content-type", b"application/json"), (b"accept", NDJSON))


@dataclass(frozen=True, slots=True)
class Item:
    """What a model said about one input: a list of floats, or `Label`s, best first. Content: its repr shows no value."""

    index: int
    value: list[float] | list[Label] = field(repr=False)
    tokens: int
    truncated: bool


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    index: Annotated[int, msgspec.Meta(ge=0)]
    output: Any
    tokens: Annotated[int, msgspec.Meta(ge=0, le=strictjson.MAX_SAFE_INTEGER)]
    truncated: bool


class _Last(msgspec.Struct, frozen=True):
    done: Literal[True]
    digest: str
    task: str
    count: int


class Items:
    """The flows of one such answer, which both twins run."""

    def __init__(self, core: Core, model: str, inputs: Sequence[str], parameters: Mapping[str, Any], *, keep: bool) -> None:
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        body = pipeline_body(texts, parameters)
        self._asked: Asked = asked(b"POST", pipeline_path(model), headers=_HEADERS, content=body, model=model)
        self._core, self._model, self._keep = core, model, keep
        self._stream: Streamed | None = None
        self._waiting = bytearray()
        self._last: _Last | None = None
        self._missing = set(range(len(texts)))
        self._kind: str | None = None
        self._items: list[Item] = []
        self.answer: Answer | None = None
        self.state = "new"

    @property
    def verdict(self) -> Verdict | None:
        """What was verified before anything was sent."""
        return None if self._stream is None else self._stream.attested.verdict

    @property
    def receipt(self) -> Receipt | None:
        """Once the stream has ended."""
        return self._stream.receipt if self._stream is not None and self.state == "complete" else None

    def following(self) -> Flow[Item | None]:
        """The next item; None when the answer is whole and proven."""
        if self._stream is None:
            self._stream = yield from self._begin()
        while True:
            line = self._line()
            if line is None:
                piece = yield from self._stream.read()
                if not piece:
                    yield from self._end(self._stream)
                    yield from self.stop()
                    return None
                self._waiting += piece
            elif (item := self._item(line, self._stream)) is not None:
                return item

    def stop(self) -> Flow[None]:
        """Close what is open."""
        if self.state != "complete":
            self.state = "closed"
        if self._stream is not None:
            yield from self._stream.shut()

    def _begin(self) -> Flow[Streamed]:
        self.state = "open"
        stream = yield from self._core.open_stream(self._asked, keep=self._keep)
        try:
            yield from self._require_lines(stream)
        except BaseException:
            yield from stream.shut()
            raise
        return stream

    def _require_lines(self, stream: Streamed) -> Flow[None]:
        """A node's refusal comes whole; so would an answer by a node that knows no lines."""
        head = stream.head
        if head is None or head.status != 200:
            done = yield from stream.collect(limit=MAX_ERROR)
            raise_remote(done.status, done.content)
        kind = dict(head.headers).get(b"content-type", b"").split(b";", 1)[0].strip().lower()
        if kind != NDJSON:
            raise ChannelError(Code.CLIENT_ANSWER, found=kind[:60].decode("ascii", "replace"), wanted=NDJSON.decode())

    def _line(self) -> bytes | None:
        at = self._waiting.find(b"\n")
        if max(at, len(self._waiting) if at < 0 else 0) > MAX_LINE:
            raise ChannelError(Code.CLIENT_ANSWER, found="a longer line", wanted=f"at most {MAX_LINE} bytes")
        if at < 0:
            return None
        line = bytes(self._waiting[:at])
        del self._waiting[: at + 1]
        return line

    def _item(self, line: bytes, stream: Streamed) -> Item | None:
        """One line; None for the last one."""
        if self._last is not None:
            raise ChannelError(Code.CLIENT_ANSWER, found="a line after the last one", wanted="the end")
        try:
            members = strictjson.loads(line, limit=MAX_LINE)
        except strictjson.JsonError as error:
            raise ChannelError(Code.CLIENT_ANSWER, found=error.code.value, wanted="a line of JSON") from None
        if isinstance(members, dict) and "error" in members:
            raise_remote(200, line)
        if isinstance(members, dict) and "done" in members:
            self._last = _as(members, _Last)
            self._require_whole(self._last, stream)
            return None
        return self._kept(_as(members, _Line))

    def _kept(self, line: _Line) -> Item:
        kind, value = decode_value(line.output)
        if self._kind not in {None, kind}:
            raise ChannelError(Code.CLIENT_ANSWER, found=f"an item of {kind}", wanted=str(self._kind))
        if line.index not in self._missing:
            raise ChannelError(Code.CLIENT_ANSWER, found=f"item {line.index}", wanted="each input once")
        self._kind = kind
        self._missing.remove(line.index)
        item = Item(line.index, value, line.tokens, line.truncated)
        if self._keep:
            self._items.append(item)
        return item

    def _require_whole(self, last: _Last, stream: Streamed) -> None:
        """As of a whole answer: by the model that was required, one item per input."""
        digest = required_digest(self._core.policy, stream.attested.verdict, self._model).hex()
        if last.digest != digest:
            raise ChannelError(Code.CLIENT_ANSWER, found=f"an answer by {last.digest[:64]}", wanted=digest)
        if self._missing or last.task != self._kind:
            found = f"{len(self._missing)} items missing, task {last.task[:40]!r}"
            raise ChannelError(Code.CLIENT_ANSWER, found=found, wanted=f"one item per input, of {self._kind}")

    def _end(self, stream: Streamed) -> Flow[None]:
        if self._last is None or self._waiting:
            raise ChannelError(Code.CLIENT_ANSWER, found="an end without a last line", wanted='a line with "done"')
        done = yield from self._core.prove(stream.exchanged())
        self.state = "complete"
        if not self._keep:
            return
        items = sorted(self._items, key=lambda item: item.index)
        values: list[Any] = [item.value for item in items]
        output = Output(
            self._last.task,
            self._last.digest,
            vectors=values if self._kind == EMBEDDING else [],
            ranked=values if self._kind == CLASSIFICATION else [],
            tokens=tuple(item.tokens for item in items),
            truncated=tuple(item.truncated for item in items),
        )
        record = self._core.record(done)
        self.answer = Answer(self._model, output, done.receipt, done.attested.verdict, timing_of(done), record)


class _Told:
    """What both twins tell of their stream."""

    def __init__(self, items: Items) -> None:
        self._items = items

    @property
    def verdict(self) -> Verdict | None:
        """What was verified before anything was sent; None before the first item was asked for."""
        return self._items.verdict

    @property
    def receipt(self) -> Receipt | None:
        """The receipt that was checked; `client.input` before the last item, None only where the policy requires none."""
        self._require_complete()
        return self._items.receipt

    @property
    def answer(self) -> Answer:
        """The whole answer, in the order of the inputs, where the stream was asked to `keep` it."""
        self._require_complete()
        if self._items.answer is None:
            raise MisuseError(Code.CLIENT_INPUT, found="a stream that kept nothing", wanted="stream(..., keep=True)")
        return self._items.answer

    def _require_complete(self) -> None:
        if self._items.state != "complete":
            raise MisuseError(Code.CLIENT_INPUT, found=f"a stream that is {self._items.state}", wanted="one iterated to its end")

    def _require_new(self) -> None:
        if self._items.state != "new":
            raise MisuseError(
                Code.CLIENT_INPUT, found=f"a stream that is {self._items.state}", wanted="a new one: call stream again"
            )


class Stream(_Told):
    """Items as they complete. Iterate once; leaving early stops the node. `receipt` and `answer` are there after the last item."""

    def __init__(self, items: Items, node: "Node") -> None:
        super().__init__(items)
        self._node = node

    def __iter__(self) -> Iterator[Item]:
        self._require_new()
        try:
            while (item := self._node.drive(self._items.following())) is not None:
                yield item
        finally:
            self.close()

    def close(self) -> None:
        """Stop, where it has not ended."""
        self._node.drive(self._items.stop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AsyncStream(_Told):
    """`Stream` in an event loop: `async for`. Where it may be left early, `async with` stops the node at once."""

    def __init__(self, items: Items, node: "AsyncNode") -> None:
        super().__init__(items)
        self._node = node

    async def __aiter__(self) -> AsyncIterator[Item]:
        self._require_new()
        try:
            while (item := await self._node.drive(self._items.following())) is not None:
                yield item
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop, where it has not ended."""
        await self._node.drive(self._items.stop())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


def _as(members: object, shape: type[Any]) -> Any:
    try:
        return msgspec.convert(members, shape)
    except msgspec.ValidationError:
        raise ChannelError(Code.CLIENT_ANSWER, found="a line of another shape", wanted="an item, or the end") from None
