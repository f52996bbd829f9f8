"""Plays the session files against the commands, in this process."""

import io
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.cli.sessions import FOLDER, Outcome, Step, parse, play
from tests.client.nodes import Place, changed, place
from tests.client.policies import text
from tests.policy.world import snp_of
from tests.server.uploading import OWNERS, SMALL, bearer
from tests.support_models import bert_folder

from confide.cli.app import run
from confide.client import judge
from confide.formats import dsse, strictjson
from confide.policy.load import sign_policy
from confide.policy.rollback import RollbackState

FILES = sorted(FOLDER.glob("*.txt"))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(upload_dir=str(tmp_path_factory.mktemp("uploads")), owners=OWNERS) as there:
        yield there


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """A web server that is no node."""
    handler = type(
        "Quiet", (BaseHTTPRequestHandler,), {"do_GET": lambda self: self.send_error(404), "log_message": lambda *_: None}
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_session_goes_as_it_is_written(
    path: Path, here: Place, web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONFIDE_STATE", str(tmp_path / "state.json"))
    write_files(tmp_path, here, pack=path.stem == "pack")
    names = {"url": here.url, "web": web, "taken": str(here.node.address[1]), "digest": digest(here), "small": SMALL.digest}

    def command(step: Step) -> Outcome:
        monkeypatch.setattr(sys, "stdin", Stdin("".join(f"{line}\n" for line in step.stdin)))
        code = run(step.command)
        out, err = capfd.readouterr()
        return Outcome(out, err, code)

    capfd.readouterr()
    play(parse(path.read_text(encoding="utf-8"), names), command)


class Stdin(io.TextIOWrapper):
    """Standard input that is no terminal."""

    def __init__(self, given: str) -> None:
        super().__init__(io.BytesIO(given.encode()), encoding="utf-8")


def write_files(folder: Path, here: Place, *, pack: bool) -> None:
    (folder / "policy.toml").write_bytes(text())
    (folder / "node.toml").write_bytes(here.policy.raw)
    (folder / "production.toml").write_bytes(changed(here.policy, ("unsafe_accept_simulated = true\n", "")).raw)
    (folder / "latin1.txt").write_bytes("caf\xe9".encode("latin-1"))
    (folder / "good.txt").write_text("good\n")
    (folder / "seen.json").write_bytes(RollbackState({here.policy.name: here.policy.serial + 1}).to_json())
    (folder / "broken.json").write_bytes(b"{}")
    (folder / "small.confide").write_bytes(SMALL.data)
    (folder / "small.toml").write_bytes(changed(here.policy, ("[models]\n", f'[models]\nsmall = ["{SMALL.digest}"]\n')).raw)
    (folder / "alice.token").write_bytes(bearer("alice")[1].removeprefix(b"Bearer "))
    write_releases(folder, here)
    if pack:
        bert_folder(folder / "bert")
        write_head(folder / "head.safetensors", labels='["bad","fair","good"]')
        write_head(folder / "unlabelled.safetensors")


def write_head(path: Path, **metadata: str) -> None:
    """Three labels over the 32 dimensions of the tiny encoder."""
    import numpy as np  # noqa: PLC0415 - with the packing libraries only
    from safetensors.numpy import save_file  # noqa: PLC0415

    weight = np.linspace(-1, 1, 96, dtype=np.float32).reshape(3, 32)
    save_file({"weight": weight, "bias": np.zeros(3, np.float32)}, path, metadata=metadata)


def write_releases(folder: Path, here: Place) -> None:
    """The node's policy and one of other software, signed by the makers; and the public keys of makers and of a stranger."""
    maker, stranger = dsse.SigningKey.generate(), dsse.SigningKey.generate()
    for name, key in (("maker.json", maker), ("stranger.json", stranger)):
        members = {"alg": key.public.alg.value, "public_key": strictjson.b64(key.public.raw)}
        (folder / name).write_bytes(strictjson.dumps(members))
    own = here.policy.raw
    measurement = snp_of(here.policy).measurements
    assert isinstance(measurement, tuple)
    other = own.replace(measurement[0].hex().encode(), b"00" * 48)
    assert other != own
    (folder / "release.json").write_bytes(sign_policy(own, keys=(maker,)))
    (folder / "foreign.json").write_bytes(sign_policy(other, keys=(maker,)))


def digest(here: Place) -> str:
    obtained = judge.ask(here.url, timeout=30)
    return judge.propose(obtained, name="x", now=datetime.now(UTC), unsafe_accept_simulated=True).digest


def test_a_session_that_goes_otherwise_is_noticed() -> None:
    step = parse("$ confide x\n1> a...b\n? 3\n", {})
    play(step, lambda _: Outcome("a to b\n", "", 3))
    wrongs = [Outcome("a\n", "", 3), Outcome("a b\nmore\n", "", 3), Outcome("ab\n", "noise\n", 3), Outcome("ab\n", "", 0)]
    for wrong in wrongs:
        with pytest.raises(AssertionError):
            play(step, partial(_given, wrong))


def _given(outcome: Outcome, _: object) -> Outcome:
    return outcome
