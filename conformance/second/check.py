"""A receipt against a keyset and an exchange (09-receipt.md, "Checking": RCP-10 to RCP-17).

The keyset is believed here; whether evidence proves it is for others. `hold_to_keyset` is the part that a whole log needs of each
of its leaves (LOG-17), `check_receipt` is all of it and tells what was not given and so not checked.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass

from conformance.second.keyset import Keyset
from conformance.second.receipt import Receipt, Salts, commit, parse_receipt, parse_salts
from conformance.second.strict_json import Refused


@dataclass(frozen=True)
class Exchange:
    """What the caller knows of the exchange; None is not at hand."""

    key_config: bytes | None = None
    enc: bytes | None = None
    models: Collection[bytes] | None = None
    succeeded: bool | None = None
    request: bytes | None = None
    response: bytes | None = None
    salts: bytes | None = None


@dataclass(frozen=True)
class Checked:
    """A receipt that holds, and what of it nobody looked at."""

    receipt: Receipt
    not_checked: tuple[str, ...]


def check_receipt(envelope: bytes, keyset: Keyset, exchange: Exchange) -> Checked:
    """RCP-4 to RCP-8 and then RCP-10 to RCP-17, in this order; the first failure counts."""
    receipt = parse_receipt(envelope, keyset.receipt_keys)
    hold_to_keyset(receipt, keyset, exchange.key_config)
    _check_enc(receipt, exchange.enc)
    _check_model(receipt, exchange.models)
    _check_outcome(receipt, exchange.succeeded)
    _check_commitments(receipt, exchange)
    return Checked(receipt, _not_checked(receipt, exchange))


def hold_to_keyset(receipt: Receipt, keyset: Keyset, key_config: bytes | None = None) -> None:
    """RCP-10 to RCP-13."""
    if receipt.keyset_digest != keyset.digest:
        raise Refused("receipt.keyset", receipt.keyset_digest.hex())
    if receipt.software_digest != keyset.software_digest:
        raise Refused("receipt.software", receipt.software_digest.hex())
    if not keyset.not_before <= receipt.issued_at < keyset.not_after:
        raise Refused("receipt.time", receipt.issued_at)
    configs = keyset.key_configs if key_config is None else (key_config,)
    if receipt.key_config_digest not in [hashlib.sha256(config).digest() for config in configs]:
        raise Refused("receipt.key_config", receipt.key_config_digest.hex())


def _check_enc(receipt: Receipt, enc: bytes | None) -> None:
    """RCP-14."""
    if enc is not None and receipt.enc_digest != hashlib.sha256(enc).digest():
        raise Refused("receipt.enc", receipt.enc_digest.hex())


def _check_model(receipt: Receipt, models: Collection[bytes] | None) -> None:
    """RCP-15. Nothing ran where it was refused, so no model is held against it."""
    if models is None or receipt.status == "refused":
        return
    package = receipt.model["package"] if receipt.model else None
    if package not in [model.hex() for model in models]:
        raise Refused("receipt.model", str(package))


def _check_outcome(receipt: Receipt, succeeded: bool | None) -> None:
    """RCP-16; `succeeded` says that the answer's status is 2xx."""
    if succeeded is not None and succeeded != (receipt.status == "completed"):
        raise Refused("receipt.outcome", receipt.status)


def _check_commitments(receipt: Receipt, exchange: Exchange) -> None:
    """RCP-17."""
    if exchange.salts is None:
        if exchange.request is not None or exchange.response is not None:
            raise Refused("receipt.salts", "none given")
        return
    salts = parse_salts(exchange.salts)
    for label, data in (("request", exchange.request), ("response", exchange.response)):
        if data is not None:
            _check_commitment(receipt, salts, label, data)
    if ("parameters" in receipt.commitments) != (salts.text is not None):
        raise Refused("receipt.parameters", "committed to and not opened, or the reverse")
    if salts.text is not None:
        _check_commitment(receipt, salts, "parameters", salts.text)


def _check_commitment(receipt: Receipt, salts: Salts, label: str, data: bytes) -> None:
    if not hmac.compare_digest(commit(label, salts.salts[label], data), receipt.commitments[label]):
        raise Refused(f"receipt.{label}", "another commitment")


def _not_checked(receipt: Receipt, exchange: Exchange) -> tuple[str, ...]:
    """The last sentence of "Checking". Its words are in no page; these are the words of the vectors."""
    missing = {
        "sealed request": exchange.enc is None,
        "model digest": exchange.models is None or receipt.status == "refused",
        "outcome": exchange.succeeded is None,
        "request commitment": exchange.request is None,
        "response commitment": exchange.response is None,
        "parameters commitment": "parameters" in receipt.commitments and exchange.salts is None,
    }
    return tuple(name for name, absent in missing.items() if absent)


def describe(receipt: Receipt) -> dict[str, object]:
    """The receipt as the vectors show it."""
    parameters = receipt.commitments.get("parameters")
    return {
        "keyset_digest": receipt.keyset_digest.hex(),
        "key_config_digest": receipt.key_config_digest.hex(),
        "enc_digest": receipt.enc_digest.hex(),
        "request_commitment": receipt.commitments["request"].hex(),
        "response_commitment": receipt.commitments["response"].hex(),
        "model": receipt.model,
        "engine": receipt.engine,
        "software_digest": receipt.software_digest.hex(),
        "parameters": receipt.parameters,
        "parameters_commitment": parameters.hex() if parameters else None,
        "outcome": {"status": receipt.status, "code": receipt.code},
        "log_index": receipt.log_index,
        "issued_at": receipt.issued_at,
        "signer": receipt.signer.keyid.hex(),
    }
