"""`confide run`: ask a verified node about some text, and show the answer with what proves it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from confide.cli.options import PATH, json_option, option, policy_option, signer_option, state_option, timeout_option
from confide.cli.output import banner, emit, emit_json, milliseconds, note, table
from confide.cli.owner import find_token, token_option
from confide.cli.receipt import receipt_dict
from confide.cli.streamed import SHOWN_NUMBERS, run_streamed, shorten
from confide.codes import Code
from confide.errors import MisuseError

if TYPE_CHECKING:
    from confide.client import Answer, Timing

MAX_INPUT = 16 << 20  # bytes from a file or standard input; the node's own limit is far below


@click.command("run", short_help="Ask a model on a verified node.")
@click.argument("url")
@click.argument("model")
@option(
    "--text", multiple=True, metavar="TEXT", help="One input; repeat for more. Other users of this machine can see it: see --stdin."
)
@option("--file", "files", multiple=True, type=PATH, metavar="FILE", help="One input from a file; repeat for more.")
@option("--stdin", "from_stdin", is_flag=True, help="Read one input from standard input.")
@option("--lines", is_flag=True, help="With --file or --stdin: each line is an input of its own.")
@option(
    "--save", type=PATH, metavar="DIR", help="Keep request, answer, receipt, evidence and policy, for `confide receipt verify`."
)
@option("--stream", is_flag=True, help="Print each item as it completes; with --json, one JSON object per line.")
@option(
    "--patience",
    type=click.FloatRange(min=0, max=3600),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a node that is not there or does not take requests.",
)
@token_option
@policy_option()
@signer_option
@state_option
@timeout_option
@json_option
def command(
    url: str,
    model: str,
    *,
    text: tuple[str, ...],
    files: tuple[Path, ...],
    from_stdin: bool,
    lines: bool,
    save: Path | None,
    stream: bool,
    patience: float,
    token_file: Path | None,
    policy: Path,
    policy_signers: tuple[Path, ...],
    state: Path | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Verify the node at URL, seal text to it, and print what MODEL says, with its receipt checked.

    Nothing is sent to a node that the policy does not accept.
    """
    from confide.client import connect, loading  # noqa: PLC0415 - the library loads when a command runs
    from confide.client.state import default_path  # noqa: PLC0415

    inputs = _inputs(text, files, from_stdin=from_stdin, lines=lines)
    signers = loading.read_signers(policy_signers)
    where, token = state or default_path(), find_token(token_file)
    with connect(url, policy=policy, policy_signers=signers, timeout=timeout, patience=patience, state=where, token=token) as node:
        answer = run_streamed(node, model, inputs, keep=save is not None, as_json=as_json) if stream else node.run(model, inputs)
    if answer is not None and save is not None:
        answer.save(save)
    if answer is not None and not stream:
        _show(answer, inputs, as_json=as_json)
    if save is not None:
        note(f"saved {save}: try `confide receipt verify {save} --policy {policy}`")


def _show(answer: "Answer", inputs: Sequence[str], *, as_json: bool) -> None:
    banner(answer.verdict.simulated)
    if as_json:
        emit_json(_as_dict(answer))
    else:
        emit(_values(answer, inputs))
        emit(_proof(answer))
    _tell_cuts(answer)


def _tell_cuts(answer: "Answer") -> None:
    """An answer about half a text looks like any other; so it is said."""
    for number, (cut, tokens) in enumerate(zip(answer.truncated, answer.tokens, strict=True), 1):
        if cut:
            note(f"note: text {number} was cut after {tokens} tokens")


