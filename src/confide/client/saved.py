"""Answers saved by `Answer.save`, found again and judged: a folder, or files named one by one. Offline.

Left to others: the judgement (`receipt.verify`).
"""

from dataclasses import dataclass, field
from pathlib import Path

from confide.attest.document import parse_document
from confide.client.completion import Provable
from confide.client.files import read_file
from confide.client.roots import roots_for
from confide.client.source import BUNDLE
from confide.codes import Code
from confide.errors import MisuseError
from confide.policy.model import Policy
from confide.receipt.check import check_receipt
from confide.receipt.commit import MAX_SALTS, Salts
from confide.receipt.proof import MAX_PROOF, LogProof
from confide.receipt.statement import MAX_RECEIPT
from confide.receipt.verify import ReceiptVerdict, verify_receipt

MAX_BUNDLE = 1 << 20  # bytes, as attest.document reads
MAX_MESSAGE = 64 << 20  # bytes, as seal reads

RECEIPT, REQUEST, RESPONSE, SALTS = "receipt.json", "request.bhttp", "response.bhttp", "salts.json"
PROOF = "proof.json"


@dataclass(frozen=True)
class Saved:
    """What is needed to judge one receipt. Request, response and salts are content."""

    receipt: bytes
    bundle: bytes
    request: bytes | None = field(default=None, repr=False)
    response: bytes | None = field(default=None, repr=False)
    salts: bytes | None = field(default=None, repr=False)
    proof: bytes | None = field(default=None, repr=False)


def find(
    receipt: Path,
    *,
    bundle: Path | None = None,
    request: Path | None = None,
    response: Path | None = None,
    salts: Path | None = None,
    proof: Path | None = None,
) -> Saved:
    """Read the files; where `receipt` is a folder, those that are not named are looked for in it.

    Raises:
        MisuseError: `client.file`, or `client.input` when there is no bundle.
    """
    folder = receipt if receipt.is_dir() else None

    def there(name: str, given: Path | None) -> Path | None:
        beside = folder / name if folder else None
        return given or (beside if beside is not None and beside.exists() else None)

    bundle_path = there(BUNDLE, bundle)
    if bundle_path is None:
        hint = "a receipt says which node signed it; the bundle proves that node: --bundle FILE"
        raise MisuseError(Code.CLIENT_INPUT, found="no bundle", wanted="the node's evidence", hint=hint)
    return Saved(
        receipt=read_file(folder / RECEIPT if folder else receipt, limit=MAX_RECEIPT),
        bundle=read_file(bundle_path, limit=MAX_BUNDLE),
        request=_read(there(REQUEST, request), MAX_MESSAGE),
        response=_read(there(RESPONSE, response), MAX_MESSAGE),
        salts=_read(there(SALTS, salts), MAX_SALTS),
        proof=_read(there(PROOF, proof), MAX_PROOF),
    )


def verify(saved: Saved, policy: Policy) -> ReceiptVerdict:
    """The verdict about a saved receipt, as of its own time (`verify_receipt`)."""
    return verify_receipt(
        saved.receipt,
        bundle=saved.bundle,
        policy=policy,
        roots=roots_for(policy),
        request=saved.request,
        response=saved.response,
        salts=None if saved.salts is None else Salts.parse(saved.salts),
        proof=None if saved.proof is None else LogProof.parse(saved.proof),
    )


def provable_of(saved: Saved) -> Provable:
    """A saved receipt as `complete_flow` takes it: checked against its bundle's keyset, which the policy has yet to judge."""
    keyset = parse_document(saved.bundle).keyset
    salts = None if saved.salts is None else Salts.parse(saved.salts)
    receipt = check_receipt(
        saved.receipt,
        keyset=keyset,
        request=saved.request,
        response=saved.response,
        salts=salts,
        enc=None,
        key_config=None,
        models=None,
    )
    return Provable(saved.receipt, receipt, keyset)


def _read(path: Path | None, limit: int) -> bytes | None:
    return None if path is None else read_file(path, limit=limit)
