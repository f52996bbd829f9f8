"""`confide receipt verify`: whether a saved receipt holds. Needs no network, no node, and nothing of ours but this program."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from confide.cli.options import PATH, json_option, option, policy_option, signer_option
from confide.cli.output import banner, emit, emit_json, table

if TYPE_CHECKING:
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
    as_json: bool,
) -> None:
    """Verify a receipt offline: who signed it, on what hardware, with which model, about which question and answer.

    RECEIPT is a receipt file, or a folder written by `confide run --save`; the folder's other files are then used where no option
    names one.
    """
    from confide.client import loading, saved  # noqa: PLC0415 - the library loads when a command runs

    kept = saved.find(receipt, bundle=bundle, request=request, response=response, salts=salts)
    result = saved.verify(kept, loading.load(policy, signers=loading.read_signers(policy_signers)))
    banner(result.simulated)
    if as_json:
        emit_json(_as_dict(result))
    else:
        emit(_render(result))


def _render(result: "ReceiptVerdict") -> str:
    receipt, model = result.receipt, result.receipt.model
    rows = [
        ("receipt", f"{'SIMULATED, ' if result.simulated else ''}verified: {len(result.checks)} checks hold"),
        ("outcome", str(receipt.outcome)),
        ("model", "none" if model is None else f"{model.alias} {model.package.hex()}"),
        ("engine", f"{receipt.engine.name} {receipt.engine.version}"),
        ("issued", f"{receipt.issued_at:%Y-%m-%dT%H:%M:%SZ} by the node's clock, number {receipt.log_index} of its log"),
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
        "receipt": receipt_dict(result.receipt),
        "checks": [
            {"code": item.code.value, "title": item.title, "found": item.found, "wanted": item.wanted} for item in result.checks
        ],
        "not_checked": [{"what": item.what, "why": item.why} for item in result.not_checked],
        "relaxations": [{"setting": item.setting, "effect": item.effect} for item in result.relaxations],
    }
