"""`confide` as people run it: commands in processes of their own. Works on the source tree and on the installed wheel alike."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

READY = 60.0  # seconds


def environment() -> dict[str, str]:
    """This process's, without settings that would reach a command, and good in any folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONFIDE_")}
    if paths := kept.get("PYTHONPATH"):
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(path).resolve()) for path in paths.split(os.pathsep))
    return kept


def confide(*words: str | Path, stdin: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    command = [sys.executable, "-m", "confide", *map(str, words)]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, env=environment(), cwd=cwd, timeout=120
    )


@dataclass
class Serving:
    """A running `confide serve`."""

    process: subprocess.Popen[str]
    url: str

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal, wait, and return exit code and what was said on stderr."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


@contextmanager
def serving(*words: str | Path, port: int | None = None) -> Iterator[Serving]:
    """`confide serve` with a simulated TEE on a free port, ready."""
    port = port or free_port()
    command = [
        sys.executable,
        "-m",
        "confide",
        "serve",
        *map(str, words),
        "--tee",
        "simulated",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    node = Serving(process, f"http://127.0.0.1:{port}")
    try:
        wait_ready(node)
        yield node
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def wait_ready(node: Serving) -> None:
    """Until `/readyz` says so."""
    deadline = time.monotonic() + READY
    while time.monotonic() < deadline and node.process.poll() is None:
        try:
            if httpx.get(f"{node.url}/readyz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    node.process.kill()
    raise AssertionError(node.process.communicate()[1])


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
