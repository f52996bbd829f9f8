"""The offline judgement of a saved receipt: receipt, bundle and policy, nothing else (DESIGN section 6, spec/09-receipt.md).

 1. the bundle is read; its keyset is the receipt's, and signed it                        `check`
 2. the model is one that the policy accepts under the name it was asked by              `_accepted`
 3. given request, response and salts, every commitment is recomputed                    `check`
 4. the bundle's evidence satisfies the policy as of the receipt's time                  `policy.verify_as_of`
 5. given a log proof, the receipt is in the boot's log                                  `proof`

The receipt's own time decides which certificates and revocation lists count, and the node asserts it: the verdict says so. Left to
others: time stamps and witnesses on checkpoints (a later issue), words for people (`cli`).
"""

from dataclasses import dataclass
from datetime import datetime

from confide.attest.checks import Check, Checks, NotChecked, Relaxation
from confide.attest.document import parse_document
from confide.attest.evidence import Roots
from confide.codes import Code
from confide.errors import ReceiptError
from confide.policy.model import Policy
from confide.policy.verdict import HistoricVerdict
from confide.policy.verify import verify_as_of
from confide.receipt.check import check_steps
from confide.receipt.checkpoint import Checkpoint
from confide.receipt.commit import Salts
from confide.receipt.model import Receipt, Status
from confide.receipt.proof import LogProof, verify_proof


@dataclass(frozen=True)
class ReceiptVerdict:
    """What a receipt proves.

    Attributes:
        receipt: what the node signed.
        node: the verdict about the node as of the receipt's time; its keyset holds the signer.
        checkpoint: the log head that covers the receipt, where a proof was given.
        checks, not_checked, relaxations: of the receipt and of the node together.
    """

    receipt: Receipt
    node: HistoricVerdict
    checkpoint: Checkpoint | None
    checks: tuple[Check, ...]
    not_checked: tuple[NotChecked, ...]
    relaxations: tuple[Relaxation, ...]

    @property
    def simulated(self) -> bool:
        """The evidence is by a false vendor and proves nothing."""
        return self.node.simulated

    @property
    def complete(self) -> bool:
        """An ML-DSA-65 signature covers the receipt, through its log: also against a quantum computer."""
        return self.checkpoint is not None

    @property
    def at(self) -> datetime:
        """The time the verdict is about, asserted by the node."""
        return self.receipt.issued_at


def verify_receipt(
    envelope: bytes,
    *,
    bundle: bytes,
    policy: Policy,
    roots: Roots,
    request: bytes | None = None,
    response: bytes | None = None,
    salts: Salts | None = None,
    proof: LogProof | None = None,
) -> ReceiptVerdict:
    """Judge a receipt as of its own time.

    Args:
        bundle: the evidence document saved with the receipt, or any other of the same keyset.
        request, response, salts: what the receipt commits to, and what opens the commitments.

    Raises:
        ConfideError: the first check that fails: of the receipt, of the bundle, or of the log.
    """
    checks = Checks()
    keyset = parse_document(bundle).keyset
    receipt = check_steps(
        envelope,
        keyset=keyset,
        request=request,
        response=response,
        salts=salts,
        enc=None,
        key_config=None,
        model=lambda receipt, checks: _accepted(receipt, policy, checks=checks),
        succeeded=None,
        checks=checks,
    )
    node = verify_as_of(bundle, policy, at=receipt.issued_at, roots=roots)
    checkpoint = _logged(proof, envelope, receipt, node, required=policy.require.log_proof, checks=checks)
    checks.skip("receipt time", "asserted by the node, whose host owns the clock; no time stamp was given")
    return ReceiptVerdict(
        receipt=receipt,
        node=node,
        checkpoint=checkpoint,
        checks=(*checks.done, *node.checks),
        not_checked=(*checks.not_checked, *node.not_checked),
        relaxations=(*checks.relaxations, *node.relaxations),
    )


def _accepted(receipt: Receipt, policy: Policy, *, checks: Checks) -> None:
    """Step 2. An alias is only the name it was asked by: its digest must be one that the policy lists under it."""
    model = receipt.model
    if model is None or receipt.outcome.status is Status.REFUSED:
        checks.skip("model digest", "no model was run")
        return
    allowed = policy.models.get(model.alias, ())
    checks.require(
        model.package in allowed,
        Code.RECEIPT_MODEL,
        "model digest",
        found=f"{model.alias} {model.package.hex()}",
        wanted=" or ".join(digest.hex() for digest in allowed) or f"a policy with a model {model.alias}",
        error=ReceiptError,
    )


def _logged(
    proof: LogProof | None, envelope: bytes, receipt: Receipt, node: HistoricVerdict, *, required: bool, checks: Checks
) -> Checkpoint | None:
    """Step 5."""
    if proof is None and required:
        hint = "complete it while the node, or another on its log directory, runs: confide receipt complete"
        raise ReceiptError(Code.RECEIPT_LOG_REQUIRED, found="no log proof", wanted="one, as the policy demands", hint=hint)
    if proof is None:
        checks.skip("log inclusion", "no log proof was given; the receipt stands on its Ed25519 signature alone")
        return None
    checkpoint = verify_proof(proof, envelope=envelope, receipt=receipt, keys=node.keyset.receipt_keys)
    found = f"leaf {receipt.log_index} of {checkpoint.size}"
    checks.require(True, Code.LOG_INCLUSION, "log inclusion", found=found, wanted="a leaf under a checkpoint of this boot")
    return checkpoint
