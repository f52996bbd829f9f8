"""The check of a receipt against a verified keyset and, where given, the exchange it is about (spec/09-receipt.md, "Checking").

Everything is recomputed; no field is believed because it is there. Steps, in this order:

 1. the envelope holds a receipt and an Ed25519 receipt key of the keyset signed it      `open_receipt`
 2. it is version 1 and well formed                                                      `statement.decode`
 3. it names this keyset, its software, and a time inside its window                     `_keyset`
 4. it names a channel key of the keyset; and this exchange's key and `enc`              `_channel`
 5. the model is one of those accepted                                                   `_model`
 6. the outcome is that of the answer                                                    `_outcome`
 7. the commitments are those of this request, response and parameters                   `_commitments`

The caller has verified the keyset: only then is an answer proven. Left to others: evidence and policy (`verify`), the log
(`proof`).
"""

import hashlib
import hmac
from collections.abc import Callable, Collection

from confide.attest.checks import Checks
from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import dsse
from confide.formats.fields import format_time
from confide.receipt import statement
from confide.receipt.commit import Hashed, Label, Salts, commit
from confide.receipt.issue import parameters_commitment
from confide.receipt.model import Receipt, Status


def check_receipt(
    envelope: bytes,
    *,
    keyset: Keyset,
    request: bytes | Hashed | None,
    response: bytes | Hashed | None,
    salts: Salts | None,
    enc: bytes | None,
    key_config: bytes | None,
    models: Collection[bytes] | None,
    succeeded: bool | None = None,
    checks: Checks | None = None,
) -> Receipt:
    """The receipt, after every check that the arguments allow; None leaves a check out, and `checks` then says so.

    Args:
        request, response: the exact bytes, or their hashes where they were streamed.
        models: the package digests that may have answered.
        succeeded: whether the answer's status is 2xx, so that an answer with a receipt of a failure is not called proven.

    Raises:
        ReceiptError: the first `receipt.*` code in the order of the steps above.
    """
    return check_steps(
        envelope,
        keyset=keyset,
        request=request,
        response=response,
        salts=salts,
        enc=enc,
        key_config=key_config,
        model=lambda receipt, checks: _model(receipt, models, checks=checks),
        succeeded=succeeded,
        checks=Checks() if checks is None else checks,
    )


def check_steps(
    envelope: bytes,
    *,
    keyset: Keyset,
    request: bytes | Hashed | None,
    response: bytes | Hashed | None,
    salts: Salts | None,
    enc: bytes | None,
    key_config: bytes | None,
    model: Callable[[Receipt, Checks], None],
    succeeded: bool | None,
    checks: Checks,
) -> Receipt:
    """Every step, with step 5 as given: a policy compares models by the name they were asked by (`verify`)."""
    receipt = open_receipt(envelope, signing_keys(keyset, dsse.SignatureAlgorithm.ED25519), checks=checks)
    _keyset(receipt, keyset, checks=checks)
    _channel(receipt, keyset, enc=enc, key_config=key_config, checks=checks)
    model(receipt, checks)
    _outcome(receipt, succeeded, checks=checks)
    _commitments(receipt, request=request, response=response, salts=salts, checks=checks)
    checks.conclude()
    return receipt


def signing_keys(keyset: Keyset, alg: dsse.SignatureAlgorithm) -> tuple[dsse.PublicKey, ...]:
    """The keyset's receipt keys of one algorithm."""
    return tuple(key for key in keyset.receipt_keys if key.alg is alg)


def open_receipt(envelope: bytes, keys: tuple[dsse.PublicKey, ...], *, checks: Checks) -> Receipt:
    """Steps 1 and 2. The payload is parsed only after a signature over it, by one of these Ed25519 keys, has verified."""
    try:
        payload, signer = dsse.verify(envelope, payload_type=statement.PAYLOAD_TYPE, keys=keys, limit=statement.MAX_RECEIPT)
    except dsse.DsseError as error:
        code = Code.RECEIPT_SIGNATURE if error.code is Code.DSSE_SIGNATURE else Code.RECEIPT_MALFORMED
        raise ReceiptError(code, found=error.found, wanted=error.wanted) from None
    checks.require(True, Code.RECEIPT_SIGNATURE, "receipt signature", found=signer.keyid, wanted="a receipt key of the keyset")
    return statement.decode(payload, signer=signer)


def check_keyset(receipt: Receipt, keyset: Keyset) -> None:
    """Steps 3 and 4 of an opened receipt, without its exchange: for leaves of a log (`whole`)."""
    _keyset(receipt, keyset, checks=Checks())
    _channel(receipt, keyset, enc=None, key_config=None, checks=Checks())


