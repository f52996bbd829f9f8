"""Uploads from the client's side, against a real node: they arrive, go on after breaks, and believe nobody."""

import asyncio
import base64
import hashlib
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.client.nodes import Place, changed, place
from tests.server.uploading import LARGE, OTHER, OWNERS, SMALL, TOKENS, Packed
from tests.support import refused

import confide
from confide.client.flow import drive
from confide.client.tokens import Token, read_token
from confide.client.transport import Body, HttpTransport, Incoming, Outgoing, Reply, Transport
from confide.client.uploads import alias_flow, delete_alias_flow, package_file_digest, packages_flow
from confide.codes import Code
from confide.engine.package import open_package
from confide.errors import RemoteError, TransportError

ALICE, BOB = (base64.urlsafe_b64encode(TOKENS[name]).rstrip(b"=").decode() for name in ("alice", "bob"))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(upload_dir=str(tmp_path_factory.mktemp("uploads")), owners=OWNERS) as found:
        yield found


def written(place: Path, package: Packed) -> Path:
    path = place / "model.confide"
    path.write_bytes(package.data)
    return path


def knowing(here: Place, alias: str, package: Packed) -> confide.Node:
    """A session of alice whose policy names the package."""
    policy = changed(here.policy, ("[models]\n", f'[models]\n{alias} = ["{package.digest}"]\n'))
    return confide.connect(here.url, policy=policy, state=None, token=ALICE)


@dataclass
class Breaking(Transport):
    """The first streamed requests break: after so many bytes on the way there, or (None) before the answer comes back."""

    inner: HttpTransport
    breaks: list[int | None] = field(default_factory=list)
    begun: int = 0

    def get(self, path: str, *, limit: int) -> Reply:
        return self.inner.get(path, limit=limit)

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        return self.inner.post(path, body, headers=headers, limit=limit)

    def begin(self, path: str, body: Body, *, headers: Mapping[str, str]) -> Incoming:
        self.begun += 1
        if not self.breaks or not isinstance(body, Outgoing):
            return self.inner.begin(path, body, headers=headers)
        after = self.breaks.pop(0)
        if after is not None:
            return self.inner.begin(path, Cut(body, after), headers=headers)
        self.inner.begin(path, body, headers=headers).close()
        raise TransportError(Code.TRANSPORT_BROKEN, found="a lost answer", wanted="the answer")

    def close(self) -> None:
        self.inner.close()


class Cut(Outgoing):
    """A body that breaks off."""

    def __init__(self, body: Outgoing, after: int) -> None:
        super().__init__(body.source, body.encoder)
        self._body, self._left = body, after

    def pieces(self) -> Iterator[bytes]:
        for piece in self._body.pieces():
            self._left -= len(piece)
            if self._left < 0:
                raise TransportError(Code.TRANSPORT_BROKEN, found="a cable", wanted="a connection")
            yield piece


def test_a_package_is_uploaded_and_used(here: Place, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with knowing(here, "large", LARGE) as node:
        done = node.upload(written(tmp_path, LARGE), alias="large", progress=lambda at, size: seen.append((at, size)))
        assert (done.digest, done.alias, done.version, done.visibility) == (LARGE.digest, "large", 1, "owner")
        assert done.receipt is not None
        assert done.receipt.model is not None
        assert done.receipt.model.package.hex() == LARGE.digest
        assert seen == sorted(seen)
        assert seen[-1] == (len(LARGE.data), len(LARGE.data))
        assert node.run("large", "a doctor").digest == LARGE.digest
        assert {info.id for info in node.models()} == {"encoder", "mood", "large"}
        again = node.upload(written(tmp_path, LARGE), alias="large")
        assert again.version == 1
        assert node.delete_package(LARGE.digest) == ("large",)
        with pytest.raises(RemoteError):
            node.run("large", "a doctor")


@pytest.mark.parametrize("breaks", [[1_000_000], [1_500_000, 200_000, 900_000], [None], [2_000_000, None], [0, 0]], ids=str)
def test_what_breaks_goes_on_where_it_broke(here: Place, tmp_path: Path, breaks: list[int | None]) -> None:
    transport = Breaking(HttpTransport(here.url), list(breaks))
    with here.connect(transport=transport, token=ALICE) as node:
        offsets: list[int] = []
        done = node.upload(written(tmp_path, LARGE), alias="broken", progress=lambda at, _: offsets.append(at))
        assert (done.digest, transport.breaks) == (LARGE.digest, [])
        assert transport.begun > len(breaks)
        node.delete_package(LARGE.digest)


def test_without_resuming_the_first_break_is_the_end(here: Place, tmp_path: Path) -> None:
    with here.connect(transport=Breaking(HttpTransport(here.url), [500_000]), token=ALICE) as node, refused(Code.TRANSPORT_BROKEN):
        node.upload(written(tmp_path, LARGE), alias="broken", resume=False)


def test_a_connection_that_never_holds_is_given_up(here: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("confide.client.uploads.MAX_BREAKS", 1)
    with here.connect(transport=Breaking(HttpTransport(here.url), [0] * 9), token=BOB) as node, refused(Code.CLIENT_UPLOAD):
        node.upload(written(tmp_path, LARGE), alias="never")


def test_aliases_move_and_tell_their_versions(here: Place, tmp_path: Path) -> None:
    with here.connect() as node:
        for package in (SMALL, OTHER):
            node.upload(written(tmp_path, package), alias="moving", token=ALICE)
        moved = node.set_alias("moving", SMALL.digest, token=ALICE)
        assert (moved.digest, moved.version, moved.owner) == (SMALL.digest, 3, "alice")
        shown = node.drive(alias_flow(node.core, "moving", token=ALICE))
        assert [version.digest for version in shown.versions] == [SMALL.digest, OTHER.digest, SMALL.digest]
        packages = {info.digest: info.aliases for info in node.drive(packages_flow(node.core, token=ALICE))}
        assert packages == {SMALL.digest: ["moving"], OTHER.digest: []}
        with refused(Code.ALIAS_TAKEN):
            node.set_alias("moving", SMALL.digest, token=BOB)
        node.drive(delete_alias_flow(node.core, "moving", token=ALICE))
        with refused(Code.ALIAS_UNKNOWN):
            node.drive(alias_flow(node.core, "moving", token=ALICE))
        for package in (SMALL, OTHER):
            node.delete_package(package.digest, token=ALICE)


def test_the_twin_does_the_same(here: Place, tmp_path: Path) -> None:
    async def test() -> None:
        async with confide.connect_async(here.url, policy=here.policy, state=None, token=ALICE) as node:
            done = await node.upload(written(tmp_path, LARGE), alias="twin", visibility="public")
            assert (done.digest, done.visibility) == (LARGE.digest, "public")
            assert (await node.set_alias("twin2", LARGE.digest)).version == 1
            assert set(await node.delete_package(LARGE.digest)) == {"twin", "twin2"}

    asyncio.run(test())


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"alias": "encoder"}, Code.ALIAS_TAKEN),
        ({"alias": "UPPER"}, Code.CLIENT_INPUT),
        ({"alias": "a/b"}, Code.CLIENT_INPUT),
        ({"alias": "a", "visibility": "all"}, Code.CLIENT_INPUT),
        ({"alias": "a", "token": Token.new()}, Code.NODE_OWNER),
        ({"alias": "a", "token": "short"}, Code.CLIENT_TOKEN),
        ({"alias": "a", "token": None}, Code.CLIENT_TOKEN),
    ],
)
def test_what_cannot_be_is_refused(here: Place, tmp_path: Path, options: dict[str, Any], code: Code) -> None:
    with here.connect() as node, refused(code):
        node.upload(written(tmp_path, SMALL), **{"token": ALICE, **options})