def _inputs(text: Sequence[str], files: Sequence[Path], *, from_stdin: bool, lines: bool) -> list[str]:
    from confide.client.files import read_file  # noqa: PLC0415

    read = [read_file(path, limit=MAX_INPUT) for path in files]
    if from_stdin:
        read.append(sys.stdin.buffer.read(MAX_INPUT + 1))
    try:
        texts = [data.decode("utf-8") for data in read]
    except UnicodeDecodeError:
        raise MisuseError(Code.CLI_INPUT, found="an input that is not UTF-8", wanted="text") from None
    if any(len(data) > MAX_INPUT for data in read):
        raise MisuseError(Code.CLI_INPUT, found=f"more than {MAX_INPUT} bytes", wanted="a shorter text")
    split = (
        [line for item in texts for line in item.splitlines() if line.strip()] if lines else [item.rstrip("\n") for item in texts]
    )
    inputs = [*text, *split]
    if not inputs:
        raise MisuseError(Code.CLI_INPUT, found="no input", wanted="--text, --file or --stdin", hint="see `confide run --help`")
    return inputs


def _values(answer: "Answer", inputs: Sequence[str]) -> str:
    if answer.task == "text-classification":
        rows = [(f"{best.score:6.1%}", best.label, shorten(text)) for best, text in zip(answer.labels, inputs, strict=True)]
        return table(rows, indent="")
    return _similarities(answer, inputs) if len(inputs) > 1 else _vector(answer, inputs[0])


def _vector(answer: "Answer", text: str) -> str:
    numbers = answer.embeddings[0]
    shown = ", ".join(f"{number:.4f}" for number in numbers[:SHOWN_NUMBERS])
    return f"{shorten(text)}: {len(numbers)} numbers, {shown}, ... (--json prints all)"


def _similarities(answer: "Answer", inputs: Sequence[str]) -> str:
    from confide.client import similarity  # noqa: PLC0415

    vectors = answer.embeddings
    rows = [
        (f"{similarity(vectors[i], vectors[j]):6.3f}", shorten(inputs[i], 36), "~", shorten(inputs[j], 36))
        for i in range(len(vectors))
        for j in range(i + 1, len(vectors))
    ]
    return "similarity (1 is the same meaning)\n" + table(rows, indent="")


def _proof(answer: "Answer") -> str:
    verdict, timing = answer.verdict, answer.timing
    word = "SIMULATED, verified" if verdict.simulated else "verified"
    rows = [
        ("verdict", f"{word} by policy {verdict.policy}; {len(verdict.checks)} checks, {len(verdict.not_checked)} not checked"),
        ("model", f"{answer.model} {answer.digest[:16]}..., required inside the seal"),
        ("receipt", _receipt(answer)),
        ("time", _time(timing)),
    ]
    return table(rows, indent="")


def _time(timing: "Timing") -> str:
    """The verification, once per session, then this request."""
    parts = {"seal": timing.seal, "node and network": timing.network, "open": timing.open, "receipt": timing.receipt}
    shown = ", ".join(f"{name} {milliseconds(seconds)}" for name, seconds in parts.items())
    return f"{milliseconds(timing.verify)} to verify the node; {milliseconds(timing.total)} to ask: {shown}"


def _receipt(answer: "Answer") -> str:
    if answer.receipt is None:
        return "none, which this policy allows"
    return f"checked, number {answer.receipt.log_index}, issued {answer.receipt.issued_at:%Y-%m-%dT%H:%M:%SZ} by the node's clock"


def _as_dict(answer: "Answer") -> dict[str, Any]:
    from confide.policy.text import as_dict  # noqa: PLC0415

    timing = answer.timing
    ranked = [[label._asdict() for label in row] for row in answer.output.ranked]
    return {
        "simulated": answer.verdict.simulated,
        "model": answer.model,
        "digest": answer.digest,
        "task": answer.task,
        "outputs": ranked or answer.output.vectors,
        "tokens": list(answer.tokens),
        "truncated": list(answer.truncated),
        "receipt": None if answer.receipt is None else receipt_dict(answer.receipt),
        "verdict": as_dict(answer.verdict),
        "timing": {
            "verify": timing.verify,
            "seal": timing.seal,
            "network": timing.network,
            "open": timing.open,
            "receipt": timing.receipt,
            "node": dict(timing.node),
        },
    }
