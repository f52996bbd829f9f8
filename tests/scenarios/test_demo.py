"""`make demo` as a tour that keeps its promises: it ends well, leaves what it says, and the commands that it prints work."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.scenarios.nodes import environment
from tests.support_models import minilm_package, triage_package

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "demo.py"
pytestmark = [
    pytest.mark.real_model,
    pytest.mark.skipif(not SCRIPT.is_file(), reason="scripts/ is not beside these tests (they run against the wheel)"),
]


def settings() -> dict[str, str]:
    minilm_package()
    return environment() | {"CONFIDE_DEMO_MODELS": str(triage_package().parent)}


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, SCRIPT], capture_output=True, text=True, check=False, env=settings(), cwd=folder, timeout=180
    )
    assert done.returncode == 0, done
    return folder, done.stdout


def test_the_tour_shows_what_it_promises(toured: tuple[Path, str]) -> None:
    _, said = toured
    assert said.index("SIMULATED") < said.index("START A NODE")
    assert "urgent" in said
    assert "none of the text above is in them" in said
    assert re.search(r"evidence with one bit changed +refused, nothing was sent\n.*\(snp\.signature\)", said)
    assert re.search(r"policy for real hardware +refused, nothing was sent\n.*\(x509\.root\)", said)
    assert re.search(r"one bit changed on the way +refused, no answer is handed out\n.*\(ohttp\.response\)", said)
    assert max(map(len, said.partition("WHAT TO TRY NEXT")[0].splitlines())) <= 120


def test_the_tour_leaves_what_it_says(toured: tuple[Path, str]) -> None:
    folder, _ = toured
    names = {path.name for path in (folder / "demo-out").iterdir()}
    assert {"policy.toml", "bundle.json", "request.bhttp", "response.bhttp", "salts.json", "receipt.json"} <= names


def test_the_three_commands_that_it_prints_work(toured: tuple[Path, str]) -> None:
    folder, said = toured
    shown = said.partition("WHAT TO TRY NEXT")[2].splitlines()
    printed = [line.split("  ", 3)[-1].strip() for line in shown if line.startswith("  ")]
    assert len(printed) == 3
    for command in printed:
        words = shlex.split(command.replace("scripts/demo.py", str(SCRIPT)))
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=settings(), cwd=folder, timeout=120)
        assert done.returncode == 0, (command, done)
        assert "SIMULATED" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_tour_stops_its_node(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-u", str(SCRIPT)]
    tour = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=settings(), cwd=tmp_path)
    assert tour.stdout is not None
    for line in tour.stdout:
        if "ready at" in line:
            break
    children = Path(f"/proc/{tour.pid}/task/{tour.pid}/children").read_text().split()
    assert children
    tour.send_signal(number)
    _, complaint = tour.communicate(timeout=60)
    assert tour.returncode == 130
    assert "the node is stopped" in complaint
    deadline = time.monotonic() + 10
    while any(_runs(int(child)) for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(int(child)) for child in children)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
