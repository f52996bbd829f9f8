"""Runs a node on a socket until it is told to stop: uvicorn with httptools and uvloop, bounded by `server.protocol`.

The socket is bound first, so that a port in use is said before models load. While they load, `/healthz` answers and everything else
says 503. SIGINT and SIGTERM stop gracefully: nothing new is taken, answers and streams that are on their way get `drain_ms`, and
what is left then is cancelled, so that its receipt says aborted. A second signal does not wait for them. Either way the log is
closed and the keys are wiped. Left to others: the node itself (`server.node`).
"""

import asyncio
import contextlib
import ctypes
import errno
import gc
import logging
import resource
import signal
import socket
from collections.abc import Callable, Generator
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from confide.codes import Code
from confide.server import NodeError
from confide.server.config import NodeConfig
from confide.server.node import Node, prepare_node
from confide.server.opened import describe
from confide.server.outer import OuterApp
from confide.server.protocol import bounded

log = logging.getLogger("confide.node")
BACKLOG = 1024
_PR_SET_DUMPABLE = 4  # linux/prctl.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_KEPT_BYTES = 32 << 20  # freed memory that malloc keeps, as much as glibc allows: fresh pages are most of what 1 MiB costs
_LOOK_SECONDS = 0.02  # between looks at what is still connected while stopping
_LAST_WORDS = 2.0  # seconds that cancelled requests get to sign their receipts
Announce = Callable[[str, Node], None]


class _Server(uvicorn.Server):
    """uvicorn re-raises the signal that stopped it, which would end the process before keys are wiped; this one does not."""

    def __init__(self, config: uvicorn.Config, app: OuterApp) -> None:
        super().__init__(config)
        self._app = app
        self._ending, self._hurry = asyncio.Event(), asyncio.Event()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Stop taking sealed requests at once; connections close as their answers are sent. The second time, wait for none."""
        self._app.drain()
        if self.should_exit:
            self._hurry.set()
        self.should_exit = True
        self._ending.set()

    def give_up(self) -> None:
        """End without a signal: there is nothing to serve."""
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        """Until one of them. uvicorn wakes ten times a second instead, for a date and a count that we do not use."""
        await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what listens, then let connections end. uvicorn's own goes on waiting for them after a second signal."""
        for server in (*self.servers, *(sockets or ())):
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                await self._ended()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            log.warning("ending %d unfinished requests", len(tasks))
            await asyncio.wait(tasks, timeout=_LAST_WORDS)
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def _ended(self) -> None:
        """Until there is no connection and no request, or there is no more patience."""
        while (self.server_state.connections or self.server_state.tasks) and not self._hurry.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _LOOK_SECONDS)  # nothing tells when a connection ends

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Not while uvicorn serves: for as long as the node lives (`signals`)."""
        yield

    @contextlib.contextmanager
    def signals(self) -> Generator[None, None, None]:
        """Listen to them until the keys are wiped: a signal that comes late must not end the process before."""
        loop = asyncio.get_running_loop()
        handled = []
        with contextlib.suppress(ValueError, RuntimeError):  # only the main thread may listen to signals
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.handle_exit, number, None)
                handled.append(number)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)


def run(config: NodeConfig, *, announce: Announce | None = None) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        announce: called once with the node's URL when it is ready.

    Raises:
        NodeError: `node.address`.
        ConfideError: whatever `prepare_node` raises.
    """
    listener = listen(config.host, config.port)
    with listener:
        _allow_connections(config.limits.connections)
        _keep_memory()
        with asyncio.Runner(debug=False, loop_factory=_loop_factory()) as runner:  # debug lines quote what callbacks were given
            runner.run(serve(config, listener, announce=partial(_ready, announce)))


def _ready(announce: Announce | None, url: str, node: Node) -> None:
    """What lives as long as the node need not be looked through by every garbage collection."""
    gc.collect()
    gc.freeze()
    if announce is not None:
        announce(url, node)


def listen(host: str, port: int) -> socket.socket:
    """A bound TCP socket; `node.address` says why not."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        hint = "stop what listens there, or choose another port; port 0 takes a free one" if in_use else ""
        raise NodeError(
            Code.NODE_ADDRESS, found=f"{host} port {port}: {error.strerror}", wanted="a free address", hint=hint
        ) from None
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL that reaches a listening socket from this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    config: NodeConfig, listener: socket.socket, *, announce: Announce | None = None, stop: asyncio.Event | None = None
) -> None:
    """Serve on a socket that listens already; returns when the node has stopped, by signal or because `stop` was set."""
    asyncio.get_running_loop().set_exception_handler(_unexpected)
    app = OuterApp(config.limits, access_log=config.access_log)
    server = _Server(_uvicorn(config, app), app)
    watching = asyncio.create_task(_watch(stop, server)) if stop is not None else None
    starting = asyncio.create_task(_start(config, app, server, url_of(listener), announce))
    with server.signals():
        try:
            await server.serve(sockets=[listener])
        finally:
            app.drain()
            if watching is not None:
                watching.cancel()
            if not starting.done():
                starting.cancel()
            await asyncio.wait([starting])
            if not starting.cancelled() and starting.exception() is None:
                await starting.result().stop(patience=0.0)  # connections have had their time
    if not starting.cancelled():
        starting.result()


async def _watch(stop: asyncio.Event, server: uvicorn.Server) -> None:
    await stop.wait()
    server.handle_exit(signal.SIGTERM, None)


async def _start(config: NodeConfig, app: OuterApp, server: _Server, url: str, announce: Announce | None) -> Node:
    try:
        node = await prepare_node(config, app=app)
    except BaseException:
        server.give_up()
        raise
    if announce is not None:
        announce(url, node)
    return node


def _uvicorn(config: NodeConfig, app: OuterApp) -> uvicorn.Config:
    limits = config.limits
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # its lines quote requests; ours do not
    return uvicorn.Config(
        app,
        http=bounded(limits),
        loop="none",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # the host's clock is nobody's evidence
        proxy_headers=False,
        timeout_keep_alive=max(1, limits.idle_ms // 1000),
        timeout_graceful_shutdown=max(1, limits.drain_ms // 1000),
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


def _unexpected(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # noqa: ARG001 - asyncio's signature
    """In the place of asyncio's handler, whose tracebacks and reprs may show content (DESIGN rule 10)."""
    error = context.get("exception")
    log.error("node.internal: %s", describe(error) if isinstance(error, BaseException) else context["message"])


def _keep_memory() -> None:
    """Memory stays here: no core dump, no reading by other processes of the same user, and freed pages are used again."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):  # neither glibc nor Linux
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        libc.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def _allow_connections(count: int) -> None:
    """As many file descriptors as connections, workers and packages need, as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 512
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
