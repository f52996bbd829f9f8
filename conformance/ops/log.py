"""Operations of vectors/10-log.json. Leaves are the hex of their bytes; keys come from a keyset."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from confide.attest.keyset import parse_keyset
from confide.formats import dsse
from confide.formats.fields import format_time, parse_time
from confide.receipt.check import check_receipt
from confide.receipt.checkpoint import Checkpoint, verify_checkpoint, verify_growth
from confide.receipt.checkpointer import Checkpointer
from confide.receipt.frames import records
from confide.receipt.log import Log
from confide.receipt.proof import BatchProof, ConsistencyProof, LogProof, verify_proof
from confide.receipt.whole import verify_log


def _log(leaves: Iterable[str]) -> Log:
    log = Log()
    for leaf in leaves:
        log.append(bytes.fromhex(leaf))
    return log


def _keys(given: dict[str, Any]) -> tuple[dsse.PublicKey, ...]:
    return parse_keyset(bytes.fromhex(given["keyset"])).receipt_keys


def _members(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "log_id": checkpoint.log_id.hex(),
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "time": format_time(checkpoint.time),
        "closing": checkpoint.closing,
    }


def _root(given: dict[str, Any]) -> dict[str, Any]:
    """The root of the first `size` leaves."""
    return {"root": _log(given["leaves"]).root(given["size"]).hex()}


def _inclusion(given: dict[str, Any]) -> dict[str, Any]:
    """The path of leaf `index` in the tree of the first `size` leaves."""
    return {"path": [node.hex() for node in _log(given["leaves"]).inclusion(given["index"], given["size"])]}


def _consistency(given: dict[str, Any]) -> dict[str, Any]:
    """The path from the tree of `first` leaves to that of `second`."""
    return {"path": [node.hex() for node in _log(given["leaves"]).consistency(given["first"], given["second"])]}


def _append(given: dict[str, Any]) -> dict[str, Any]:
    """One more leaf, signed for place `index`, onto a log that may be closed."""
    log = _log(given["leaves"])
    if given["closed"]:
        log.close()
    return {"index": log.append(bytes.fromhex(given["leaf"]), index=given["index"])}


def _provable(given: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint is made of `leaves` at `checkpoint_at`; then `later` come, and a proof is asked for at `now`.

    The keys are made here; the answer holds only what does not depend on them.
    """
    log = _log(given["leaves"])
    keys = tuple(dsse.SigningKey.generate(alg) for alg in dsse.SignatureAlgorithm)
    checkpointer = Checkpointer(log, keys, interval=timedelta(seconds=1))
    checkpointer.latest(parse_time(given["checkpoint_at"]))
    for leaf in given["later"]:
        log.append(bytes.fromhex(leaf))
    proof = checkpointer.prove(given["index"], parse_time(given["now"]))
    return {"index": proof.index, "size": proof.size, "path": [node.hex() for node in proof.path]}


def _checkpoint(given: dict[str, Any]) -> dict[str, Any]:
    """A verified checkpoint."""
    return _members(verify_checkpoint(bytes.fromhex(given["checkpoint"]), keys=_keys(given)))


def _prove(given: dict[str, Any]) -> dict[str, Any]:
    """A receipt, checked against a keyset, and its log proof."""
    envelope, keyset = bytes.fromhex(given["envelope"]), parse_keyset(bytes.fromhex(given["keyset"]))
    receipt = check_receipt(
        envelope, keyset=keyset, request=None, response=None, salts=None, enc=None, key_config=None, models=None
    )
    proof = LogProof.parse(bytes.fromhex(given["proof"]))
    return _members(verify_proof(proof, envelope=envelope, receipt=receipt, keys=keyset.receipt_keys))


def _growth(given: dict[str, Any]) -> dict[str, Any]:
    """Two checkpoints of one log, each with the keyset of its boot."""
    first = verify_checkpoint(bytes.fromhex(given["first"]), keys=_keys({"keyset": given["first_keyset"]}))
    second = verify_checkpoint(bytes.fromhex(given["second"]), keys=_keys({"keyset": given["second_keyset"]}))
    verify_growth(first, second, path=[bytes.fromhex(node) for node in given["path"]])
    return {"grew": second.size - first.size}


def _batch(given: dict[str, Any]) -> dict[str, Any]:
    """One receipt, checked against a keyset, and a batch of log proofs."""
    batch = BatchProof.parse(bytes.fromhex(given["batch"]))
    index = given["index"]
    return _prove({**given, "proof": batch.proof(index).to_bytes().hex()}) | {"proofs": len(batch.paths)}


def _consistency_proof(given: dict[str, Any]) -> dict[str, Any]:
    """Two checkpoints of one log and a consistency proof."""
    first, second = (verify_checkpoint(bytes.fromhex(given[name]), keys=_keys(given)) for name in ("first", "second"))
    ConsistencyProof.parse(bytes.fromhex(given["proof"])).verify(first, second)
    return {"grew": second.size - first.size}


def _records(given: dict[str, Any]) -> dict[str, Any]:
    """The whole records of a file, and how many bytes at its end belong to none."""
    found, cut = records(bytes.fromhex(given["file"]), limit=given["limit"])
    return {"records": [record.hex() for record in found], "cut": cut}


def _whole(given: dict[str, Any]) -> dict[str, Any]:
    """A whole log."""
    report = verify_log(
        [bytes.fromhex(leaf) for leaf in given["leaves"]],
        [bytes.fromhex(envelope) for envelope in given["checkpoints"]],
        keysets=[parse_keyset(bytes.fromhex(keyset)) for keyset in given["keysets"]],
        live=given["live"],
    )
    return {"leaves": report.leaves, "covered": report.covered, "root": report.root.hex(), "ending": report.ending.value}


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "log.root": _root,
    "log.inclusion": _inclusion,
    "log.consistency": _consistency,
    "log.append": _append,
    "log.provable": _provable,
    "log.checkpoint": _checkpoint,
    "log.prove": _prove,
    "log.growth": _growth,
    "log.prove_batch": _batch,
    "log.prove_growth": _consistency_proof,
    "log.records": _records,
    "log.whole": _whole,
}
