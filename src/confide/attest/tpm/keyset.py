"""The keyset names the attestation key (DESIGN section 4, table of bindings).

A quote carries the binding, but any TPM of the same cloud would sign it for whoever asks. Where a TEE's own report stands beside
the quote and covers the keyset, the name there is what ties the quote to this machine. Left to others: the binding itself
(`attest.binding`), and when this is asked (`policy.bound`).
"""

import hmac

from confide.attest.checks import Checks
from confide.codes import Code


def require_named(ak_spki_sha256: bytes, *, named: bytes | None, checks: Checks) -> None:
    """The quoting key is the one whose digest the keyset gives: `tpm.keyset`. A keyset without one names none."""
    ok = named is not None and hmac.compare_digest(ak_spki_sha256, named)
    wanted = named.hex() if named else "a keyset that names it"
    checks.require(ok, Code.TPM_KEYSET, "attestation key in the keyset", found=ak_spki_sha256.hex(), wanted=wanted)
