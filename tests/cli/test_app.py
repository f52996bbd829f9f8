"""Errors as two lines, exit codes as the code says, and never a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click
import pytest

from confide.cli.app import COMMANDS, INTERRUPTED, confide, guarded, run
from confide.codes import Code
from confide.errors import ConfideError, EvidenceError


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def action() -> NoReturn:
        raise error

    return action


@pytest.mark.parametrize("code", list(Code), ids=lambda code: str(code.value))
def test_every_code_becomes_its_exit_code_and_a_hint(code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(ConfideError(code, found="this", wanted="that"))) == int(code.exit)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: {code.meaning} ({code.value})\n  found:  this\n  wanted: that\nhint: {code.remedy.value}\n"


def test_an_error_is_also_json_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code = guarded(raising(EvidenceError(Code.DSSE_SIGNATURE, found="x", hint="y")), as_json=True)
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["exit"] == code == int(Code.DSSE_SIGNATURE.exit)
    assert told["error"] == {
        "code": "dsse.signature",
        "meaning": Code.DSSE_SIGNATURE.meaning,
        "found": "x",
        "wanted": "",
        "hint": "y",
    }
    assert err.startswith("error: ")


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["verify"],
        ["verify", "x"],
        ["run", "http://x", "m", "--no-such"],
        ["serve", "--port", "99999"],
        ["verify", "b", "-p", "p", "--at", "noon"],
    ],
    ids=" ".join,
)
def test_misuse_exits_with_two_and_names_the_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {Code.CLI_INPUT.meaning} (cli.input)\n")
    assert "--help" in err.splitlines()[-1]


def test_misuse_is_told_in_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "cli.input"


def test_a_time_without_a_zone_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "b", "-p", "p", "--at", "2026-01-01T00:00:00"]) == 2
    assert "no time zone" in capsys.readouterr().err


def test_a_fault_of_ours_is_a_sentence_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(RuntimeError("the patient's name"))) == 1
    err = capsys.readouterr().err
    assert "cli.internal" in err
    assert "RuntimeError at " in err
    assert "patient" not in err
    assert "Traceback" not in err


def test_a_traceback_comes_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIDE_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        guarded(raising(RuntimeError("x")))


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), click.Abort()], ids=["ctrl-c", "abort"])
def test_an_interrupt_is_quiet(stop: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(stop)) == INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"


def test_no_command_shows_the_help_and_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "receipt" in capsys.readouterr().err


def test_python_dash_m_confide_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "confide", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("confide, version ")


def test_a_terminal_without_unicode_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "na\u00efve.json"
    command = [sys.executable, "-m", "confide", "verify", str(path), "--policy", str(path)]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert done.returncode == 2
    assert b"client.file" in done.stderr


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m confide --help | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_option_has_an_environment_twin_and_no_option_takes_a_secret() -> None:
    options = [option for command in every(confide) for option in command.params if isinstance(option, click.Option)]
    assert options
    for option in options:
        if option.name in {"help", "version"}:
            continue
        assert str(option.envvar).startswith("CONFIDE_"), option.name
        secret = {"key", "secret", "password", "passphrase", "token"} & set(str(option.name).split("_"))
        assert not secret or isinstance(option.type, click.Path), option.name  # the name of a file that holds one may be given


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "✓ ✗ a…b"), ("latin-1", "+ X a~b"), ("ascii", "+ X a~b")])
def test_marks_are_told_apart_on_every_terminal(encoding: str, shown: str) -> None:
    code = "from confide.cli.output import emit, note; emit('✓ ✗ a…b'); note('✓ ✗ a…b')"
    env = {**os.environ, "PYTHONIOENCODING": f"{encoding}:replace"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    assert done.stdout.decode(encoding) == done.stderr.decode(encoding) == f"{shown}\n"


def test_every_result_can_be_json() -> None:
    for command in every(confide):
        if not isinstance(command, click.Group) and command.name != "serve":
            assert "as_json" in {parameter.name for parameter in command.params}, command.name


def every(command: click.Command) -> list[click.Command]:
    context = click.Context(command)
    members = (
        [command.get_command(context, name) for name in command.list_commands(context)] if isinstance(command, click.Group) else []
    )
    return [command, *(found for member in members if member is not None for found in every(member))]


def test_commands_come_in_the_order_of_a_first_day() -> None:
    assert confide.list_commands(click.Context(confide)) == list(COMMANDS)


EXTRAS = {"confide.engine.pack": ["pack", "x", "-o", "y"], "confide.server.serve": ["serve", "x"]}


@pytest.mark.parametrize(("module", "words"), EXTRAS.items(), ids=["pack", "serve"])
def test_a_command_without_its_extra_says_how_to_get_it(
    words: list[str], module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parent, _, name = module.rpartition(".")
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delattr(f"{parent}.{name}", raising=False)
    assert run(words) == 2
    err = capsys.readouterr().err
    assert "cli.extra" in err
    assert "pip install 'confide[" in err
