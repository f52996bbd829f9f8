"""The log on a disk: what is there after answers, stops, kills and faults of the disk, and what other nodes make of it."""

import asyncio
import fcntl
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from scripts.vectors import _receipts as world
from tests.server.running import Inside, config, until, with_node

from confide.attest.document import parse_document
from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.errors import ConfideError, ReceiptError
from confide.receipt.checkpoint import MAX_CHECKPOINT, unverified_checkpoint, verify_checkpoint
from confide.receipt.frames import frame, records
from confide.receipt.proof import BatchProof, ConsistencyProof, LogProof, verify_proof
from confide.receipt.statement import MAX_RECEIPT
from confide.receipt.whole import Ending, LogReport, verify_log
from confide.server.node import running_node
from confide.server.otherlogs import OtherLogs
from confide.server.storage import LogStore

LOG_ID = world.digest("a log")
MODELS = "/v1/models"
PROOFS = "/v1/receipts/proofs"


def read(folder: Path, *, live: bool = False) -> LogReport:
    """The report about a folder, by the keysets that lie in it."""
    leaves, _ = records((folder / "leaves").read_bytes(), limit=MAX_RECEIPT)
    checkpoints, _ = records((folder / "checkpoints").read_bytes(), limit=MAX_CHECKPOINT)
    return verify_log(leaves, checkpoints, keysets=keysets(folder), live=live)


def keysets(folder: Path) -> list[Keyset]:
    found = [parse_document(file.read_bytes()).keyset for file in (folder / "keysets").iterdir()]
    assert {f"{keyset.digest.hex()}.json" for keyset in found} == {file.name for file in (folder / "keysets").iterdir()}
    return found


