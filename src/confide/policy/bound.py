"""Is the evidence about these keys, now, and for this caller? (spec/07-verify.md, step 5; spec/03-binding.md)

Left to others: how nonces and keysets are combined (`attest.binding`, `attest.document`), and whether the evidence is genuine.
"""

from datetime import datetime

from confide.attest.binding import NO_NONCES, NONCE_SIZE, carried_by, gpu_nonce, require_binding
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.document import DEVICE_KINDS, Document, check_nonce
from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.errors import MisuseError
from confide.formats.fields import format_time
from confide.policy.verdict import Unbound


def require_form(nonce: bytes | Unbound) -> None:
    """A caller's nonce is 32 bytes, and not the 32 zero bytes of a forgotten variable (`verdict.nonce_form`)."""
    if not isinstance(nonce, Unbound) and (len(nonce) != NONCE_SIZE or nonce == NO_NONCES):
        wanted = f"{NONCE_SIZE} random bytes, or Unbound(reason)"
        raise MisuseError(Code.VERDICT_NONCE_FORM, found=f"{len(nonce)} bytes", wanted=wanted)


def to_keyset(document: Document, claims: Claims, *, index: int, checks: Checks) -> None:
    """The hardware signed exactly this keyset and this nonce root; `index` says which of several devices it is."""
    if claims.kind in DEVICE_KINDS:
        expected = gpu_nonce(nonces=document.nonces, keyset=document.keyset.raw, index=index)
    else:
        expected = carried_by(claims.kind, document.binding)
    require_binding(claims.report_data, expected=expected, size=len(expected), checks=checks)


def to_nonce(document: Document, nonce: bytes | Unbound, *, checks: Checks) -> None:
    """The caller's nonce is among those that the evidence was made for."""
    if isinstance(nonce, Unbound):
        checks.skip("freshness", f"{nonce.reason}: the evidence may be as old as its keys and certificates allow")
    else:
        check_nonce(document, nonce, checks)


def in_window(keyset: Keyset, *, now: datetime, checks: Checks) -> None:
    """The keyset is valid: not_before <= now < not_after."""
    found, begins, ends = format_time(now), format_time(keyset.not_before), format_time(keyset.not_after)
    begun, over = keyset.not_before <= now, now >= keyset.not_after
    checks.require(
        begun,
        Code.VERDICT_KEYSET_EARLY,
        "beginning of the keyset",
        found=found,
        wanted=f"at or after {begins}",
        hint="compare this machine's clock with the node's",
    )
    checks.require(not over, Code.VERDICT_KEYSET_EXPIRED, "end of the keyset", found=found, wanted=f"before {ends}")
