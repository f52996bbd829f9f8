"""Uploads through the seal: whole, in parts, resumed; and all the ways in which they must leave nothing behind."""

import asyncio
import os
import resource
from pathlib import Path
from typing import Any

import pytest
from tests.server.running import JSON, Inside, Opened, until
from tests.server.uploading import (
    LARGE,
    OTHER,
    PARTIAL,
    SMALL,
    TOKENS,
    Owner,
    append_fields,
    bearer,
    packed,
    staged,
    uploading,
)

from confide.receipt.model import Status


def test_an_uploaded_package_is_served_under_its_alias_and_the_receipt_names_it(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        done = await alice.upload(LARGE, "mine")
        assert (done.status, done.headers[b"upload-complete"]) == (200, b"?1")
        assert done.json["state"] == "done"
        assert (done.json["digest"], done.json["alias"], done.json["version"]) == (LARGE.digest, "mine", 1)
        assert done.receipt is not None
        assert done.receipt.model is not None
        assert (done.receipt.model.alias, done.receipt.model.package.hex()) == ("mine", LARGE.digest)
        assert staged(tmp_path) == []
        answer = await alice.run("mine")
        assert (answer.status, answer.json["digest"]) == (200, LARGE.digest)
        listed = (await alice.models())["mine"]
        assert (listed["owned_by"], listed["visibility"], listed["version"]) == ("alice", "owner", 1)

    uploading(test, tmp_path)


def test_an_upload_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        path = (await alice.announce(LARGE, "mine")).headers[b"location"].decode()
        talk = alice.begin(path, 0)
        for at in range(0, 1_600_000, 16000):
            talk.content(LARGE.data[at : at + 16000])
        upload = node.node.uploads.find("alice", path.rsplit("/", 1)[1])
        await talk.until(lambda _: upload.received == 1_600_000)
        talk.leave()
        await talk.task
        head = await alice.ask("HEAD", path)
        assert (head.status, head.content) == (204, b"")
        assert head.headers[b"upload-offset"] == b"1600000"
        assert head.headers[b"upload-length"] == b"%d" % len(LARGE.data)
        assert head.headers[b"upload-complete"] == b"?0"
        wrong = await alice.append(path, b"x" * 10, 5)
        assert (wrong.status, wrong.error, wrong.headers[b"upload-offset"]) == (409, "upload.offset", b"1600000")
        part = await alice.append(path, LARGE.data[1_600_000:2_000_000], 1_600_000)
        assert (part.status, part.json["state"], part.headers[b"upload-offset"]) == (200, "receiving", b"2000000")
        assert "mine" not in await alice.models()
        done = await alice.append(path, LARGE.data[2_000_000:], 2_000_000, complete=True)
        assert (done.status, done.json["digest"]) == (200, LARGE.digest)
        assert (await alice.run("mine")).status == 200

    uploading(test, tmp_path)


def test_what_lies_on_the_disk_is_noise(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        path = (await alice.announce(LARGE, "mine")).headers[b"location"].decode()
        await alice.append(path, LARGE.data[:-5], 0)
        (file,) = staged(tmp_path)
        data = file.read_bytes()
        assert len(data) == 3 * ((1 << 20) + 16)
        assert bytes(range(256)) not in data
        assert file.stat().st_mode & 0o777 == 0o600

    uploading(test, tmp_path)


def test_a_package_that_was_altered_on_the_disk_is_refused(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        path = (await alice.announce(LARGE, "mine")).headers[b"location"].decode()
        await alice.append(path, LARGE.data, 0)
        (file,) = staged(tmp_path)
        with file.open("r+b") as raw:
            raw.seek(1 << 20)
            raw.write(b"x")
        done = await alice.append(path, b"", len(LARGE.data), complete=True)
        assert done.error == "atrest.chunk"
        assert staged(tmp_path) == []
        assert "mine" not in await alice.models()

    uploading(test, tmp_path)


BROKEN = packed(graph=b"no graph at all")


@pytest.mark.parametrize(
    ("package", "digest", "code"),
    [
        (SMALL, "0" * 64, "package.digest"),
        (SMALL, OTHER.digest, "package.digest"),
        (BROKEN, BROKEN.digest, "engine.load"),
    ],
)
def test_a_lie_about_the_digest_and_a_package_that_does_not_load_leave_nothing(
    tmp_path: Path, package: Any, digest: str, code: str
) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        path = (await alice.announce(type(package)(package.data, digest), "mine")).headers[b"location"].decode()
        done = await alice.append(path, package.data, 0, complete=True)
        assert done.error == code
        assert done.receipt is not None
        assert done.receipt.outcome.status is Status.REFUSED
        assert staged(tmp_path) == []
        assert "mine" not in await alice.models()
        assert (await alice.ask("GET", "/v1/packages")).json == {"data": []}
        assert node.node.engine.owners == ("operator",)
        again = await alice.append(path, b"", len(package.data), complete=True)
        assert again.error == code, "whoever asks again hears the same"
        assert (await alice.append(path, b"x", len(package.data))).error == code
        assert (await alice.upload(SMALL, "mine")).status == 200

    uploading(test, tmp_path)


@pytest.mark.parametrize(("length", "sent"), [(-1, 0), (0, -1)], ids=["more than announced", "less than announced"])
def test_a_lie_about_the_length_leaves_nothing(tmp_path: Path, length: int, sent: int) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        created = await alice.announce(SMALL, "mine", length=len(SMALL.data) + length)
        path = created.headers[b"location"].decode()
        data = SMALL.data if not sent else SMALL.data[:sent]
        done = await alice.append(path, data, 0, complete=True)
        assert done.error == "upload.size"
        assert staged(tmp_path) == []
        assert (await alice.ask("GET", path)).json["state"] == "failed"

    uploading(test, tmp_path)


def test_a_later_request_takes_over_from_an_earlier_one(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        path = (await alice.announce(SMALL, "mine")).headers[b"location"].decode()
        upload = node.node.uploads.find("alice", path.rsplit("/", 1)[1])
        old = alice.begin(path, 0)
        old.content(SMALL.data[:100])
        await old.until(lambda _: upload.received == 100)
        assert (await alice.ask("HEAD", path)).headers[b"upload-offset"] == b"100"
        old.content(SMALL.data[100:200])
        old.end()
        assert (await old.answer()).error == "upload.superseded"
        assert upload.received == 100
        assert (await alice.append(path, SMALL.data[100:], 100, complete=True)).status == 200

    uploading(test, tmp_path)


def test_creating_and_completing_twice_has_no_double_effect(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        first = await alice.announce(SMALL, "mine", key=b"one")
        second = await alice.announce(SMALL, "mine", key=b"one")
        assert first.headers[b"location"] == second.headers[b"location"]
        assert len(staged(tmp_path)) == 1
        other = await alice.announce(SMALL, "other", key=b"one")
        assert (other.status, other.error) == (422, "upload.idempotency")
        path = first.headers[b"location"].decode()
        done = await alice.append(path, SMALL.data, 0, complete=True)
        again = await alice.append(path, b"", len(SMALL.data), complete=True)
        assert (done.status, done.content) == (again.status, again.content)
        assert (await alice.append(path, b"more", len(SMALL.data))).error == "upload.completed"
        assert (await alice.announce(SMALL, "mine", key=b"one")).json["state"] == "done"
        versions = (await alice.ask("GET", "/v1/aliases/mine")).json["versions"]
        assert [item["version"] for item in versions] == [1]

    uploading(test, tmp_path)


def test_a_package_that_is_there_needs_no_bytes(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        await alice.upload(SMALL, "mine")
        created = await alice.announce(SMALL, "also", visibility="public")
        assert (created.status, created.headers[b"upload-complete"]) == (201, b"?1")
        assert created.headers[b"upload-offset"] == b"%d" % len(SMALL.data)
        assert created.json["alias"] == "also"
        assert staged(tmp_path) == []
        visibilities = {name: item["visibility"] for name, item in (await alice.models()).items()}
        assert visibilities["mine"] == visibilities["also"] == "public"

    uploading(test, tmp_path)


def test_a_client_that_leaves_while_its_package_loads_changes_nothing(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        path = (await alice.announce(SMALL, "mine")).headers[b"location"].decode()
        upload = node.node.uploads.find("alice", path.rsplit("/", 1)[1])
        await alice.append(path, SMALL.data, 0)
        talk = alice.begin(path, len(SMALL.data), complete=True)
        talk.end()
        await talk.until(lambda _: upload.task is not None)
        assert "mine" not in await alice.models()
        talk.task.cancel()
        await asyncio.wait([talk.task])
        assert upload.task is not None
        await upload.task
        assert (await alice.ask("GET", path)).json["state"] == "done"
        assert (await alice.run("mine")).status == 200

    uploading(test, tmp_path)


def test_dropping_an_upload_leaves_nothing(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        path = (await alice.announce(LARGE, "mine")).headers[b"location"].decode()
        await alice.append(path, LARGE.data[:2_000_000], 0)
        assert len(staged(tmp_path)) == 1
        assert (await alice.ask("DELETE", path)).status == 204
        assert staged(tmp_path) == []
        for method in ("HEAD", "GET", "DELETE"):
            assert (await alice.ask(method, path)).status == 404
        assert (await alice.append(path, b"x", 0)).error == "upload.unknown"

    uploading(test, tmp_path)


def test_uploads_that_idle_or_take_too_long_are_dropped(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        idle = (await alice.announce(SMALL, "idle")).headers[b"location"].decode()
        endless = (await alice.announce(OTHER, "endless")).headers[b"location"].decode()
        upload = node.node.uploads.find("alice", endless.rsplit("/", 1)[1])
        talk = alice.begin(endless, 0)
        sent = 0
        while upload.error is None:  # a sign of life from time to time
            talk.content(OTHER.data[sent : sent + 1])
            sent += 1
            await asyncio.sleep(0.2)
        talk.content(b"x")
        talk.end()
        late = await talk.answer()
        assert (late.status, late.error) == (408, "upload.expired")
        await until(lambda: staged(tmp_path) == [])
        for path in (idle, endless):
            told = await alice.ask("GET", path)
            assert told.status == 404 or told.json["error"]["code"] == "upload.expired"

    uploading(test, tmp_path, uploads__idle_seconds=1, uploads__upload_seconds=2)


def test_a_full_disk_is_said_and_the_node_lives(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        path = (await alice.announce(LARGE, "mine")).headers[b"location"].decode()
        bounds = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, bounds[1]))  # writing beyond it fails, as on a full disk
        try:
            full = await alice.append(path, LARGE.data, 0, complete=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, bounds)
        assert (full.status, full.error) == (507, "upload.storage")
        assert staged(tmp_path) == []
        assert (await alice.upload(LARGE, "mine")).status == 200

    uploading(test, tmp_path)


@pytest.mark.parametrize(
    ("flags", "first", "code"),
    [
        ({"uploads__owner_uploads": 1}, "open", "owner.quota"),
        ({"uploads__uploads": 1}, "open", "owner.quota"),
        ({"uploads__owner_packages": 1}, "done", "owner.quota"),
        ({"uploads__owner_packages": 1}, "open", "owner.quota"),
        ({"uploads__owner_bytes": 2048}, "none", "owner.quota"),
        ({"uploads__owner_staged_bytes": 2048}, "none", "owner.quota"),
        ({"uploads__staged_bytes": 2048}, "none", "owner.quota"),
        ({"uploads__package_bytes": 1024}, "none", "upload.size"),
        ({"uploads__owner_aliases": 1}, "done", "owner.quota"),
        ({"upload_dir": ""}, "none", "upload.off"),
    ],
)
def test_each_quota_refuses_before_a_byte_is_taken(tmp_path: Path, flags: dict[str, Any], first: str, code: str) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        if first == "open":
            assert (await alice.announce(SMALL, "mine")).status == 201
        elif first == "done":
            assert (await alice.upload(SMALL, "mine")).status == 200
        refused = await alice.announce(OTHER, "another", length=4096)
        assert refused.error == code
        assert refused.status in {404, 429, 400}
        assert len(staged(tmp_path)) == (first == "open")

    uploading(test, tmp_path, **flags)


HEADS = [
    ({b"upload-length": None}, "upload.field"),
    ({b"upload-length": b"-1"}, "upload.field"),
    ({b"upload-length": b"01"}, "upload.field"),
    ({b"upload-length": b"1e3"}, "upload.field"),
    ({b"upload-length": b"9" * 16}, "upload.field"),
    ({b"idempotency-key": None}, "upload.field"),
    ({b"idempotency-key": b"a b"}, "upload.field"),
    ({b"idempotency-key": b"k" * 129}, "upload.field"),
    ({b"content-type": b"text/plain"}, "node.media_type"),
]


@pytest.mark.parametrize(("changed", "code"), HEADS)
def test_an_announcement_with_a_wrong_field_is_refused(tmp_path: Path, changed: dict[bytes, bytes | None], code: str) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        fields = {b"content-type": b"application/json", b"upload-length": b"1000", b"idempotency-key": b"k"} | changed
        headers = (bearer("alice"), *((name, value) for name, value in fields.items() if value is not None))
        asked = await node.ask("POST", "/v1/uploads", {"digest": SMALL.digest, "alias": "a"}, headers=headers)
        assert asked.error == code

    uploading(test, tmp_path)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"digest": "A" * 64, "alias": "a"}, "json.shape"),
        ({"digest": SMALL.digest}, "json.shape"),
        ({"digest": SMALL.digest, "alias": "a", "visibility": "all"}, "json.shape"),
        ({"digest": SMALL.digest, "alias": "a", "owner": "bob"}, "json.shape"),
        ({"digest": SMALL.digest, "alias": "A"}, "alias.name"),
        ({"digest": SMALL.digest, "alias": ""}, "alias.name"),
        ({"digest": SMALL.digest, "alias": "encoder"}, "alias.taken"),
    ],
)
def test_an_announcement_of_another_form_is_refused(tmp_path: Path, body: dict[str, str], code: str) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        asked = await alice.ask("POST", "/v1/uploads", body, (b"upload-length", b"1000"), (b"idempotency-key", b"k"))
        assert asked.error == code

    uploading(test, tmp_path)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ((PARTIAL,), "upload.field"),
        ((PARTIAL, (b"upload-offset", b"0")), "upload.field"),
        ((PARTIAL, (b"upload-offset", b"zero"), (b"upload-complete", b"?0")), "upload.field"),
        ((PARTIAL, (b"upload-offset", b"0"), (b"upload-complete", b"1")), "upload.field"),
        ((PARTIAL, *append_fields(0, complete=True), (b"upload-offset", b"0")), "node.bad_request"),
        (((b"content-type", b"application/octet-stream"), *append_fields(0, complete=True)), "node.media_type"),
    ],
)
def test_bytes_with_a_wrong_field_are_not_taken(tmp_path: Path, headers: tuple[tuple[bytes, bytes], ...], code: str) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        path = (await alice.announce(SMALL, "mine")).headers[b"location"].decode()
        refused = await node.ask("PATCH", path, SMALL.data, headers=(bearer("alice"), *headers))
        assert refused.error == code
        assert (await alice.ask("HEAD", path)).headers[b"upload-offset"] == b"0"

    uploading(test, tmp_path)


ROUTES = [
    ("POST", "/v1/uploads"),
    ("HEAD", "/v1/uploads/{}"),
    ("GET", "/v1/uploads/{}"),
    ("PATCH", "/v1/uploads/{}"),
    ("DELETE", "/v1/uploads/{}"),
    ("GET", "/v1/packages"),
    ("DELETE", "/v1/packages/{}"),
    ("GET", "/v1/aliases/{}"),
    ("PUT", "/v1/aliases/{}"),
    ("DELETE", "/v1/aliases/{}"),
]


def test_no_route_of_owners_answers_without_the_token_of_one(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        good = bearer("alice")[1]
        wrong = [
            (),
            *([(b"authorization", value)] for value in (b"", b"Bearer", b"Basic " + good[7:], good[:-1], good + b"A", good[:8])),
        ]
        wrong += [[(b"authorization", good[:10] + bytes([good[10] ^ 1]) + good[11:])], [(b"x-authorization", good)]]
        for method, template in ROUTES:
            for headers in wrong:
                refused = await node.ask(method, template.format("x"), b"{}", headers=(*JSON, *headers))
                assert refused.status == 401, (method, template, headers)
                assert method == "HEAD" or refused.error == "node.owner"
                assert b"alice" not in refused.content
        twice = await node.ask("GET", "/v1/packages", headers=(bearer("alice"), bearer("bob")))
        assert twice.error == "node.bad_request"
        assert {route.method + route.template for route in node.node.inner.router.routes} >= {m + t for m, t in ROUTES}

    uploading(test, tmp_path)


def test_an_owner_sees_nothing_of_another(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        bob = Owner(node, "bob")
        path = (await alice.announce(OTHER, "theirs")).headers[b"location"].decode()
        for method in ("HEAD", "GET", "DELETE"):
            assert (await bob.ask(method, path)).status == 404
        assert (await bob.append(path, b"x", 0)).error == "upload.unknown"
        assert (await bob.announce(SMALL, "theirs")).error == "alias.taken"
        await alice.upload(SMALL, "mine")
        for hidden in (await bob.run("mine"), await node.ask("POST", "/v1/pipelines/mine", {"inputs": ["a"]})):
            assert (hidden.status, hidden.error) == (404, "node.unknown_model")
            assert "mine" not in hidden.json["error"]["wanted"]
        assert "mine" not in await bob.models()
        assert (await bob.ask("GET", "/v1/aliases/mine")).error == "alias.unknown"
        assert (await bob.ask("PUT", "/v1/aliases/mine", {"digest": SMALL.digest})).error == "alias.taken"
        assert (await bob.ask("DELETE", "/v1/aliases/mine")).error == "alias.unknown"
        assert (await bob.ask("DELETE", f"/v1/packages/{SMALL.digest}")).error == "owner.package"
        assert (await bob.announce(SMALL, "mine")).error == "alias.taken"
        assert (await alice.run("mine")).status == 200

    uploading(test, tmp_path)


def test_public_packages_are_for_everyone_and_each_owner_has_workers_of_its_own(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        bob, pool = Owner(node, "bob"), node.node.engine
        await alice.upload(SMALL, "shared", visibility="public")
        await bob.upload(SMALL, "same")
        assert (await node.ask("POST", "/v1/pipelines/shared", {"inputs": ["a"]})).status == 200
        assert (await bob.run("shared")).status == (await bob.run("same")).status == 200
        workers = [set(pool.workers_of(owner)) for owner in ("operator", "alice", "bob")]
        assert all(workers)
        assert len(set().union(*workers)) == sum(map(len, workers))
        stranger = await node.ask(
            "POST", "/v1/embeddings", {"model": "shared", "input": "a"}, headers=(*JSON, (b"authorization", b"Bearer sk-x"))
        )
        assert stranger.status == 200, "a key that clients make up does no harm"

    uploading(test, tmp_path)


def test_an_alias_moves_at_once_and_remembers(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        await alice.upload(SMALL, "mine")
        second = await alice.upload(OTHER, "mine")
        assert second.json["version"] == 2
        assert (await alice.run("mine")).json["digest"] == OTHER.digest
        moved = await alice.ask("PUT", "/v1/aliases/mine", {"digest": SMALL.digest})
        assert (moved.status, moved.json["digest"], moved.json["version"]) == (200, SMALL.digest, 3)
        assert moved.receipt is not None
        assert moved.receipt.model is not None
        assert moved.receipt.model.package.hex() == SMALL.digest
        again = await alice.ask("PUT", "/v1/aliases/mine", {"digest": SMALL.digest})
        assert again.json["version"] == 3
        shown = (await alice.ask("GET", "/v1/aliases/mine")).json
        assert [(item["version"], item["digest"]) for item in shown["versions"]] == [(2, OTHER.digest), (3, SMALL.digest)]
        assert (await alice.models())["mine"]["version"] == 3
        assert (await alice.ask("PUT", "/v1/aliases/mine", {"digest": "0" * 64})).error == "owner.package"
        assert (await alice.ask("DELETE", "/v1/aliases/mine")).status == 204
        assert (await alice.run("mine")).error == "node.unknown_model"
        assert len((await alice.ask("GET", "/v1/packages")).json["data"]) == 2

    uploading(test, tmp_path, uploads__versions=2)


def test_start_up_aliases_are_fixed(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        await alice.upload(SMALL, "mine")
        assert (await alice.ask("PUT", "/v1/aliases/encoder", {"digest": SMALL.digest})).error == "alias.taken"
        assert (await alice.ask("DELETE", "/v1/aliases/encoder")).error == "alias.taken"
        assert (await alice.ask("GET", "/v1/aliases/encoder")).json["owner"] == "operator"
        digest = node.node.keyset.models["encoder"].hex()
        assert (await alice.ask("DELETE", f"/v1/packages/{digest}")).error == "owner.package"
        assert (await alice.run("encoder")).json["digest"] == digest

    uploading(test, tmp_path)


def test_deleting_a_package_takes_its_aliases_and_ends_its_workers(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        pool = node.node.engine
        await alice.upload(SMALL, "mine")
        await alice.upload(OTHER, "other")
        gone = await alice.ask("DELETE", f"/v1/packages/{SMALL.digest}")
        assert (gone.status, gone.json["aliases"]) == (200, ["mine"])
        assert (await alice.run("mine")).error == "node.unknown_model"
        assert (await alice.run("other")).status == 200
        pids = pool.workers_of("alice")
        assert (await alice.ask("DELETE", f"/v1/packages/{OTHER.digest}")).status == 200
        assert pool.owners == ("operator",)
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        assert (await alice.ask("DELETE", f"/v1/packages/{OTHER.digest}")).error == "owner.package"
        assert (await alice.ask("DELETE", "/v1/packages/x")).error == "owner.package"
        assert (await alice.upload(SMALL, "mine")).json["version"] == 1

    uploading(test, tmp_path)


def test_requests_under_way_keep_the_package_they_were_resolved_to(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        await alice.upload(SMALL, "mine")
        asked = [asyncio.ensure_future(alice.run("mine")) for _ in range(24)]
        await until(lambda: node.node.app.in_flight > 0)
        await alice.upload(OTHER, "mine")
        await alice.ask("DELETE", f"/v1/packages/{SMALL.digest}")
        answers: list[Opened] = await asyncio.gather(*asked)
        assert {answer.status for answer in answers} == {200}
        assert {answer.json["digest"] for answer in answers} <= {SMALL.digest, OTHER.digest}
        assert (await alice.run("mine")).json["digest"] == OTHER.digest

    uploading(test, tmp_path)


def test_a_node_that_stops_leaves_no_file(tmp_path: Path) -> None:
    async def test(node: Inside, alice: Owner) -> None:
        path = (await alice.announce(LARGE, "mine")).headers[b"location"].decode()
        await alice.append(path, LARGE.data[:2_000_000], 0)
        assert len(staged(tmp_path)) == 1
        assert all(token not in repr(node.node) for token in map(repr, TOKENS.values()))

    uploading(test, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["start.lock"]
