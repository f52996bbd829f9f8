"""`confide receipt verify`: whether a saved receipt holds. Needs no network, no node, and nothing of ours but this program."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from confide.cli.options import PATH, json_option, option, policy_option, signer_option, state_option, timeout_option
from confide.cli.output import banner, emit, emit_json, table

if TYPE_CHECKING:
    from confide.client import Node
    from confide.receipt.model import Receipt
    from confide.receipt.verify import ReceiptVerdict


@click.group("receipt", short_help="Work with receipts.")
def command() -> None:
    """Work with receipts."""


@command.command("verify")
@click.argument("receipt", type=PATH)
@option("--bundle", type=PATH, metavar="FILE", help="The node's evidence. Default: bundle.json, where RECEIPT is a saved folder.")
@policy_option()
@signer_option
@option("--request", type=PATH, metavar="FILE", help="What was asked, to compare with the receipt.")
@option("--response", type=PATH, metavar="FILE", help="What was answered, to compare with the receipt.")
@option("--salts", type=PATH, metavar="FILE", help="The salts that came with the receipt; needed to compare.")
@option("--proof", type=PATH, metavar="FILE", help="The log's proof of the receipt. Default: proof.json of a saved folder.")
@json_option
def verify(
    receipt: Path,
    *,
    bundle: Path | None,
    policy: Path,
    policy_signers: tuple[Path, ...],
    request: Path | None,
    response: Path | None,
    salts: Path | None,
    proof: Path | None,
    as_json: bool,
) -> None:
    """Verify a receipt offline: who signed it, on what hardware, with which model, about which question and answer.

    RECEIPT is a receipt file, or a folder written by `confide run --save`; the folder's other files are then used where no option
    names one.
    """
    from confide.client import loading, saved  # noqa: PLC0415 - the library loads when a command runs

    kept = saved.find(receipt, bundle=bundle, request=request, response=response, salts=salts, proof=proof)
    result = saved.verify(kept, loading.load(policy, signers=loading.read_signers(policy_signers)))
    banner(result.simulated)
    if as_json:
        emit_json(_as_dict(result))
    else:
        emit(_render(result))


@command.command("complete", short_help="Fetch the log's proofs of saved receipts.")
@click.argument("folders", nargs=-1, required=True, type=PATH, metavar="FOLDER...")
@option("--url", required=True, metavar="URL", help="The node, or another one on its log directory.")
@policy_option()
@signer_option
@state_option
@timeout_option
@json_option
def complete(folders: tuple[Path, ...], *, url: str, as_json: bool, **connection: Any) -> None:
    """Fetch the log's proofs of receipts in folders written by `confide run --save`, kept as proof.json beside each receipt.

    With it a receipt is complete: an ML-DSA-65 signature covers it too. The node is verified first, and its log is held to what
    it showed before.
    """
    from confide.client import completion, saved  # noqa: PLC0415
    from confide.client.files import write_file  # noqa: PLC0415

    items = [saved.provable_of(saved.find(folder)) for folder in folders]
    with connected(url, **connection) as node:
        done = node.drive(completion.complete_flow(node.core, items))
        banner(node.verdict.simulated)
    for folder, each in zip(folders, done, strict=True):
        write_file(folder / saved.PROOF, each.proof.to_bytes())
    rows = [(str(folder), each.proof.index, each.checkpoint.size) for folder, each in zip(folders, done, strict=True)]
    if as_json:
        emit_json([{"folder": folder, "index": index, "size": size} for folder, index, size in rows])
    else:
        emit(table([(folder, f"complete: number {index} of {size} in its log") for folder, index, size in rows], indent=""))


def connected(url: str, *, policy: Path, policy_signers: tuple[Path, ...], state: Path | None, timeout: float) -> "Node":
    """A verified node, for commands that take these options."""
    import confide  # noqa: PLC0415
    from confide.client import loading  # noqa: PLC0415
    from confide.client.node import DEFAULT_STATE  # noqa: PLC0415

    signers = loading.read_signers(policy_signers)
    return confide.connect(url, policy=policy, policy_signers=signers, timeout=timeout, state=state or DEFAULT_STATE)


def _render(result: "ReceiptVerdict") -> str:
    receipt, model = result.receipt, result.receipt.model
    rows = [
        ("receipt", f"{'SIMULATED, ' if result.simulated else ''}verified: {len(result.checks)} checks hold"),
        ("outcome", str(receipt.outcome)),
        ("model", "none" if model is None else f"{model.alias} {model.package.hex()}"),
        ("engine", f"{receipt.engine.name} {receipt.engine.version}"),
        ("issued", f"{receipt.issued_at:%Y-%m-%dT%H:%M:%SZ} by the node's clock, number {receipt.log_index} of its log"),
        ("log", _logged(result)),
        ("node", f"accepted by policy {result.node.policy} as of then; custody {result.node.custody.value}"),
    ]
    reasons: dict[str, list[str]] = {}
    for item in result.not_checked:
        reasons.setdefault(item.why, []).append(item.what)
    left = [f"  - {', '.join(what)}: {why}" for why, what in reasons.items()]
    relaxed = [(f"- {item.setting}", item.effect) for item in result.relaxations]
    parts = [table(rows, indent="")]
    parts += ["switched off by the policy", table(relaxed)] if relaxed else []
    parts += ["not checked", *left] if left else []
    return "\n".join(parts)


def _logged(result: "ReceiptVerdict") -> str:
    head = result.checkpoint
    if head is None:
        return "not proven: the receipt stands on its Ed25519 signature alone; `confide receipt complete` fetches the proof"
    return f"complete, post-quantum: under a checkpoint of {head.size} receipts at {head.time:%Y-%m-%dT%H:%M:%SZ}"


def receipt_dict(receipt: "Receipt") -> dict[str, Any]:
    """A receipt's fields for `--json`."""
    model = receipt.model
    parts = {} if model is None else {name: digest.hex() for name, digest in model.parts.items()}
    return {
        "outcome": {"status": receipt.outcome.status.value, "code": receipt.outcome.code},
        "model": None if model is None else {"alias": model.alias, "digest": model.package.hex(), "parts": parts},
        "engine": {"name": receipt.engine.name, "version": receipt.engine.version, "digest": receipt.engine.digest.hex()},
        "parameters": dict(receipt.parameters),
        "issued_at": receipt.issued_at.isoformat(),
        "log_index": receipt.log_index,
        "keyset_digest": receipt.keyset_digest.hex(),
        "software_digest": receipt.software_digest.hex(),
    }


def _as_dict(result: "ReceiptVerdict") -> dict[str, Any]:
    return {
        "verified": True,
        "simulated": result.simulated,
        "policy": str(result.node.policy),
        "complete": result.complete,
        "receipt": receipt_dict(result.receipt),
        "checks": [
            {"code": item.code.value, "title": item.title, "found": item.found, "wanted": item.wanted} for item in result.checks
        ],
        "not_checked": [{"what": item.what, "why": item.why} for item in result.not_checked],
        "relaxations": [{"setting": item.setting, "effect": item.effect} for item in result.relaxations],
    }
