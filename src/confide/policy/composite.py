"""Several pieces of evidence in one document are one machine's, or none's (spec/07i-composite.md; DESIGN section 4).

1. Exactly one piece is the machine's own (`primary`). A TPM's quote beside a SEV-SNP report or a TDX quote stands with it, not for
   it.
2. A policy that names a TEE is never satisfied by a TPM alone: entries for both mean both.
3. A policy with an entry for NVIDIA demands a device; devices are numbered from 0 without gaps, differ, and are those that the
   keyset names, in order.
4. A quote's attestation key is the one that the keyset names, and where it names one there is a quote.

Left to others: what each piece must look like (`attest`), and that all are bound to the keyset (`bound`).
"""

from collections.abc import Sequence

from confide.attest.azure.claims import AzureClaims
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.evidence import Evidence, Kind
from confide.attest.keyset import Keyset
from confide.attest.nvidia.claims import NvidiaClaims
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.keyset import require_named
from confide.codes import Code
from confide.errors import EvidenceError, PolicyError
from confide.policy.model import Policy

TEES = frozenset({Kind.SNP, Kind.TDX})  # beside which a TPM's quote may stand


def primary(claims: Sequence[Claims], *, checks: Checks) -> Claims:
    """Rule 1; the claims of the machine itself.

    Raises:
        EvidenceError: `verdict.composite`.
    """
    own = [each for each in claims if each.kind is not Kind.NVIDIA]
    if len(own) == 2:
        tees = [each for each in own if each.kind in TEES]
        if len(tees) == 1 and any(each.kind is Kind.TPM for each in own):
            own = tees
    found = ", ".join(each.kind.value for each in claims)
    wanted = "one machine: a TEE, perhaps with a TPM and devices"
    if len(own) != 1:
        raise EvidenceError(Code.VERDICT_COMPOSITE, found=found, wanted=wanted)
    checks.require(True, Code.VERDICT_COMPOSITE, "pieces of evidence", found=found, wanted=wanted)
    return own[0]


def machine(claims: Sequence[Claims]) -> Claims:
    """The machine's own claims, among those that `primary` has accepted."""
    own = [each for each in claims if each.kind is not Kind.NVIDIA] or list(claims)
    return next((each for each in own if each.kind in TEES), own[0])


def wanted_pieces(policy: Policy, claims: Sequence[Claims], *, checks: Checks) -> None:
    """Rule 2, and the first half of 3: `policy.composite`."""
    listed, found = {entry.tee for entry in policy.accept}, {each.kind for each in claims}
    alone = Kind.TPM in found and not found & (listed - {Kind.TPM, Kind.NVIDIA}) and bool(listed - {Kind.TPM, Kind.NVIDIA})
    missing = [] if Kind.NVIDIA not in listed or Kind.NVIDIA in found else [Kind.NVIDIA.value]
    missing += ["a TEE beside the TPM"] if alone else []
    shown = ", ".join(sorted(kind.value for kind in found))
    wanted = ", ".join(missing) or "what the policy lists"
    checks.require(not missing, Code.POLICY_COMPOSITE, "evidence wanted", found=shown, wanted=wanted, error=PolicyError)


def named_keys(evidence: Sequence[Evidence], claims: Sequence[Claims], keyset: Keyset, *, checks: Checks) -> None:
    """The second half of rule 3, and rule 4: `verdict.devices`, `tpm.keyset`."""
    named, quotes = keyset.tpm_ak_spki_sha256, 0
    for each in claims:
        if isinstance(each, TpmClaims) or (isinstance(each, AzureClaims) and each.attest is not None):
            require_named(each.ak_spki_sha256, named=named, checks=checks)
            quotes += 1
    if named is not None and not quotes:  # whoever carries documents could take it out otherwise
        checks.require(False, Code.TPM_KEYSET, "quote of the TPM", found="none", wanted=f"one by {named.hex()}")
    pairs = zip(evidence, claims, strict=True)
    devices = sorted((part.index, each.leaf_key_sha256) for part, each in pairs if isinstance(each, NvidiaClaims))
    if not devices and not keyset.gpu_leaf_key_sha256:
        return
    numbers, keys = [index for index, _ in devices], tuple(key for _, key in devices)
    ok = numbers == list(range(len(devices))) and len(set(keys)) == len(keys) and keys == keyset.gpu_leaf_key_sha256
    found = f"numbers {', '.join(map(str, numbers)) or 'none'}, with {len(set(keys))} different keys"
    wanted = f"from 0 without gaps, the {len(keyset.gpu_leaf_key_sha256)} that the keyset names, in its order"
    checks.require(ok, Code.VERDICT_DEVICES, "devices", found=found, wanted=wanted)
