"""A node among many: nonces in crowds, strangers who only make noise, a worker that is killed, a stop in the middle of it all."""

import asyncio
import os
import resource
import signal
from datetime import UTC, datetime

import pytest
from tests.server.running import Inside, Opened, served, until, with_node

import confide_sim
from confide.attest.checks import Checks
from confide.attest.document import check_nonce, parse_document
from confide.codes import Code
from confide.errors import ConfideError
from confide.guest.epoch import Phase
from confide.policy.load import load_policy
from confide.policy.trust import propose_policy
from confide.policy.verify import verify
from confide.receipt.model import Status
from confide.receipt.proof import LogProof, verify_proof

EVIDENCE = "/.well-known/confide/evidence"
PIPELINE = "/v1/pipelines/encoder"
CROWD = 1000


def test_a_crowd_of_clients_each_verify_their_own_nonce_from_few_quotes() -> None:
    """A thousand connections at once; each asker checks its own path as a client does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))

    async def ask(address: tuple[str, int]) -> tuple[bytes, bytes]:
        nonce = os.urandom(32)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(f"GET {EVIDENCE}?nonce={nonce.hex()} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        assert head.startswith(b"HTTP/1.1 200 "), head
        return nonce, body

    async def crowd(address: tuple[str, int]) -> list[tuple[bytes, bytes]]:
        return await asyncio.gather(*(ask(address) for _ in range(CROWD)))

    with served(models={}) as node:
        assert node.node is not None
        answers = asyncio.run(crowd(node.address))
        quotes = node.node.epochs.quoter.quotes
    now = datetime.now(UTC)
    nonce, document = answers[0]
    proposal = propose_policy(document, now=now, nonce=nonce, roots=confide_sim.roots(), name="crowd", unsafe_accept_simulated=True)
    policy = load_policy(proposal.policy)
    for nonce, document in answers:
        assert verify(document, policy, now=now, nonce=nonce, roots=confide_sim.roots()).simulated
    assert len({nonce for nonce, _ in answers}) == CROWD
    assert quotes < CROWD / 20  # one, where connecting takes less than 100 ms; five a second at most
    with pytest.raises(ConfideError) as refused:
        verify(answers[1][1], policy, now=now, nonce=answers[0][0], roots=confide_sim.roots())
    assert refused.value.code is Code.VERDICT_NONCE


@pytest.mark.parametrize("target", ["", "&keyset="])
def test_strangers_who_flood_with_nonces_do_not_keep_a_strict_client_waiting(target: str) -> None:
    """It waits for the quote that is under way and for its own; also when they ask for other keysets, which take quotes too."""

    async def test(node: Inside) -> None:
        keysets = [epoch.keyset.digest.hex() for epoch in node.node.epochs.live]
        await until(lambda: node.node.epochs.live[0].phase is Phase.STALE)  # and can be asked for by name
        stop, asked = asyncio.Event(), 0

        async def stranger() -> None:
            nonlocal asked
            while not stop.is_set():
                asked += 1
                named = f"keyset={keysets[asked % len(keysets)]}&" if target else ""
                await node.http.get(f"{EVIDENCE}?{named}nonce={os.urandom(32).hex()}")

        flood = [asyncio.create_task(stranger()) for _ in range(200)]
        await asyncio.sleep(0.3)
        taken = []
        for _ in range(5):
            nonce, before = os.urandom(32), node.node.epochs.quoter.quotes
            reply = await node.http.get(f"{EVIDENCE}?nonce={nonce.hex()}")
            taken.append(node.node.epochs.quoter.quotes - before)
            assert reply.status_code == 200
            check_nonce(parse_document(reply.content), nonce, Checks())
        assert (await node.ask("GET", "/v1/models")).status == 200
        stop.set()
        await asyncio.gather(*flood)
        assert asked > 400
        assert max(taken) <= 2 + len(node.node.epochs.live), taken  # the epochs' own quotes included

    with_node(test, models={}, active_seconds=1, stale_seconds=600, limits__gather_ms=20, limits__quote_interval_ms=50)


def test_a_killed_worker_fails_its_requests_with_a_receipt_and_the_node_goes_on() -> None:
    async def test(node: Inside) -> None:
        asked = [asyncio.create_task(node.ask("POST", PIPELINE, {"inputs": ["a doctor"] * 64})) for _ in range(6)]
        await until(lambda: node.node.app.in_flight == 6)
        for pid in node.node.engine.worker_pids:
            os.kill(pid, signal.SIGKILL)
        answers: list[Opened] = await asyncio.gather(*asked)
        for answer in answers:
            assert answer.status in {200, 503}
            if answer.status == 503:
                assert answer.error == "engine.worker_died"
                assert answer.receipt is not None
                assert (answer.receipt.outcome.status, answer.receipt.outcome.code) == (Status.FAILED, "engine.worker_died")
        assert (await node.ask("POST", PIPELINE, {"inputs": ["a doctor"]})).status == 200

    with_node(test)


def test_every_receipt_of_a_busy_boot_is_in_the_log_that_the_closing_checkpoint_closes() -> None:
    async def test(node: Inside) -> None:
        bodies = [{"inputs": ["a"]}, {"inputs": []}, {"inputs": ["doctor", "market"]}, {"inputs": ["a"], "parameters": {"x": 1}}]
        answers = await asyncio.gather(*(node.ask("POST", PIPELINE, bodies[number % 4]) for number in range(40)))
        assert sorted(answer.receipt.log_index for answer in answers if answer.receipt) == list(range(40))
        envelope = answers[17].envelope
        assert envelope is not None
        assert answers[17].receipt is not None
        reply = await node.ask("GET", f"/v1/receipts/{answers[17].receipt.log_index}")
        proof = LogProof.parse(reply.content)
        receipt = answers[17].receipt
        checkpoint = verify_proof(proof, envelope=envelope, receipt=receipt, keys=node.node.keyset.receipt_keys)
        assert checkpoint.size >= 40

    with_node(test)
