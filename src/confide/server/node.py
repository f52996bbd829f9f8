"""One node, from its frozen configuration to its end.

1. Open the packages: their digests complete the effective configuration, which is frozen here.
2. Start the engine and load the models: worker processes exist before any key does.
3. Find the TEE, make the signing keys of this boot and its log, and the first epoch: content keys, their keyset, the evidence.
4. Make the inner routes, and what opens requests for them.
5. Open the outer routes. `Node.app` answered `/healthz` and refused the rest until now.

Stopping goes the other way: take no more, let requests finish, close the log, wipe the keys, stop the engine.
Left to others: when content keys change (`guest.epochs`), sockets and signals (`server.serve`).
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
from confide.engine.package import Package, open_package
from confide.engine.pool import Pool
from confide.guest.admissions import Admissions
from confide.guest.documents import DocumentLimits, utc_now
from confide.guest.epoch import Lifetimes
from confide.guest.epochs import Epochs
from confide.guest.keys import NodeKeys
from confide.guest.keysets import Boot
from confide.guest.machine import Machine, open_machine
from confide.guest.quoter import Quoter
from confide.guest.renewal import Renewal
from confide.guest.software import software_digest
from confide.guest.tee import Tee
from confide.seal.keystore import KeyStore
from confide.seal.ohttp import Gateway
from confide.seal.padding import bucket
from confide.server.config import NodeConfig
from confide.server.inner import InnerApp
from confide.server.models import Models, served
from confide.server.outer import OuterApp
from confide.server.owners import Owners
from confide.server.parts import Parts
from confide.server.proof import Proof, open_proof
from confide.server.routes import inner_routes
from confide.server.sealed import SealedApp
from confide.server.streaming import StreamedApp, StreamLimits
from confide.server.uploads import Uploads

log = logging.getLogger("confide.node")
SHARED_REPLAY = 2  # keys whose replay stores may be full at a time: the active one and one before it


@dataclass
class Node:
    """A running node. `app` is the ASGI application; nothing else of it faces the network."""

    config: NodeConfig
    app: OuterApp
    inner: InnerApp
    epochs: Epochs
    simulated: bool
    keys: NodeKeys = field(repr=False)
    key_store: KeyStore = field(repr=False)
    engine: Pool = field(repr=False)
    proof: Proof = field(repr=False)
    admissions: Admissions = field(repr=False)
    uploads: Uploads = field(repr=False)
    renewal: Renewal = field(repr=False)
    closing_checkpoint: bytes | None = None

    @property
    def keyset(self) -> Keyset:
        """The keyset that is served now; `node.expired` when there is none."""
        return self.epochs.keyset

    async def stop(self, *, patience: float | None = None) -> None:
        """Drain, close the log, wipe the keys, stop the engine. Safe to call twice.

        Args:
            patience: seconds that requests in flight get to finish; None for as many as the configuration says.
        """
        if self.closing_checkpoint is not None:
            return
        self.app.drain()
        if not await self.app.drained(self.config.limits.drain_ms / 1e3 if patience is None else patience):
            log.warning("stopping with %d requests unfinished", self.app.in_flight)
        async with contextlib.AsyncExitStack() as ends:  # last first, each of them whatever happens to the ones before
            ends.push_async_callback(self.engine.stop)
            ends.push_async_callback(self.uploads.close)
            ends.callback(self.keys.wipe)
            ends.push_async_callback(self.epochs.close)
            ends.callback(self.admissions.close)
            ends.push_async_callback(self.renewal.close)
            self.closing_checkpoint = await self.proof.close()


async def prepare_node(
    config: NodeConfig, *, app: OuterApp | None = None, tee: Tee | Machine | None = None, now: Callable[[], datetime] = utc_now
) -> Node:
    """A node that serves.

    Args:
        app: an application that already answers `/healthz`; a new one by default.
        tee: the device, with what stands beside it; by default the one that the configuration names.
        now: the clock.

    Raises:
        ConfideError: `package.*`, `engine.*` or `guest.*`; nothing is left running.
    """
    packages = await asyncio.to_thread(_open_packages, config)  # 1
    digests = {alias: package.digest for alias, package in packages.items()}
    async with contextlib.AsyncExitStack() as undo:
        software = software_digest()
        machine = await asyncio.to_thread(_machine, config, software) if tee is None else _whole(tee)
        engine = _pool(config)  # 2
        undo.push_async_callback(engine.stop)
        await engine.start()
        started = [served(alias, await engine.load(package)) for alias, package in packages.items()]
        models = Models(started, versions=config.uploads.versions, aliases=config.uploads.owner_aliases)
        owners = Owners({name: bytes.fromhex(owner.token_sha256) for name, owner in config.owners.items()})
        uploads = await Uploads.open(_folder(config.upload_dir), limits=config.uploads, models=models, pool=engine, now=now)
        undo.push_async_callback(uploads.close)
        keys = NodeKeys()  # 3
        undo.callback(keys.wipe)
        authority_key = parse_key_text(config.authority_key) if config.authority_key else None
        boot = Boot(
            authority_key=authority_key,
            software_digest=software,
            config_digest=config.digest(digests),
            isolation=Isolation(engine.isolation),
            models=digests,
            tpm_ak_spki_sha256=machine.tpm_key_sha256,
            gpu_leaf_key_sha256=machine.gpu_keys_sha256,
        )
        proof = await open_proof(_folder(config.log_dir), keys=keys, engine=engine.identity, now=now)
        undo.push_async_callback(proof.close)
        store = KeyStore(room=SHARED_REPLAY * config.limits.replay_entries)
        epochs = _epochs(config, boot, keys=keys, store=store, machine=machine, proof=proof, now=now)
        undo.push_async_callback(epochs.close)
        await epochs.start()
        await proof.kept()
        admissions = Admissions(
            authority_key=authority_key,
            keyset=lambda: epochs.keyset,
            platform_id=lambda: machine.tee.platform_id,
            now=now,
            publish=epochs.set_admission,
        )
        renewal = Renewal(machine)
        undo.push_async_callback(renewal.close)
        renewal.start()
        parts = Parts(
            config=config,
            models=models,
            engine=engine,
            proof=proof,
            now=now,
            admissions=admissions,
            epochs=epochs,
            owners=owners,
            uploads=uploads,
        )
        inner = InnerApp(routes=inner_routes(parts), body_limit=config.limits.request_bytes)  # 4
        sealed, streamed = _openers(config, Gateway(store, max_message=config.limits.request_bytes), epochs, inner, proof)
        outer = app or OuterApp(config.limits, access_log=config.access_log)  # 5
        outer.open(
            documents=epochs,
            sealed=sealed,
            streamed=streamed,
            keys=store.encode,
            standing=lambda: proof.standing() or epochs.standing(),
        )
        undo.pop_all()  # it runs: from here on, `Node.stop` ends all this
    return Node(
        config=config,
        app=outer,
        inner=inner,
        epochs=epochs,
        simulated=machine.simulated,
        keys=keys,
        key_store=store,
        engine=engine,
        proof=proof,
        admissions=admissions,
        uploads=uploads,
        renewal=renewal,
    )


def _machine(config: NodeConfig, software: bytes) -> Machine:
    """May ask a vendor's service."""
    return open_machine(
        config.tee,
        gpus=config.gpus,
        vtpm=config.vtpm,
        software_digest=software,
        collateral_dir=_folder(config.collateral_dir),
        collateral_source=config.collateral_source,
    )