def locked(folder: Path) -> bool:
    """Whether a boot holds the lock of this folder."""
    with (folder / "lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def folder_of(directory: Path) -> Path:
    (folder,) = (path for path in directory.iterdir() if not path.name.startswith("."))
    return folder


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes: the kernel's own refusal, as a full disk gives it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# a node that keeps its log


def test_every_answer_of_a_boot_is_in_its_folder_and_a_clean_stop_closes_it(tmp_path: Path) -> None:
    async def test(node: Inside) -> None:
        for _ in range(3):
            await node.ask("GET", MODELS)
        assert (await node.ask("GET", "/v1/receipts/1")).status == 200
        folder = folder_of(tmp_path)
        assert locked(folder)
        report = read(folder, live=True)
        assert (report.ending, report.covered) == (Ending.LIVE, 3)

    with_node(test, log_dir=str(tmp_path))
    folder = folder_of(tmp_path)
    report = read(folder)
    assert (report.ending, report.leaves, report.covered, report.uncovered) == (Ending.CLOSED, 4, 4, 0)
    assert folder.name == report.log_id.hex()
    assert not locked(folder)
    assert {path.name for path in folder.iterdir()} == {"leaves", "checkpoints", "keysets", "lock"}


def test_a_checkpoint_that_is_handed_out_covers_leaves_that_are_on_the_disk(tmp_path: Path) -> None:
    async def test(node: Inside) -> None:
        answer = await node.ask("GET", MODELS)
        proof = LogProof.parse((await node.ask("GET", "/v1/receipts/0")).content)
        folder = folder_of(tmp_path)
        leaves, _ = records((folder / "leaves").read_bytes(), limit=MAX_RECEIPT)
        checkpoints, _ = records((folder / "checkpoints").read_bytes(), limit=MAX_CHECKPOINT)
        assert proof.checkpoint in checkpoints
        assert len(leaves) >= proof.size
        assert leaves[0] == answer.envelope

    with_node(test, log_dir=str(tmp_path))


def test_without_a_directory_the_log_is_proven_all_the_same() -> None:
    async def test(node: Inside) -> None:
        await node.ask("GET", MODELS)
        batch = BatchProof.parse((await node.ask("POST", PROOFS, {"indices": [0]})).content)
        assert batch.size == 1
        unknown = await node.ask("GET", f"/v1/logs/{'00' * 32}")
        assert (unknown.status, unknown.error) == (404, "log.unknown")

    with_node(test)


def test_a_node_does_not_start_without_a_place_for_its_log(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfideError) as caught:
        with_node(_nothing, log_dir=str(tmp_path / "file" / "logs"))
    assert caught.value.code is Code.NODE_CONFIG
    assert "log_dir" in caught.value.found


async def _nothing(_: Inside) -> None:
    return None


def test_a_node_whose_disk_is_full_takes_no_requests_and_loses_nothing(tmp_path: Path) -> None:
    async def test(node: Inside) -> None:
        await node.ask("GET", MODELS)
        folder = folder_of(tmp_path)
        await until(lambda: (folder / "leaves").stat().st_size > 0)
        with full_disk((folder / "leaves").stat().st_size + 100):
            await node.ask("GET", MODELS)
            await until(lambda: node.node.proof.standing() is Code.LOG_STORAGE)
            refused = await node.post(b"x" * 2000)
            assert (refused.status_code, refused.json()["code"]) == (503, "log.storage")
            ready = await node.http.get("/readyz")
            assert (ready.status_code, ready.json()["code"]) == (503, "log.storage")
            assert (await node.http.get("/healthz")).status_code == 200
        await until(lambda: node.node.proof.standing() is None)
        assert (await node.http.get("/readyz")).status_code == 200
        await node.ask("GET", MODELS)

    with_node(test, log_dir=str(tmp_path))
    report = read(folder_of(tmp_path))
    assert (report.ending, report.leaves) == (Ending.CLOSED, 3)


# proofs, many at a time, of this boot and of others


def test_many_receipts_are_proven_under_one_checkpoint(tmp_path: Path) -> None:
    async def test(node: Inside) -> None:
        answers = [await node.ask("GET", MODELS) for _ in range(5)]
        batch = BatchProof.parse((await node.ask("POST", PROOFS, {"indices": [4, 0, 2, 2]})).content)
        assert sorted(batch.paths) == [0, 2, 4]
        for index in batch.paths:
            receipt, envelope = answers[index].receipt, answers[index].envelope
            assert receipt is not None
            assert envelope is not None
            verify_proof(batch.proof(index), envelope=envelope, receipt=receipt, keys=node.node.keyset.receipt_keys)
        first = verify_checkpoint((await node.ask("GET", "/v1/log")).content, keys=node.node.keyset.receipt_keys)
        await asyncio.sleep(1.1)
        second = verify_checkpoint((await node.ask("GET", "/v1/log")).content, keys=node.node.keyset.receipt_keys)
        assert second.size > first.size
        grown = await node.ask("GET", f"/v1/log/consistency?first={first.size}&second={second.size}")
        ConsistencyProof.parse(grown.content).verify(first, second)

    with_node(test, log_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", PROOFS, {"indices": [0, 9]}, 404, "log.index"),
        ("POST", PROOFS, {"indices": []}, 400, "json.shape"),
        ("POST", PROOFS, {"indices": [-1]}, 400, "json.shape"),
        ("POST", PROOFS, {"indices": list(range(1025))}, 400, "json.shape"),
        ("POST", PROOFS, {"indices": [0], "more": 1}, 400, "json.shape"),
        ("POST", PROOFS, {"indices": [0], "log_id": "00"}, 400, "json.shape"),
        ("POST", PROOFS, {"indices": [0], "log_id": "00" * 32}, 404, "log.unknown"),
        ("GET", "/v1/receipts/x", None, 404, "log.index"),
        ("GET", "/v1/logs/..", None, 404, "log.unknown"),
        ("GET", f"/v1/logs/{'AA' * 32}", None, 404, "log.unknown"),
        ("GET", f"/v1/logs/{'00' * 32}/receipts/0", None, 404, "log.unknown"),
        ("GET", "/v1/log/consistency", None, 400, "node.bad_request"),
        ("GET", "/v1/log/consistency?first=1", None, 400, "node.bad_request"),
        ("GET", "/v1/log/consistency?first=2&second=1", None, 404, "log.index"),
        ("GET", "/v1/log/consistency?first=0&second=99999999999", None, 404, "log.index"),
    ],
)
def test_what_is_not_there_is_refused(
    tmp_path: Path, method: str, path: str, body: dict[str, object] | None, status: int, code: str
) -> None:
    async def test(node: Inside) -> None:
        await node.ask("GET", MODELS)
        answer = await node.ask(method, path, body)
        assert (answer.status, answer.error) == (status, code)

    with_node(test, log_dir=str(tmp_path))


