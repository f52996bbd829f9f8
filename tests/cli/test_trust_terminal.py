"""On a terminal, `confide trust` shows the evidence and asks; only a yes writes the policy."""

import os
import pty
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.client.nodes import Place, place


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as there:
        yield there


def typed(words: list[str], answer: str) -> tuple[int, str]:
    """Run `confide` on a pseudo terminal, answer its question, and return exit code and screen."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-W", "ignore", "-m", "confide", *words])  # noqa: S606 - the way into a terminal
    screen, asked, deadline = "", False, time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says EIO when the other end is gone
            break
        if not piece:
            break
        screen += piece.decode("utf-8", "replace")
        if not asked and "[y/N]" in screen:
            os.write(terminal, f"{answer}\n".encode())
            asked = True
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), screen


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # the child only calls exec
@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 5), ("", 5)])
def test_only_a_yes_writes_the_policy(here: Place, tmp_path: Path, answer: str, code: int) -> None:
    path = tmp_path / "policy.toml"
    found, screen = typed(["trust", here.url, "-o", str(path), "--unsafe-accept-simulated"], answer)
    assert found == code, screen
    assert path.exists() == (code == 0)
    assert "SIMULATED" in screen
    assert "Trust this node from now on?" in screen
    assert ("nothing was written" in screen) == (code != 0)
