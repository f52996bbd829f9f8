"""`python -m conformance.second receipt ...`, `... growth ...`, `... log DIR ...` and `... vectors FILE...`.

Each prints one JSON object, `{"ok": {...}}` or `{"error": code, "found": ...}`, and exits as the code's `exit` in
spec/codes.json says. `vectors` prints a matrix and exits 1 where a case is wrong. No command judges hardware evidence: the keyset
is taken out of the documents and believed, and `evidence` says so.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from conformance.second import check, checkpoint, folder, proof, vectors, whole
from conformance.second.check import Checked, Exchange
from conformance.second.checkpoint import Checkpoint
from conformance.second.keyset import Keyset, keyset_of_document
from conformance.second.strict_json import Refused

_CODES = Path(__file__).resolve().parents[2] / "spec" / "codes.json"
_NOT_JUDGED = "not judged: the keyset is believed"


def _read(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        raise Refused("client.file", str(error)) from None


def _file(path: Path) -> bytes:
    return _read(path) or b""


def _receipt(args: argparse.Namespace) -> dict[str, object]:
    envelope, keyset = _file(args.receipt), keyset_of_document(_file(args.bundle))
    exchange = Exchange(
        key_config=_read(args.key_config),
        enc=_read(args.enc),
        models=args.model or None,
        succeeded=None if args.status is None else 200 <= args.status < 300,
        request=_read(args.request),
        response=_read(args.response),
        salts=_read(args.salts),
    )
    checked = check.check_receipt(envelope, keyset, exchange)
    logged = _logged(args, envelope, checked, keyset)
    return {
        "receipt": check.describe(checked.receipt),
        "not_checked": list(checked.not_checked),
        "complete": logged is not None,
        "checkpoint": checkpoint.describe(logged) if logged else None,
        "evidence": _NOT_JUDGED,
    }


def _logged(args: argparse.Namespace, envelope: bytes, checked: Checked, keyset: Keyset) -> Checkpoint | None:
    """The checkpoint of the proof or the batch, held to the one that is remembered."""
    if args.proof is None and args.batch is None:
        return None
    proofs = proof.parse_proof(_file(args.proof)) if args.proof else proof.parse_batch(_file(args.batch))
    logged = proof.check_included(envelope, checked.receipt.log_index, proofs, keyset)
    if args.remembered is not None:
        remembered = checkpoint.parse_checkpoint(_file(args.remembered), keyset)
        checkpoint.check_joined(remembered, logged, checkpoint.parse_consistency(_file(args.consistency)))
    return logged


def _growth(args: argparse.Namespace) -> dict[str, object]:
    keyset = keyset_of_document(_file(args.bundle))
    first, second = (checkpoint.parse_checkpoint(_file(path), keyset) for path in (args.first, args.second))
    grew = checkpoint.check_joined(first, second, checkpoint.parse_consistency(_file(args.consistency)))
    return {"grew": grew, "checkpoint": checkpoint.describe(second), "evidence": _NOT_JUDGED}


def _log(args: argparse.Namespace) -> dict[str, object]:
    try:
        read = folder.read_folder(args.folder)
    except OSError as error:
        raise Refused("client.file", str(error)) from None
    keysets = [keyset_of_document(_file(path)) for path in args.bundle]
    for name, document in read.documents.items():
        keysets.append(keyset_of_document(document))
        if name != f"{keysets[-1].digest.hex()}.json":
            raise Refused("document.malformed", f"keysets/{name} holds another keyset")
    held = whole.check_whole(read.leaves.records, read.checkpoints.records, keysets, live=read.live)
    return {
        "log_id": held.log_id.hex(),
        "leaves": held.leaves,
        "covered": held.covered,
        "checkpoints": held.checkpoints,
        "root": held.root.hex(),
        "standing": held.standing,
        "cut": {"leaves": read.leaves.cut, "checkpoints": read.checkpoints.cut},
        "keysets": sorted({keyset.digest.hex() for keyset in keysets}),
        "evidence": _NOT_JUDGED,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m conformance.second", description="A second verifier, from the specification alone."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    receipt = commands.add_parser("receipt", help="a receipt, with what is known of its exchange and its log")
    receipt.set_defaults(run=_receipt)
    receipt.add_argument("receipt", type=Path, help="the envelope")
    for name in ("request", "response", "salts", "key-config", "enc"):
        receipt.add_argument(f"--{name}", type=Path)
    receipt.add_argument("--model", type=bytes.fromhex, action="append", default=[], help="an accepted package digest in hex")
    receipt.add_argument("--status", type=int, help="the status of the answer")
    proofs = receipt.add_mutually_exclusive_group()
    proofs.add_argument("--proof", type=Path, help="a log proof")
    proofs.add_argument("--batch", type=Path, help="a batch of log proofs")
    receipt.add_argument("--remembered", type=Path, help="the checkpoint seen last, with --consistency")
    receipt.add_argument("--consistency", type=Path, help="the consistency proof from the remembered checkpoint")
    growth = commands.add_parser("growth", help="two checkpoints of one log and the consistency proof between them")
    growth.set_defaults(run=_growth)
    for name in ("first", "second", "consistency"):
        growth.add_argument(name, type=Path)
    log = commands.add_parser("log", help="the folder of a boot's log")
    log.set_defaults(run=_log)
    log.add_argument("folder", type=Path)
    log.add_argument(
        "--bundle", type=Path, action="append", default=[], help="an evidence document; those of the folder are read too"
    )
    for command in (receipt, growth):
        command.add_argument("--bundle", type=Path, required=True, help="the node's evidence document")
    cases = commands.add_parser("vectors", help="run published cases")
    cases.add_argument("files", type=Path, nargs="+")
    return parser


def _exit_status(code: str) -> int:
    listed = json.loads(_CODES.read_text())["codes"]
    return int(next(entry["exit"] for entry in listed if entry["code"] == code))


def main(arguments: list[str] | None = None) -> int:
    """The exit status."""
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.command == "vectors":
        lines, wrong = vectors.run_files(args.files)
        print("\n".join(lines + wrong))
        return 1 if wrong else 0
    if args.command == "receipt" and (args.remembered is None) != (args.consistency is None):
        parser.error("--remembered and --consistency go together")
    try:
        print(json.dumps({"ok": args.run(args)}))
    except Refused as refused:
        print(json.dumps({"error": refused.code, "found": refused.found, **refused.where}))
        return _exit_status(refused.code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