def test_receipts_of_an_earlier_boot_are_proven_by_the_next_one(tmp_path: Path) -> None:
    async def first(node: Inside) -> tuple[list[tuple[bytes, object]], Keyset]:
        answers = [await node.ask("GET", MODELS) for _ in range(4)]
        return [(answer.envelope or b"", answer.receipt) for answer in answers], node.node.keyset

    earlier, keyset = with_node(first, log_dir=str(tmp_path))
    log_id = folder_of(tmp_path).name

    async def second(node: Inside) -> None:
        batch = BatchProof.parse((await node.ask("POST", PROOFS, {"indices": [0, 3], "log_id": log_id})).content)
        for index in (0, 3):
            envelope, receipt = earlier[index]
            assert verify_proof(
                batch.proof(index),
                envelope=envelope,
                receipt=receipt,  # type: ignore[arg-type]
                keys=keyset.receipt_keys,
            ).closing
        one = LogProof.parse((await node.ask("GET", f"/v1/logs/{log_id}/receipts/2")).content)
        assert (one.index, one.size) == (2, 4)
        head = verify_checkpoint((await node.ask("GET", f"/v1/logs/{log_id}")).content, keys=keyset.receipt_keys)
        assert (head.size, head.closing) == (4, True)
        grown = await node.ask("GET", f"/v1/logs/{log_id}/consistency?first=2&second=4")
        assert ConsistencyProof.parse(grown.content).second == 4
        beyond = await node.ask("GET", f"/v1/logs/{log_id}/receipts/4")
        assert (beyond.status, beyond.error) == (404, "log.index")

    with_node(second, log_dir=str(tmp_path))


def test_two_nodes_on_one_directory_keep_apart_and_prove_each_others_receipts(tmp_path: Path) -> None:
    async def run() -> None:
        settings = config(log_dir=str(tmp_path))
        async with running_node(settings) as one, running_node(settings) as other:
            a, b = Inside(one), Inside(other)
            async with a.http, b.http:
                await a.ask("GET", MODELS)
                await a.ask("GET", "/v1/log")
                log_id = unverified_checkpoint((await a.ask("GET", "/v1/log")).content).log_id.hex()
                assert BatchProof.parse((await b.ask("POST", PROOFS, {"indices": [0], "log_id": log_id})).content).size >= 1
                pending = await b.ask("GET", f"/v1/logs/{log_id}/receipts/99")
                assert pending.error == "log.index"

    asyncio.run(run())
    folders = sorted(tmp_path.iterdir())
    assert len(folders) == 2
    assert {read(folder).ending for folder in folders} == {Ending.CLOSED}


# the store by itself


async def opened(directory: Path) -> LogStore:
    store = LogStore(directory, LOG_ID)
    await store.open()
    return store


def leaves_of(directory: Path) -> list[bytes]:
    return records((directory / LOG_ID.hex() / "leaves").read_bytes(), limit=MAX_RECEIPT)[0]


