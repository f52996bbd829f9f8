"""Runs the cases of `vectors/*.json` through this verifier and prints a matrix: right, wrong, not implemented.

An operation takes the case's `input` and gives what `expected.ok` shows, or raises `Refused`. The shapes of inputs and answers are
in no page; they are those of the vectors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from conformance.second import check, checkpoint, maker, merkle, proof, receipt
from conformance.second.check import Exchange
from conformance.second.keyset import keyset_of_document, parse_keyset
from conformance.second.strict_json import Refused, loads

Input = dict[str, Any]
Operation = Callable[[Input], dict[str, object]]


class NotImplementedHere(Exception):  # noqa: N818 - an answer, not an error
    """The answer depends on something that this program does not judge."""


def _bytes(case: Input, name: str) -> bytes | None:
    return bytes.fromhex(case[name]) if name in case else None


def _exchange(case: Input) -> Exchange:
    models = [bytes.fromhex(model) for model in case["models"]] if "models" in case else None
    named = {name: _bytes(case, name) for name in ("key_config", "enc", "request", "response", "salts")}
    return Exchange(models=models, succeeded=case.get("succeeded"), **named)


def _commit(case: Input) -> dict[str, object]:
    made = receipt.commit(case["label"], bytes.fromhex(case["salt"]), bytes.fromhex(case["data"]))
    return {"commitment": made.hex()}


def _salts(case: Input) -> dict[str, object]:
    salts = receipt.parse_salts(bytes.fromhex(case["salts"]))
    shown: dict[str, object] = {label: salts.salts[label].hex() if label in salts.salts else None for label in receipt.LABELS}
    return {**shown, "parameters_text": None if salts.text is None else salts.text.hex()}


def _trailers(case: Input) -> dict[str, object]:
    envelope, salts = receipt.from_trailers([(name, value) for name, value in case["trailers"]])
    return {"envelope": envelope.hex() if envelope else None, "salts": salts.hex() if salts else None}


def _check(case: Input) -> dict[str, object]:
    checked = check.check_receipt(bytes.fromhex(case["envelope"]), parse_keyset(bytes.fromhex(case["keyset"])), _exchange(case))
    return {"receipt": check.describe(checked.receipt), "not_checked": list(checked.not_checked)}


def _verify(case: Input) -> dict[str, object]:
    """RCP-18 as far as the bundle's keyset goes: what comes after needs hardware evidence and the policy judged."""
    envelope, keyset = bytes.fromhex(case["envelope"]), keyset_of_document(bytes.fromhex(case["bundle"]))
    policy: Any = loads(bytes.fromhex(case["policy"]))
    model = receipt.parse_receipt(envelope, keyset.receipt_keys).model
    models = policy["models"].get(model["alias"], []) if model else None
    check.check_receipt(envelope, keyset, _exchange({**case, "models": models} if model else case))
    raise NotImplementedHere


def _parameters(case: Input) -> dict[str, object]:
    clear, committed = maker.split_parameters(case["parameters"])
    return {"clear": clear, "committed": committed, "commitment": bool(committed)}


def _leaves(case: Input, name: str = "leaves") -> list[bytes]:
    return [bytes.fromhex(leaf) for leaf in case[name]]


def _root(case: Input) -> dict[str, object]:
    return {"root": merkle.root_of(_leaves(case)[: case["size"]]).hex()}


def _inclusion(case: Input) -> dict[str, object]:
    leaves, index, size = _leaves(case), case["index"], case["size"]
    if not 0 <= index < size <= len(leaves):
        raise Refused("log.index")
    path = merkle.inclusion_path(index, leaves[:size])
    root = merkle.root_of(leaves[:size])
    if not merkle.inclusion_holds(leaf=merkle.leaf_hash(leaves[index]), index=index, size=size, path=path, root=root):
        raise Refused("log.inclusion", "our own path")
    return {"path": [node.hex() for node in path]}


def _consistency(case: Input) -> dict[str, object]:
    leaves, first, second = _leaves(case), case["first"], case["second"]
    if not 0 <= first <= second <= len(leaves):
        raise Refused("log.index")
    path = merkle.consistency_path(first, leaves[:second])
    roots = {"first_root": merkle.root_of(leaves[:first]), "second_root": merkle.root_of(leaves[:second])}
    if not merkle.consistency_holds(first=first, second=second, path=path, **roots):
        raise Refused("log.consistency", "our own path")
    return {"path": [node.hex() for node in path]}


def _append(case: Input) -> dict[str, object]:
    return {"index": maker.append(len(case["leaves"]), case["index"], closed=case["closed"])}


def _provable(case: Input) -> dict[str, object]:
    waited = maker.seconds_between(case["checkpoint_at"], case["now"])
    return maker.prove(_leaves(case), _leaves(case, "later"), case["index"], waited)


def _checkpoint(case: Input) -> dict[str, object]:
    keyset = parse_keyset(bytes.fromhex(case["keyset"]))
    return checkpoint.describe(checkpoint.parse_checkpoint(bytes.fromhex(case["checkpoint"]), keyset))


def _prove(case: Input) -> dict[str, object]:
    keyset, envelope = parse_keyset(bytes.fromhex(case["keyset"])), bytes.fromhex(case["envelope"])
    index = check.check_receipt(envelope, keyset, Exchange()).receipt.log_index
    proofs = proof.parse_proof(bytes.fromhex(case["proof"]))
    return checkpoint.describe(proof.check_included(envelope, index, proofs, keyset))


def _growth(case: Input) -> dict[str, object]:
    first, second = (
        checkpoint.parse_checkpoint(bytes.fromhex(case[name]), parse_keyset(bytes.fromhex(case[f"{name}_keyset"])))
        for name in ("first", "second")
    )
    return {"grew": checkpoint.check_growth(first, second, [bytes.fromhex(node) for node in case["path"]])}


OPERATIONS: dict[str, Operation] = {
    "receipt.commit": _commit,
    "receipt.salts": _salts,
    "receipt.trailers": _trailers,
    "receipt.check": _check,
    "receipt.verify": _verify,
    "receipt.parameters": _parameters,
    "log.root": _root,
    "log.inclusion": _inclusion,
    "log.consistency": _consistency,
    "log.append": _append,
    "log.provable": _provable,
    "log.checkpoint": _checkpoint,
    "log.prove": _prove,
    "log.growth": _growth,
}


def answer(operation: str, case: Input) -> dict[str, object] | None:
    """What this program says to a case, as `expected` would have it; None where it says nothing."""
    run = OPERATIONS.get(operation)
    if run is None:
        return None
    try:
        return {"ok": run(case)}
    except Refused as refused:
        return {"error": refused.code}
    except NotImplementedHere:
        return None


def run_files(paths: Sequence[Path]) -> tuple[list[str], list[str]]:
    """The lines of the matrix, and one line for each case that is wrong."""
    lines = [f"{'operation':<24}{'right':>7}{'wrong':>7}{'not implemented':>17}"]
    wrong = []
    for path in paths:
        counts: dict[str, dict[str, int]] = {}
        for case in json.loads(path.read_text())["cases"]:
            said = answer(case["op"], case["input"])
            word = "none" if said is None else "right" if said == case["expected"] else "wrong"
            row = counts.setdefault(case["op"], {"right": 0, "wrong": 0, "none": 0})
            row[word] += 1
            if word == "wrong":
                wrong.append(f"{case['id']}: {json.dumps(said)[:300]}, expected {json.dumps(case['expected'])[:300]}")
        lines += [f"{name:<24}{row['right']:>7}{row['wrong']:>7}{row['none']:>17}" for name, row in sorted(counts.items())]
    return lines, wrong
