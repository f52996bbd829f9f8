"""Signing a receipt: on the path of every request, so each field is hashed once and the JSON is written once.

The caller gives the bytes that the enclave opened and will seal, never a header or a digest made elsewhere. Left to others: where
the receipt goes (`deliver`), the log (`log`), and which key is the boot's receipt key (`guest`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from confide.formats import dsse
from confide.receipt.commit import Hashed, Label, Salts, commit, new_salts
from confide.receipt.model import EngineLike, EngineRef, ModelRef, Outcome, Receipt
from confide.receipt.parameters import split
from confide.receipt.statement import PAYLOAD_TYPE, encode


@dataclass(frozen=True)
class Issued:
    """A signed receipt and the salts that open it. The salts are content."""

    envelope: bytes = field(repr=False)
    salts: Salts = field(repr=False)


def issue(
    *,
    key: dsse.SigningKey,
    keyset_digest: bytes,
    key_config: bytes,
    enc: bytes,
    request: bytes | Hashed,
    response: bytes | Hashed,
    model: ModelRef | None,
    engine: EngineLike,
    software_digest: bytes,
    parameters: Mapping[str, Any],
    outcome: Outcome,
    log_index: int,
    issued_at: datetime,
) -> Issued:
    """Commit, serialise, sign (spec/09-receipt.md).

    `request` is the inner binary HTTP message as opened, `response` its answer through the content (before trailers and padding);
    of messages that were streamed only their hashes are left.
    `parameters` are all of the request's own: those that may stand in clear do, the rest is committed to.
    """
    clear, text = split(parameters)
    for_request, for_response, for_parameters = new_salts()
    salts = Salts(for_request, for_response, None if text is None else for_parameters, text)
    receipt = Receipt(
        keyset_digest=keyset_digest,
        key_config_digest=_config_digest(key_config),
        enc_digest=hashlib.sha256(enc).digest(),
        request_commitment=commit(salts.request, Label.REQUEST, request),
        response_commitment=commit(salts.response, Label.RESPONSE, response),
        model=model,
        engine=EngineRef(engine.name, engine.version, engine.digest),
        software_digest=software_digest,
        parameters=clear,
        parameters_commitment=parameters_commitment(salts),
        outcome=outcome,
        log_index=log_index,
        issued_at=issued_at,
        signer=key.public,
    )
    return Issued(sign_receipt(receipt, key=key), salts)


@lru_cache(maxsize=16)
def _config_digest(key_config: bytes) -> bytes:
    """A boot has two key configurations, and they are public."""
    return hashlib.sha256(key_config).digest()


def sign_receipt(receipt: Receipt, *, key: dsse.SigningKey) -> bytes:
    """The envelope over a receipt, signed with the boot's Ed25519 key."""
    return dsse.sign(encode(receipt), payload_type=PAYLOAD_TYPE, keys=(key,))


def parameters_commitment(salts: Salts) -> bytes | None:
    """The commitment to the free-form parameters that these salts open, if there are any."""
    if salts.parameters is None or salts.parameters_text is None:
        return None
    return commit(salts.parameters, Label.PARAMETERS, salts.parameters_text)