def test_leaves_keep_their_order_whatever_the_disk_does(tmp_path: Path) -> None:
    async def test() -> None:
        store = await opened(tmp_path)
        expected = []
        for number in range(200):
            leaf = b"leaf %d" % number + bytes(number)
            store.append(leaf)
            expected.append(leaf)
            if number % 40 == 20:
                with full_disk((tmp_path / LOG_ID.hex() / "leaves").stat().st_size + 7):
                    await until(lambda: store.standing() is not None)
            if number % 50 == 0:
                await store.sync()
        await store.sync()
        assert leaves_of(tmp_path) == expected
        await store.close()

    asyncio.run(test())


def test_a_folder_that_was_moved_away_is_waited_for(tmp_path: Path) -> None:
    async def test() -> None:
        directory = tmp_path / "logs"
        store = await opened(directory)
        store.append(b"one")
        await store.sync()
        directory.rename(tmp_path / "away")
        store.append(b"two")
        await until(lambda: store.standing() is Code.LOG_STORAGE)
        (tmp_path / "away").rename(directory)
        await store.sync()
        assert store.standing() is None
        assert leaves_of(directory) == [b"one", b"two"]
        await store.close()

    asyncio.run(test())


def test_a_folder_that_was_deleted_is_written_anew_with_all_that_was_in_it(tmp_path: Path) -> None:
    async def test() -> None:
        store = await opened(tmp_path)
        store.append(b"one")
        store.keep_keyset(b"\x01" * 32, b"a document")
        await store.keep(b"a checkpoint")
        shutil.rmtree(tmp_path / LOG_ID.hex())
        store.append(b"two")
        await store.sync()
        folder = tmp_path / LOG_ID.hex()
        assert leaves_of(tmp_path) == [b"one", b"two"]
        assert records((folder / "checkpoints").read_bytes(), limit=MAX_CHECKPOINT)[0] == [b"a checkpoint"]
        assert (folder / "keysets" / f"{'01' * 32}.json").read_bytes() == b"a document"
        assert locked(folder)
        await store.close()
        assert not locked(folder)

    asyncio.run(test())


def test_files_of_somebody_else_are_not_touched(tmp_path: Path) -> None:
    async def test() -> None:
        store = await opened(tmp_path)
        folder = tmp_path / LOG_ID.hex()
        folder.rename(tmp_path / "mine")
        folder.mkdir()
        (folder / "leaves").write_bytes(b"theirs")
        store.append(b"one")
        await until(lambda: store.standing() is Code.LOG_STORAGE)
        assert (folder / "leaves").read_bytes() == b"theirs"
        shutil.rmtree(folder)
        (tmp_path / "mine").rename(folder)
        await store.sync()
        assert leaves_of(tmp_path) == [b"one"]
        await store.close()

    asyncio.run(test())


def test_a_boots_folder_is_its_own(tmp_path: Path) -> None:
    async def test() -> None:
        store = await opened(tmp_path)
        with pytest.raises(ConfideError) as caught:
            await LogStore(tmp_path, LOG_ID).open()
        assert caught.value.code is Code.NODE_CONFIG
        assert folder_of(tmp_path).name == LOG_ID.hex()
        await store.close()

    asyncio.run(test())


def test_too_much_that_waits_for_a_slow_disk_stops_the_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("confide.server.storage.MAX_WAITING", 1000)

    async def test() -> None:
        store = await opened(tmp_path)
        store.append(bytes(900))
        assert store.standing() is None
        store.append(bytes(900))
        assert store.standing() is Code.LOG_STORAGE
        await store.sync()
        assert store.standing() is None
        await store.close()

    asyncio.run(test())


def test_a_flush_that_failed_is_written_again_from_the_last_flushed_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        store = await opened(tmp_path)
        store.append(b"one")
        await store.sync()
        real, calls = os.fdatasync, []

        def once(descriptor: int) -> None:
            calls.append(descriptor)
            if len(calls) == 1:
                os.ftruncate(descriptor, len(frame(b"one")))  # what the kernel may do with pages it could not write
                raise OSError(5, "Input/output error")
            real(descriptor)

        monkeypatch.setattr(os, "fdatasync", once)
        store.append(b"two")
        await store.sync()
        assert leaves_of(tmp_path) == [b"one", b"two"]
        await store.close()

    asyncio.run(test())