def _whole(tee: Tee | Machine) -> Machine:
    return tee if isinstance(tee, Machine) else Machine(tee)


@contextlib.asynccontextmanager
async def running_node(
    config: NodeConfig, *, tee: Tee | Machine | None = None, now: Callable[[], datetime] = utc_now
) -> AsyncIterator[Node]:
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


def _openers(config: NodeConfig, gateway: Gateway, epochs: Epochs, inner: InnerApp, proof: Proof) -> tuple[SealedApp, StreamedApp]:
    """What opens whole requests, and what opens those in chunks."""
    pad = bucket if config.pad_responses else None
    run = config.limits.run_ms / 1e3
    whole = SealedApp(gateway=gateway, keyset_of=epochs.keyset_of, inner=inner, proof=proof, run_seconds=run, pad=pad)
    limits = _stream_limits(config)
    return whole, StreamedApp(gateway=gateway, keyset_of=epochs.keyset_of, inner=inner, proof=proof, limits=limits, pad=pad)


def _pool(config: NodeConfig) -> Pool:
    return Pool(
        workers=config.workers or os.cpu_count() or 1,
        limits=config.engine.limits(),
        owner_workers=config.owner_workers,
        max_owners=len(config.owners),
    )


def _stream_limits(config: NodeConfig) -> StreamLimits:
    limits = config.limits
    return StreamLimits(
        chunk=limits.chunk_ms / 1e3,
        whole=limits.stream_ms / 1e3,
        run=limits.run_ms / 1e3,
        body=limits.request_bytes,
        coalesce=config.coalesce_ms / 1e3,
    )


def _folder(path: str) -> Path | None:
    return Path(path) if path else None


def _epochs(
    config: NodeConfig, boot: Boot, *, keys: NodeKeys, store: KeyStore, machine: Machine, proof: Proof, now: Callable[[], datetime]
) -> Epochs:
    limits = config.limits
    longest = max(limits.stream_ms, limits.run_ms) / 1e3
    return Epochs(
        boot=boot,
        signing=keys,
        store=store,
        quoter=Quoter(machine, interval=limits.quote_interval_ms / 1e3, timeout=limits.quote_ms / 1e3),
        lifetimes=Lifetimes(config.active_seconds, config.stale_seconds, grace=longest),
        replay_capacity=limits.replay_entries,
        limits=DocumentLimits(
            max_age=timedelta(seconds=config.document_seconds), waiting=limits.nonces_waiting, gather=limits.gather_ms / 1e3
        ),
        now=now,
        keep=proof.keep_keyset,
    )
