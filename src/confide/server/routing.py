"""Which inner route answers a request: templates of path segments, a handler each.

    Route("POST", "/v1/pipelines/{}", handler)      `{}` stands for one segment and becomes an element of `Call.names`

A handler gets a `Call` and returns a whole `Reply`, or a `StreamReply` whose pieces leave as they are made. It reads the body whole
(`Call.body`) or piece by piece (`Call.pieces`). Left to others: what routes do (`server.routes`), the seal (`server.sealed`).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from confide.codes import Code
from confide.server import NodeError
from confide.server.asgi import Headers, Receive, Reply, Scope, collect_body
from confide.server.channel import Channel


@dataclass(frozen=True, slots=True)
class StreamReply:
    """An answer whose length nobody knows yet. An iterator that raises breaks the answer: it never looks complete."""

    status: int
    headers: Headers
    pieces: AsyncGenerator[bytes, None]


@dataclass(slots=True)
class Call:
    """One opened request on its way to a handler.

    Attributes:
        channel: proof that it came out of a seal; takes the facts for the receipt.
        names: the segments that stand for `{}` in the route's template.
        limit: the most bytes of body that `body` takes.
    """

    channel: Channel
    scope: Scope
    names: tuple[str, ...]
    limit: int
    receive: Receive = field(repr=False)

    async def body(self, *, limit: int | None = None) -> bytes:
        """The whole body; `node.too_large`, or `node.bad_request` when the client left."""
        return await collect_body(self.receive, limit=self.limit if limit is None else limit)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. It is whole, and may be acted on, only after the last piece; `node.bad_request` when it breaks."""
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise NodeError(Code.NODE_BAD_REQUEST, found="a client that left", wanted="the whole body")
            if piece := message.get("body", b""):
                yield piece
            if not message.get("more_body", False):
                return


Handler = Callable[[Call], Awaitable[Reply | StreamReply]]


@dataclass(frozen=True, slots=True)
class Route:
    """A method, a template and what answers.

    Attributes:
        body_limit: bytes of content that a chunked request may have here; None for as many as any request.
    """

    method: str
    template: str
    handler: Handler
    body_limit: int | None = None

    def match(self, path: str) -> tuple[str, ...] | None:
        """The segments that stand for `{}`, or None for another path."""
        wanted, found = self.template.split("/"), path.split("/")
        if len(wanted) != len(found):
            return None
        pairs = list(zip(wanted, found, strict=True))
        if any(want not in ("{}", segment) for want, segment in pairs):
            return None
        return tuple(segment for want, segment in pairs if want == "{}")


class Router:
    """Finds the route of a request. Most requests go to few paths, which are looked up without trying templates."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        self._exact = {(route.method, route.template): route for route in routes if "{}" not in route.template}

    @property
    def routes(self) -> tuple[Route, ...]:
        """All of them, for the documentation and its tests."""
        return self._routes

    def find(self, method: str, path: str) -> tuple[Route, tuple[str, ...]]:
        """The route of a request and its names.

        Raises:
            NodeError: `node.route`, or `node.method` with the methods that the path has.
        """
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact, ()
        matching = [(route, names) for route in self._routes if (names := route.match(path)) is not None]
        for route, names in matching:
            if route.method == method:
                return route, names
        if matching:
            wanted = " or ".join(route.method for route, _ in matching)
            raise NodeError(Code.NODE_METHOD, found=method[:16], wanted=wanted)
        raise NodeError(Code.NODE_ROUTE, found="another path", wanted="a route of docs/reference/routes.md")
