"""The receipt by itself: envelope, signature, statement (09-receipt.md, RCP-1 to RCP-8), its salts and its trailers.

Whether it fits a keyset and an exchange is `check`. What RCP-7 calls "their bounds" is nowhere given for the words in a statement
(alias, part names, engine, code); the patterns here are this program's reading and are marked as such.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.second.dsse import ED25519, KIB, Envelope, SigningKey, parse_envelope
from conformance.second.strict_json import MAX_INTEGER, NAME, Reader, Refused

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_ENVELOPE, MAX_PAYLOAD, MAX_SALTS, MAX_TEXT = 40 * KIB, 24 * KIB, 96 * KIB, 64 * KIB
SALT = 32
COMMITMENT = "confide-commit-v1"
LABELS = ("request", "response", "parameters")
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://confide.dev/receipt/v1"

# This program's reading, see the module.
_ENGINE = r"[ -~]{1,128}"
_CODE = r"[a-z0-9_]{1,32}\.[a-z0-9_]{1,64}"
_PARAMETER = r"[a-z][a-z0-9_]{0,63}"
# RCP-7: words of at most 32 of these.
_WORD = r"[A-Za-z0-9_.-]{1,32}"

_READ = Reader("receipt.malformed")
_SALTS = Reader("receipt.salts")
_PREDICATE = ("keyset_digest", "key_config_digest", "enc_digest", "model", "engine", "software_digest", "parameters", "outcome")


@dataclass(frozen=True)
class Receipt:
    """A signed statement of the right form."""

    keyset_digest: bytes
    key_config_digest: bytes
    enc_digest: bytes
    commitments: dict[str, bytes]
    model: dict[str, object] | None
    engine: dict[str, object]
    software_digest: bytes
    parameters: dict[str, object]
    status: str
    code: str
    log_index: int
    issued_at: str
    signer: SigningKey


@dataclass(frozen=True)
class Salts:
    """RCP-2: a salt per label, and the text of the committed parameters."""

    salts: dict[str, bytes]
    text: bytes | None


def commit(label: str, salt: bytes, data: bytes) -> bytes:
    """RCP-1."""
    if len(salt) != SALT:
        _SALTS.refuse(f"a salt of {len(salt)} bytes")
    return hmac.digest(salt, label.encode("ascii") + b"\0" + hashlib.sha256(data).digest(), "sha256")


def parse_salts(data: bytes) -> Salts:
    """RCP-2. Whether `parameters` belongs there is known only beside the receipt (RCP-17)."""
    members = _SALTS.versioned(_SALTS.json(data, MAX_SALTS), _SALTS.code)
    _SALTS.members(members, {"version", "request", "response"}, {"parameters"})
    salts = {label: _salt(members[label]) for label in ("request", "response")}
    if "parameters" not in members:
        return Salts(salts, None)
    parameters = _SALTS.members(members["parameters"], {"salt", "text"})
    return Salts({**salts, "parameters": _salt(parameters["salt"])}, _SALTS.base64(parameters["text"], MAX_TEXT))


def _salt(value: object) -> bytes:
    salt = _SALTS.base64(value, SALT)
    if len(salt) != SALT:
        _SALTS.refuse(f"a salt of {len(salt)} bytes")
    return salt


def from_trailers(trailers: Sequence[tuple[str, str]]) -> tuple[bytes | None, bytes | None]:
    """RCP-3: the envelope and the salts, where the trailers of the inner response hold them."""
    return _trailer(trailers, "confide-receipt", MAX_ENVELOPE, _READ), _trailer(trailers, "confide-salts", MAX_SALTS, _SALTS)


def _trailer(trailers: Sequence[tuple[str, str]], name: str, limit: int, reader: Reader) -> bytes | None:
    values = [value for field, value in trailers if field == name]
    if len(values) > 1:
        reader.refuse(f"{name} occurs {len(values)} times")
    return reader.base64(values[0], limit) if values else None


def parse_receipt(data: bytes, keys: Sequence[SigningKey]) -> Receipt:
    """RCP-4 (envelope), RCP-5, RCP-4 (payload), RCP-6, RCP-7 and RCP-8, in this order."""
    envelope = parse_envelope(data, limit=MAX_ENVELOPE, payload_type=PAYLOAD_TYPE, reader=_READ)
    signer = _signer(envelope, keys)
    statement = _READ.json(envelope.payload, MAX_PAYLOAD)
    _check_version(statement)
    members = _READ.members(statement, {"_type", "subject", "predicateType", "predicate"})
    names = {*_PREDICATE, "log_index", "issued_at"}
    predicate = _READ.members(members["predicate"], names, {"parameters_commitment"})
    commitments = _subjects(members["subject"])
    if "parameters_commitment" in predicate:
        commitments["parameters"] = _READ.digest(predicate["parameters_commitment"])
    status, code = _outcome(predicate["outcome"])
    return Receipt(
        keyset_digest=_READ.digest(predicate["keyset_digest"]),
        key_config_digest=_READ.digest(predicate["key_config_digest"]),
        enc_digest=_READ.digest(predicate["enc_digest"]),
        commitments=commitments,
        model=_model(predicate["model"]),
        engine=_engine(predicate["engine"]),
        software_digest=_READ.digest(predicate["software_digest"]),
        parameters=_parameters(predicate["parameters"]),
        status=status,
        code=code,
        log_index=_READ.integer(predicate["log_index"]),
        issued_at=_READ.time(predicate["issued_at"]),
        signer=signer,
    )


def _signer(envelope: Envelope, keys: Sequence[SigningKey]) -> SigningKey:
    signer = envelope.signed_by(key for key in keys if key.alg == ED25519)
    if signer is None:
        raise Refused("receipt.signature", "no Ed25519 key of the keyset")
    return signer


def _check_version(statement: object) -> None:
    """RCP-6: other strings are another version, whatever else there is; no string is no receipt."""
    if not isinstance(statement, dict):
        _READ.refuse("no object")
    named = (statement.get("_type"), statement.get("predicateType"))
    known = (STATEMENT_TYPE, PREDICATE_TYPE)
    if any(isinstance(found, str) and found != wanted for found, wanted in zip(named, known, strict=True)):
        raise Refused("receipt.version", str(named))
    if named != known:
        _READ.refuse(f"types {named}")


def _subjects(value: object) -> dict[str, bytes]:
    commitments = {}
    for label, item in zip(("request", "response"), _READ.array(value, 2, 2), strict=True):
        subject = _READ.members(item, {"name", "digest"})
        _READ.text(subject["name"], label)
        commitments[label] = _READ.digest(_READ.members(subject["digest"], {COMMITMENT})[COMMITMENT])
    return commitments


def _model(value: object) -> dict[str, object] | None:
    if value is None:
        return None
    model = _READ.members(value, {"alias", "package", "parts"})
    _READ.text(model["alias"], NAME)
    _READ.digest(model["package"])
    for digest in _READ.table(model["parts"], 64, NAME).values():
        _READ.digest(digest)
    return model


def _engine(value: object) -> dict[str, object]:
    engine = _READ.members(value, {"name", "version", "digest"})
    for name in ("name", "version"):
        _READ.text(engine[name], _ENGINE)
    _READ.digest(engine["digest"])
    return engine


def _parameters(value: object) -> dict[str, object]:
    parameters = _READ.table(value, 32, _PARAMETER)
    for scalar in parameters.values():
        if isinstance(scalar, (bool, int, float)):
            if abs(scalar) > MAX_INTEGER:
                _READ.refuse("a number beyond 2^53 - 1")
        else:
            _READ.text(scalar, _WORD)
    return parameters


def _outcome(value: object) -> tuple[str, str]:
    """The status and, exactly unless it is `completed`, the code (RCP-8)."""
    outcome = _READ.members(value, {"status"}, {"code"})
    status = _READ.text(outcome["status"], "completed|refused|failed|aborted")
    if ("code" in outcome) == (status == "completed"):
        _READ.refuse("a code beside completed, or none beside another status")
    return status, _READ.text(outcome["code"], _CODE) if "code" in outcome else ""
