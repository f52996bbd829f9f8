"""The rollback state: kept, merged, and never quietly started anew."""

import threading
from pathlib import Path

import pytest

from confide.client import state
from confide.codes import Code
from confide.errors import MisuseError
from confide.policy.rollback import RollbackState


def test_there_is_no_state_before_the_first_verdict(tmp_path: Path) -> None:
    assert state.load(tmp_path / "none.json") == RollbackState()
    assert state.load(None) == RollbackState()


def test_what_was_seen_is_found_again_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "rollback.json"
    state.keep(path, RollbackState({"a": 3}))
    assert state.load(path).policy_serials == {"a": 3}
    assert path.stat().st_mode & 0o077 == 0


def test_a_lower_number_never_replaces_a_higher_one(tmp_path: Path) -> None:
    path = tmp_path / "rollback.json"
    state.keep(path, RollbackState({"a": 3}))
    state.keep(path, RollbackState({"a": 2, "b": 1}))
    assert state.load(path).policy_serials == {"a": 3, "b": 1}


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rollback.json"
    writers = [threading.Thread(target=state.keep, args=(path, RollbackState({f"policy-{n}": n + 1}))) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert state.load(path).policy_serials == {f"policy-{n}": n + 1 for n in range(8)}


@pytest.mark.parametrize("broken", [b"", b"{}", b"not json", b'{"version":9}'])
def test_a_broken_state_is_an_error_and_not_a_fresh_start(broken: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rollback.json"
    path.write_bytes(broken)
    for action in (lambda: state.load(path), lambda: state.keep(path, RollbackState({"a": 1}))):
        with pytest.raises(MisuseError) as caught:
            action()
        assert caught.value.code is Code.CLIENT_STATE
        assert "rollback.json" in caught.value.hint
    assert path.read_bytes() == broken


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MisuseError) as caught:
        state.keep(tmp_path / "file" / "rollback.json", RollbackState({"a": 1}))
    assert caught.value.code is Code.CLIENT_STATE


def test_no_path_keeps_nothing() -> None:
    state.keep(None, RollbackState({"a": 1}))


def test_the_place_is_the_users_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CONFIDE_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state.default_path() == tmp_path / "confide" / "rollback.json"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert state.default_path() == tmp_path / "home" / ".local" / "state" / "confide" / "rollback.json"
    monkeypatch.setenv("CONFIDE_STATE", str(tmp_path / "x.json"))
    assert state.default_path() == tmp_path / "x.json"
