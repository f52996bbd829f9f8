"""One node, from its frozen configuration to its end.

1. Open the packages: their digests complete the effective configuration, which is frozen here.
2. Start the engine and load the models: worker processes exist before any key does.
3. Find the TEE, make the keys and the keyset of this boot, and the first evidence document.
4. Open the outer routes. `Node.app` answered `/healthz` and refused the rest until now.

Stopping goes the other way: take no more, let requests finish, close the log, wipe the keys, stop the engine.
The keys end when their keyset does, whether the node is stopped or not (`Standing`).
Left to others: sockets and signals (`server.serve`).
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from confide.attest.keyset import Isolation, Keyset
from confide.attest.publickeys import parse_key_text
from confide.codes import Code
from confide.engine.engine import Engine
from confide.engine.package import Package, open_package
from confide.guest.admissions import Admissions
from confide.guest.documents import DocumentLimits, DocumentSource, utc_now
from confide.guest.keys import NodeKeys
from confide.guest.keysets import Boot, make_keyset
from confide.guest.software import software_digest
from confide.guest.tee import Tee, detect
from confide.seal.keystore import KeyStore
from confide.seal.ohttp import Gateway
from confide.seal.padding import bucket
from confide.server.config import NodeConfig
from confide.server.inner import InnerApp
from confide.server.models import Models, served
from confide.server.outer import OuterApp
from confide.server.parts import Parts
from confide.server.proof import Proof
from confide.server.routes import inner_routes
from confide.server.sealed import SealedApp

log = logging.getLogger("confide.node")
_LOOK_SECONDS = 3600.0


@dataclass
class Node:
    """A running node. `app` is the ASGI application; nothing else of it faces the network."""

    config: NodeConfig
    app: OuterApp
    inner: InnerApp
    keyset: Keyset
    documents: DocumentSource
    simulated: bool
    keys: NodeKeys = field(repr=False)
    key_store: KeyStore = field(repr=False)
    engine: Engine = field(repr=False)
    proof: Proof = field(repr=False)
    admissions: Admissions = field(repr=False)
    standing: "Standing" = field(repr=False)
    closing_checkpoint: bytes | None = None

    async def stop(self) -> None:
        """Drain, close the log, wipe the keys, stop the engine. Safe to call twice."""
        if self.closing_checkpoint is not None:
            return
        self.app.drain()
        if not await self.app.drained(self.config.limits.drain_ms / 1e3):
            log.warning("stopping with %d requests unfinished", self.app.in_flight)
        self.closing_checkpoint = self.proof.close()
        _keep(self.config.checkpoint_path, self.closing_checkpoint)
        self.standing.close()
        self.admissions.close()
        self.key_store.retire_all()
        self.keys.wipe()
        await self.documents.close()
        await self.engine.stop()


async def prepare_node(
    config: NodeConfig, *, app: OuterApp | None = None, tee: Tee | None = None, now: Callable[[], datetime] = utc_now
) -> Node:
    """A node that serves.

    Args:
        app: an application that already answers `/healthz`; a new one by default.
        tee: the device; by default the one that the configuration names.
        now: the clock.

    Raises:
        ConfideError: `package.*`, `engine.*` or `guest.*`; nothing is left running.
    """
    packages = await asyncio.to_thread(_open_packages, config)
    digests = {alias: package.digest for alias, package in packages.items()}
    software = software_digest()
    device = tee or detect(config.tee, software_digest=software, collateral_dir=_folder(config.collateral_dir))
    engine = Engine(workers=config.workers or os.cpu_count() or 1, limits=config.engine.limits())
    async with _stopped_on_error(engine):
        await engine.start()
        models = Models([served(alias, await engine.load(package)) for alias, package in packages.items()])
        keys = NodeKeys()
        authority_key = parse_key_text(config.authority_key) if config.authority_key else None
        boot = Boot(
            authority_key=authority_key,
            software_digest=software,
            config_digest=config.digest(digests),
            isolation=Isolation(engine.isolation),
            models=digests,
            lifetime=timedelta(hours=config.keyset_hours),
        )
        keyset = make_keyset(keys, boot, now=now())
        documents = DocumentSource(tee=device, keyset=keyset, limits=_document_limits(config), now=now)
        await documents.current()
    proof = Proof(keys=keys, engine=engine.identity, now=now)
    admissions = Admissions(
        authority_key=authority_key, keyset=lambda: keyset, tee=device, now=now, publish=documents.set_admission
    )
    parts = Parts(config=config, models=models, engine=engine, proof=proof, now=now, admissions=admissions)
    inner = InnerApp(routes=inner_routes(parts), body_limit=config.limits.request_bytes)
    store = _key_store(keys, capacity=config.limits.replay_entries)
    outer = app or OuterApp(config.limits, access_log=config.access_log)
    sealed = SealedApp(
        gateway=Gateway(store, max_message=config.limits.request_bytes),
        keyset_of=lambda _: keyset,
        inner=inner,
        proof=proof,
        run_seconds=config.limits.run_ms / 1e3,
        pad=bucket if config.pad_responses else None,
    )
    standing = Standing(store, not_after=keyset.not_after, now=now)
    standing.watch()
    outer.open(documents=documents, sealed=sealed, keys=store.encode(), standing=standing)
    return Node(
        config=config,
        app=outer,
        inner=inner,
        keyset=keyset,
        documents=documents,
        simulated=device.simulated,
        keys=keys,
        key_store=store,
        engine=engine,
        proof=proof,
        admissions=admissions,
        standing=standing,
    )


class Standing:
    """Whether the keys of this boot are still good. They end with the keyset that names them, whoever goes on sealing to them.

    Every request asks; a timer asks too (`watch`), so that the keys of a node that nobody uses end as well.
    """

    def __init__(self, store: KeyStore, *, not_after: datetime, now: Callable[[], datetime]) -> None:
        self._store, self._not_after, self._now = store, not_after, now
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> Code | None:
        """What is against them. Once expired they are wiped: a clock that is set back brings nothing back."""
        if not self._expired and self._now() >= self._not_after:
            self._expired = True
            log.warning("the keys of this boot have expired: start the node anew")
            self._store.retire_all()
        if self._expired:
            return Code.NODE_EXPIRED
        return Code.NODE_SPENT if self._store.spent else None

    def watch(self) -> None:
        """Wipe the keys when they expire. Looks at the clock once an hour at least: a timer does not see it being set."""
        if self() is Code.NODE_EXPIRED:
            return
        seconds = (self._not_after - self._now()).total_seconds()
        self._timer = asyncio.get_running_loop().call_later(min(max(seconds, 0.001), _LOOK_SECONDS), self.watch)

    def close(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()


@contextlib.asynccontextmanager
async def running_node(config: NodeConfig, *, tee: Tee | None = None, now: Callable[[], datetime] = utc_now) -> AsyncIterator[Node]:
    """A node for the length of a block, without a socket of its own: for tests and for embedding."""
    node = await prepare_node(config, tee=tee, now=now)
    try:
        yield node
    finally:
        await node.stop()


def _open_packages(config: NodeConfig) -> Mapping[str, Package]:
    return {
        alias: open_package(Path(model.path), expected_digest=bytes.fromhex(model.digest) if model.digest else None)
        for alias, model in config.models.items()
    }


@contextlib.asynccontextmanager
async def _stopped_on_error(engine: Engine) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await engine.stop()
        raise


def _folder(path: str) -> Path | None:
    return Path(path) if path else None


def _document_limits(config: NodeConfig) -> DocumentLimits:
    limits = config.limits
    return DocumentLimits(
        max_age=timedelta(seconds=config.document_seconds),
        waiting=limits.nonces_waiting,
        gather=limits.gather_ms / 1e3,
        quote_interval=limits.quote_interval_ms / 1e3,
    )


def _key_store(keys: NodeKeys, *, capacity: int) -> KeyStore:
    store = KeyStore()
    for pair in keys.ohttp:
        store.add(pair.config, pair.private, replay_capacity=capacity)
    return store


def _keep(path: str, checkpoint: bytes) -> None:
    """The closing checkpoint for whoever keeps the log; a node that cannot write it still stops, and says so."""
    if not path:
        return
    try:
        Path(path).write_bytes(checkpoint)
    except OSError as error:
        log.error("closing checkpoint not written: %s: %s", path, error.strerror)  # noqa: TRY400 - the place says enough
