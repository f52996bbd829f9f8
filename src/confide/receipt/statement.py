"""The signed bytes of a receipt: an in-toto Statement v1 with our predicate, to and from JSON (spec/09-receipt.md).

in-toto attestation framework, Statement v1: `_type`, `subject` (name and digest set), `predicateType`, `predicate`. The same
structs write and read, so a member cannot be in one and not in the other. Left to others: signatures (`issue`, `check`).
"""

from types import MappingProxyType
from typing import Annotated

import msgspec

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import dsse, strictjson
from confide.formats.fields import Count, Hex32, Line, Name, format_time, parse_time
from confide.receipt.commit import ALGORITHM
from confide.receipt.model import MAX_PARTS, EngineRef, ModelRef, Outcome, Receipt, Status

PAYLOAD_TYPE = "application/vnd.in-toto+json"  # in-toto attestation framework, envelope layer
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://confide.dev/receipt/v1"  # a name; nothing is fetched from it
MAX_PAYLOAD = 24 << 10  # bytes; 64 parts with the longest names are 14 KiB
MAX_RECEIPT = 40 << 10  # bytes of the envelope: the payload in base 64 and a few signatures

Word = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_.-]{1,32}\Z")]
ParameterName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_]{0,31}\Z")]
OutcomeCode = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9_]{1,32}\.[a-z0-9_]{1,64}\Z")]
ClearScalar = bool | int | float | Word


class DigestSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"commitment": ALGORITHM}):
    """A digest set with the one algorithm of receipts."""

    commitment: Hex32


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the statement is about: `request`, then `response`."""

    name: str
    digest: DigestSet


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model that ran."""

    alias: Name
    package: Hex32
    parts: Annotated[dict[Name, Hex32], msgspec.Meta(max_length=MAX_PARTS)]


class Engine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The engine that ran it."""

    name: Name
    version: Line
    digest: Hex32


class OutcomeMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How it ended."""

    status: Status
    code: OutcomeCode | msgspec.UnsetType = msgspec.UNSET


class Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Everything that is not a subject."""

    keyset_digest: Hex32
    key_config_digest: Hex32
    enc_digest: Hex32
    model: Model | None
    engine: Engine
    software_digest: Hex32
    parameters: Annotated[dict[ParameterName, ClearScalar], msgspec.Meta(max_length=32)]
    parameters_commitment: Hex32 | msgspec.UnsetType = msgspec.UNSET
    outcome: OutcomeMember
    log_index: Count
    issued_at: str


class Statement(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"type_": "_type", "predicate_type": "predicateType"}
):
    """The whole payload."""

    type_: str
    subject: list[Subject]
    predicate_type: str
    predicate: Predicate


def encode(receipt: Receipt) -> bytes:
    """The payload bytes. Called once per receipt; everybody else carries and hashes these bytes."""
    return msgspec.json.encode(
        Statement(
            type_=STATEMENT_TYPE,
            subject=[_subject("request", receipt.request_commitment), _subject("response", receipt.response_commitment)],
            predicate_type=PREDICATE_TYPE,
            predicate=_predicate(receipt),
        )
    )


def decode(payload: bytes, *, signer: dsse.PublicKey) -> Receipt:
    """Parse the payload of an envelope that `signer` signed.

    Raises:
        ReceiptError: `receipt.version` when it is a statement of another kind, `receipt.malformed` when it is none of ours.
    """
    try:
        value = strictjson.loads(payload, limit=MAX_PAYLOAD)
        _require_version(value)
        statement = strictjson.convert(value, Statement)
        if [subject.name for subject in statement.subject] != ["request", "response"]:
            raise ReceiptError(Code.RECEIPT_MALFORMED, found=f"{len(statement.subject)} subjects", wanted="request and response")
        return _receipt(statement, signer)
    except strictjson.JsonError as error:
        raise ReceiptError(Code.RECEIPT_MALFORMED, found=f"{error.code.value} {error.found}".strip(), wanted="a receipt") from None


def _require_version(value: object) -> None:
    """Both types come first: a later version may differ in everything else."""
    members = value if isinstance(value, dict) else {}
    found = [item for item in (members.get("_type"), members.get("predicateType")) if isinstance(item, str)]
    if len(found) != 2:
        raise ReceiptError(Code.RECEIPT_MALFORMED, found="no types", wanted="an in-toto statement")
    if found != [STATEMENT_TYPE, PREDICATE_TYPE]:
        raise ReceiptError(Code.RECEIPT_VERSION, found=ascii(" ".join(found))[:160], wanted=f"{STATEMENT_TYPE} {PREDICATE_TYPE}")


def _subject(name: str, commitment: bytes) -> Subject:
    return Subject(name, DigestSet(commitment.hex()))


def _predicate(receipt: Receipt) -> Predicate:
    model, engine, outcome, rest = receipt.model, receipt.engine, receipt.outcome, receipt.parameters_commitment
    return Predicate(
        keyset_digest=receipt.keyset_digest.hex(),
        key_config_digest=receipt.key_config_digest.hex(),
        enc_digest=receipt.enc_digest.hex(),
        model=None if model is None else Model(model.alias, model.package.hex(), {n: d.hex() for n, d in model.parts.items()}),
        engine=Engine(engine.name, engine.version, engine.digest.hex()),
        software_digest=receipt.software_digest.hex(),
        parameters=dict(receipt.parameters),
        parameters_commitment=msgspec.UNSET if rest is None else rest.hex(),
        outcome=OutcomeMember(outcome.status, outcome.code or msgspec.UNSET),
        log_index=receipt.log_index,
        issued_at=format_time(receipt.issued_at),
    )


def _receipt(statement: Statement, signer: dsse.PublicKey) -> Receipt:
    predicate, outcome, rest = statement.predicate, statement.predicate.outcome, statement.predicate.parameters_commitment
    return Receipt(
        keyset_digest=bytes.fromhex(predicate.keyset_digest),
        key_config_digest=bytes.fromhex(predicate.key_config_digest),
        enc_digest=bytes.fromhex(predicate.enc_digest),
        request_commitment=bytes.fromhex(statement.subject[0].digest.commitment),
        response_commitment=bytes.fromhex(statement.subject[1].digest.commitment),
        model=None if predicate.model is None else _model(predicate.model),
        engine=EngineRef(predicate.engine.name, predicate.engine.version, bytes.fromhex(predicate.engine.digest)),
        software_digest=bytes.fromhex(predicate.software_digest),
        parameters=MappingProxyType(predicate.parameters),
        parameters_commitment=None if rest is msgspec.UNSET else bytes.fromhex(rest),
        outcome=_outcome(outcome),
        log_index=predicate.log_index,
        issued_at=parse_time(predicate.issued_at),
        signer=signer,
    )


def _model(model: Model) -> ModelRef:
    parts = {name: bytes.fromhex(digest) for name, digest in model.parts.items()}
    return ModelRef(model.alias, bytes.fromhex(model.package), parts)


def _outcome(member: OutcomeMember) -> Outcome:
    code = "" if member.code is msgspec.UNSET else member.code
    if (member.status is Status.COMPLETED) == bool(code):
        raise ReceiptError(Code.RECEIPT_MALFORMED, found=f"outcome {member.status.value}", wanted="a code, unless completed")
    return Outcome(member.status, code)