def _keyset(receipt: Receipt, keyset: Keyset, *, checks: Checks) -> None:
    """Step 3."""
    _equal(checks, Code.RECEIPT_KEYSET, "keyset digest", receipt.keyset_digest, keyset.digest)
    _equal(checks, Code.RECEIPT_SOFTWARE, "software digest", receipt.software_digest, keyset.software_digest)
    checks.require(
        keyset.not_before <= receipt.issued_at < keyset.not_after,
        Code.RECEIPT_TIME,
        "receipt time",
        found=format_time(receipt.issued_at),
        wanted=f"{format_time(keyset.not_before)} to {format_time(keyset.not_after)}",
        error=ReceiptError,
    )


def _channel(receipt: Receipt, keyset: Keyset, *, enc: bytes | None, key_config: bytes | None, checks: Checks) -> None:
    """Step 4. Every key the node opens requests with is in its keyset, so the digest is one of those even offline."""
    found = receipt.key_config_digest
    configs = [key.config for key in keyset.ohttp_keys] if key_config is None else [key_config]
    digests = [hashlib.sha256(config).digest() for config in configs]
    checks.require(
        found in digests,
        Code.RECEIPT_KEY_CONFIG,
        "channel key",
        found=found.hex(),
        wanted=", ".join(digest.hex() for digest in digests),
        error=ReceiptError,
    )
    if enc is None:
        checks.skip("sealed request", "its HPKE enc was not given, so the receipt is not tied to one ciphertext")
        return
    _equal(checks, Code.RECEIPT_ENC, "enc digest", receipt.enc_digest, hashlib.sha256(enc).digest())


def _model(receipt: Receipt, models: Collection[bytes] | None, *, checks: Checks) -> None:
    """Step 5. A refused request ran nothing, so its model is not compared."""
    if models is None:
        checks.skip("model digest", "no accepted package digests were given")
        return
    if receipt.outcome.status is Status.REFUSED:
        checks.skip("model digest", "the request was refused; nothing was run")
        return
    found = None if receipt.model is None else receipt.model.package
    checks.require(
        found in models,
        Code.RECEIPT_MODEL,
        "model digest",
        found="no model" if found is None else found.hex(),
        wanted=", ".join(sorted(digest.hex() for digest in models)[:4]) or "no model is accepted",
        error=ReceiptError,
    )


def _outcome(receipt: Receipt, succeeded: bool | None, *, checks: Checks) -> None:
    """Step 6."""
    if succeeded is None:
        checks.skip("outcome", "the answer's status was not given")
        return
    completed = receipt.outcome.status is Status.COMPLETED
    wanted = Status.COMPLETED.value if succeeded else "another than completed"
    found = str(receipt.outcome)
    checks.require(completed == succeeded, Code.RECEIPT_OUTCOME, "outcome", found=found, wanted=wanted, error=ReceiptError)


def _commitments(
    receipt: Receipt, *, request: bytes | Hashed | None, response: bytes | Hashed | None, salts: Salts | None, checks: Checks
) -> None:
    """Step 7."""
    if salts is None and not (request is None and response is None):
        raise ReceiptError(Code.RECEIPT_SALTS, found="no salts", wanted="the salts that came with the receipt")
    for data, label, code, found in (
        (request, Label.REQUEST, Code.RECEIPT_REQUEST, receipt.request_commitment),
        (response, Label.RESPONSE, Code.RECEIPT_RESPONSE, receipt.response_commitment),
    ):
        if data is None or salts is None:
            checks.skip(f"{label.value} commitment", f"the {label.value} was not given")
        else:
            salt = salts.request if label is Label.REQUEST else salts.response
            _equal(checks, code, f"{label.value} commitment", found, commit(salt, label, data))
    _parameters(receipt, salts, checks=checks)


def _parameters(receipt: Receipt, salts: Salts | None, *, checks: Checks) -> None:
    """Free-form parameters: a commitment without an opening is told, an opening without a commitment is false."""
    found, title = receipt.parameters_commitment, "parameters commitment"
    if salts is None:
        if found is not None:
            checks.skip(title, "the salts were not given")
        return
    wanted = parameters_commitment(salts)
    if found is not None or wanted is not None:
        _equal(checks, Code.RECEIPT_PARAMETERS, title, found or b"", wanted or b"")


def _equal(checks: Checks, code: Code, title: str, found: bytes, wanted: bytes) -> None:
    same = hmac.compare_digest(found, wanted)
    checks.require(same, code, title, found=found.hex() or "none", wanted=wanted.hex() or "none", error=ReceiptError)