@pytest.mark.parametrize("content", [b"", b"PK", SMALL.data[:-30], b"x" * 100, None])
def test_what_is_no_package_file_is_not_sent(here: Place, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.confide"
    if content is not None:
        path.write_bytes(content)
    with here.connect(token=ALICE) as node, refused(Code.CLIENT_FILE):
        node.upload(path, alias="a")


def test_a_file_that_changes_while_it_is_sent_is_given_up(here: Place, tmp_path: Path) -> None:
    path = written(tmp_path, LARGE)

    def change(at: int, _: int) -> None:
        if at > 1_000_000 and path.stat().st_size == len(LARGE.data):
            path.write_bytes(LARGE.data[:900_000])

    with here.connect(token=ALICE) as node, refused(Code.CLIENT_UPLOAD):
        node.upload(path, alias="a", progress=change)


def test_the_digest_of_a_file_is_that_of_the_package(tmp_path: Path) -> None:
    for package in (SMALL, LARGE):
        path = written(tmp_path, package)
        assert package_file_digest(path) == open_package(path).digest.hex() == package.digest


def test_a_node_that_names_another_package_is_not_believed(here: Place, tmp_path: Path) -> None:
    with here.connect(token=ALICE) as node:
        real = node.core.request

        def lying(*args: Any, **options: Any) -> Any:
            done = yield from real(*args, **options)
            if done.status != 200:
                return done
            told = {**msgspec.json.decode(done.content), "digest": OTHER.digest}
            response = type(done.response)(200, done.headers, msgspec.json.encode(told), (), ())
            return type(done)(**{name: getattr(done, name) for name in done.__dataclass_fields__} | {"response": response})

        node.core.request = lying  # type: ignore[method-assign] # a node that lies, with every signature right
        with refused(Code.CLIENT_ANSWER):
            node.upload(written(tmp_path, SMALL), alias="lied")
        node.core.request = real  # type: ignore[method-assign]
        node.delete_package(SMALL.digest)


def test_a_token_shows_nowhere(tmp_path: Path) -> None:
    token = Token.new()
    assert Token.parse(token.text).sha256 == token.sha256 == hashlib.sha256(base64.urlsafe_b64decode(token.text + "=")).hexdigest()
    assert token.text not in repr(token)
    path = tmp_path / "token"
    path.write_text(token.text + "\n")
    assert read_token(path).sha256 == token.sha256
    with refused(Code.CLIENT_TOKEN):
        pickle.dumps(token)
    for wrong in ("", "x" * 43 + "=", token.text[:-1], token.text + "A", "é" * 43, token.text[:-1] + "_"):
        if wrong != token.text:
            with refused(Code.CLIENT_TOKEN):
                Token.parse(wrong)
    path.write_text("no token")
    with refused(Code.CLIENT_TOKEN):
        read_token(path)


def test_a_flow_alone_needs_a_token_before_anything_is_sent(here: Place) -> None:
    with here.connect() as node:
        flow = packages_flow(node.core)
        with refused(Code.CLIENT_TOKEN):
            drive(flow, HttpTransport("http://127.0.0.1:9"))
