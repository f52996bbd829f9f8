"""Operations of vectors/09-receipt.json. Bytes are hex, JSON texts under test too; members that are absent are not given."""

from collections.abc import Callable
from typing import Any

from confide.attest.checks import Checks
from confide.attest.evidence import Kind, Root
from confide.attest.keyset import parse_keyset
from confide.formats import dsse
from confide.formats.fields import format_time, parse_time
from confide.policy.load import load_policy
from confide.receipt.check import check_receipt
from confide.receipt.commit import Salts, commit
from confide.receipt.deliver import from_trailers
from confide.receipt.model import EngineRef, ModelRef, Outcome, Receipt, Status
from confide.receipt.parameters import split
from confide.receipt.proof import LogProof
from confide.receipt.statement import encode
from confide.receipt.verify import verify_receipt


def optional(given: dict[str, Any], name: str) -> bytes | None:
    """The bytes of a member, or None when it is absent or null."""
    return None if given.get(name) is None else bytes.fromhex(given[name])


def hexed(value: bytes | None) -> str | None:
    """Hex, or null."""
    return None if value is None else value.hex()


def receipt_members(receipt: Receipt) -> dict[str, Any]:
    """A receipt as JSON."""
    model, engine = receipt.model, receipt.engine
    return {
        "keyset_digest": receipt.keyset_digest.hex(),
        "key_config_digest": receipt.key_config_digest.hex(),
        "enc_digest": receipt.enc_digest.hex(),
        "request_commitment": receipt.request_commitment.hex(),
        "response_commitment": receipt.response_commitment.hex(),
        "model": model
        and {"alias": model.alias, "package": model.package.hex(), "parts": {n: d.hex() for n, d in model.parts.items()}},
        "engine": {"name": engine.name, "version": engine.version, "digest": engine.digest.hex()},
        "software_digest": receipt.software_digest.hex(),
        "parameters": dict(receipt.parameters),
        "parameters_commitment": hexed(receipt.parameters_commitment),
        "outcome": {"status": receipt.outcome.status.value, "code": receipt.outcome.code},
        "log_index": receipt.log_index,
        "issued_at": format_time(receipt.issued_at),
        "signer": receipt.signer.keyid,
    }


def _commit(given: dict[str, Any]) -> dict[str, Any]:
    """confide-commit-v1 of `data` under `salt` and `label`."""
    return {"commitment": commit(bytes.fromhex(given["salt"]), given["label"], bytes.fromhex(given["data"])).hex()}


def _salts(given: dict[str, Any]) -> dict[str, Any]:
    """The salts in a JSON text."""
    salts = Salts.parse(bytes.fromhex(given["salts"]))
    return {
        "request": salts.request.hex(),
        "response": salts.response.hex(),
        "parameters": hexed(salts.parameters),
        "parameters_text": hexed(salts.parameters_text),
    }


def _trailers(given: dict[str, Any]) -> dict[str, Any]:
    """Envelope and salts out of trailer fields, given as pairs of text."""
    envelope, salts = from_trailers((name.encode(), value.encode()) for name, value in given["trailers"])
    return {"envelope": hexed(envelope), "salts": hexed(salts)}


def _parameters(given: dict[str, Any]) -> dict[str, Any]:
    """Which parameters stand in clear, and which other names there are (their JSON text is the node's choice of spelling)."""
    clear, text = split(given["parameters"])
    return {"clear": clear, "committed": sorted(set(given["parameters"]) - set(clear)), "commitment": text is not None}


def _statement(given: dict[str, Any]) -> dict[str, Any]:
    """The exact payload bytes that this implementation signs for these values."""
    outcome, model, engine = given["outcome"], given["model"], given["engine"]
    receipt = Receipt(
        **{name: bytes.fromhex(given[name]) for name in ("keyset_digest", "key_config_digest", "enc_digest", "software_digest")},
        **{name: bytes.fromhex(given[name]) for name in ("request_commitment", "response_commitment")},
        model=model
        and ModelRef(model["alias"], bytes.fromhex(model["package"]), {n: bytes.fromhex(d) for n, d in model["parts"].items()}),
        engine=EngineRef(engine["name"], engine["version"], bytes.fromhex(engine["digest"])),
        parameters=given["parameters"],
        parameters_commitment=optional(given, "parameters_commitment"),
        outcome=Outcome(Status(outcome["status"]), outcome["code"]),
        log_index=given["log_index"],
        issued_at=parse_time(given["issued_at"]),
        signer=dsse.PublicKey(dsse.SignatureAlgorithm.ED25519, bytes(32)),
    )
    return {"payload": encode(receipt).decode()}


def _check(given: dict[str, Any]) -> dict[str, Any]:
    """The check against a keyset that was verified elsewhere."""
    checks = Checks()
    salts = optional(given, "salts")
    receipt = check_receipt(
        bytes.fromhex(given["envelope"]),
        keyset=parse_keyset(bytes.fromhex(given["keyset"])),
        request=optional(given, "request"),
        response=optional(given, "response"),
        salts=None if salts is None else Salts.parse(salts),
        enc=optional(given, "enc"),
        key_config=optional(given, "key_config"),
        models=[bytes.fromhex(digest) for digest in given["models"]] if "models" in given else None,
        succeeded=given.get("succeeded"),
        checks=checks,
    )
    return {"receipt": receipt_members(receipt), "not_checked": [item.what for item in checks.not_checked]}


def _verify(given: dict[str, Any]) -> dict[str, Any]:
    """The offline judgement. Roots are given with the case; the false vendor's are marked simulated."""
    salts, proof = optional(given, "salts"), optional(given, "proof")
    verdict = verify_receipt(
        bytes.fromhex(given["envelope"]),
        bundle=bytes.fromhex(given["bundle"]),
        policy=load_policy(bytes.fromhex(given["policy"])),
        roots=tuple(_root(item) for item in given["roots"]),
        request=optional(given, "request"),
        response=optional(given, "response"),
        salts=None if salts is None else Salts.parse(salts),
        proof=None if proof is None else LogProof.parse(proof),
    )
    logged = None if verdict.checkpoint is None else verdict.checkpoint.size
    return {"receipt": receipt_members(verdict.receipt), "simulated": verdict.simulated, "logged": logged}


def _root(item: dict[str, Any]) -> Root:
    return Root(Kind(item["kind"]), item["name"], bytes.fromhex(item["der"]), simulated=item["simulated"])


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "receipt.commit": _commit,
    "receipt.salts": _salts,
    "receipt.trailers": _trailers,
    "receipt.parameters": _parameters,
    "receipt.statement": _statement,
    "receipt.check": _check,
    "receipt.verify": _verify,
}