# reading the folders of others


def other(directory: Path, *, leaves: int = 3, checkpoint_of: int = 3) -> Path:
    """A folder as another node leaves it; only the size that its checkpoint names is read here."""
    from confide.receipt.checkpoint import Checkpoint, sign_checkpoint  # noqa: PLC0415

    folder = directory / LOG_ID.hex()
    folder.mkdir(parents=True)
    (folder / "leaves").write_bytes(b"".join(frame(b"leaf %d" % number) for number in range(leaves)))
    signed = sign_checkpoint(Checkpoint(LOG_ID, checkpoint_of, bytes(32), world.AT), keys=(world.RECEIPT_KEY, world.LOG_KEY))
    (folder / "checkpoints").write_bytes(frame(signed))
    return folder


def get(directory: Path) -> int:
    return asyncio.run(OtherLogs(directory).get(LOG_ID)).size


def test_another_boots_log_is_read_up_to_its_checkpoint_and_a_cut_record_is_no_error(tmp_path: Path) -> None:
    folder = other(tmp_path, leaves=5)
    with (folder / "leaves").open("ab") as file:
        file.write(frame(b"cut off")[:-1])
    assert get(tmp_path) == 3


@pytest.mark.parametrize("damage", ["missing leaves", "a bad length", "no checkpoint file", "a bad checkpoint", "too large"])
def test_another_boots_log_that_is_damaged_is_told_so(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = other(tmp_path, checkpoint_of=4 if damage == "missing leaves" else 3)
    if damage == "a bad length":
        (folder / "leaves").write_bytes(b"\xff" * 100)
    elif damage == "no checkpoint file":
        (folder / "checkpoints").unlink()
    elif damage == "a bad checkpoint":
        (folder / "checkpoints").write_bytes(frame(b"{}"))
    elif damage == "too large":
        monkeypatch.setattr("confide.server.otherlogs.MAX_LEAVES", 2)
    with pytest.raises(ReceiptError) as caught:
        get(tmp_path)
    assert caught.value.code is (Code.LOG_UNKNOWN if damage == "no checkpoint file" else Code.LOG_STORAGE)


def test_another_boots_log_without_a_checkpoint_is_pending(tmp_path: Path) -> None:
    (other(tmp_path) / "checkpoints").write_bytes(b"")
    with pytest.raises(ReceiptError) as caught:
        get(tmp_path)
    assert caught.value.code is Code.LOG_PENDING


def test_reading_goes_on_where_it_stopped_and_few_logs_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from confide.receipt.checkpoint import Checkpoint, sign_checkpoint  # noqa: PLC0415

    monkeypatch.setattr("confide.server.otherlogs.MAX_LOGS", 1)
    folder = other(tmp_path)

    async def test() -> None:
        logs = OtherLogs(tmp_path)
        before = await logs.get(LOG_ID)
        (folder / "leaves").write_bytes(b"\0" * (folder / "leaves").stat().st_size + frame(b"leaf 3"))
        grown = sign_checkpoint(Checkpoint(LOG_ID, 4, bytes(32), world.AT), keys=(world.RECEIPT_KEY, world.LOG_KEY))
        with (folder / "checkpoints").open("ab") as file:
            file.write(frame(grown))
        after = await logs.get(LOG_ID)
        assert (before.size, after.size) == (3, 4)
        assert after.tree is before.tree

    asyncio.run(test())


def test_a_killed_node_leaves_a_log_that_ended_uncleanly(tmp_path: Path) -> None:
    from tests.server.test_serve import process  # noqa: PLC0415

    with process(tmp_path) as (child, url):
        assert httpx.get(f"{url}/readyz").status_code == 200
        assert locked(folder_of(tmp_path))
        child.kill()
        child.wait(10)
    folder = folder_of(tmp_path)
    assert not locked(folder)
    assert read(folder).ending is Ending.UNCLEAN
