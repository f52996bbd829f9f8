"""The error tree. One root, one code per cause, and always found, wanted and what to do.

ConfideError
 |- MisuseError       the caller's arguments or files: fix them
 |- EvidenceError     evidence is malformed, not genuine, or not acceptable
 |- CollateralError   vendor certificates, CRLs or TCB data are missing or stale
 |- PolicyError       a policy is invalid, or it refuses
 |- ChannelError      the sealed channel was broken, replayed or truncated
 |- ReceiptError      a receipt, log proof or commitment does not hold
 |- PackageError      a model package is malformed or does not match its digest
 |- EngineError       inputs do not fit the package, or the engine failed or is full
 |- RemoteError       the node answered, inside the seal, with an error
 `- TransportError    the network: nothing is known about the node

Messages hold codes, vendor field names, sizes and public digests; never content, keys or raw evidence (DESIGN rule 10).
"""

from confide.codes import Code


class ConfideError(Exception):
    """Every error of this package. `code` is stable across releases and SDKs (spec/01-codes.md).

    Attributes:
        about: what exactly failed, where the code alone does not say: a register, a certificate, a piece of evidence.
    """

    def __init__(self, code: Code, *, found: str = "", wanted: str = "", hint: str = "", about: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.found = found
        self.wanted = wanted
        self.hint = hint or code.remedy.value
        self.about = about

    def __str__(self) -> str:
        parts = [f"{self.code.value}: {self.code.meaning}"]
        if self.about:
            parts.append(f"about {self.about}")
        if self.found:
            parts.append(f"found {self.found}")
        if self.wanted:
            parts.append(f"wanted {self.wanted}")
        return "; ".join(parts)

    def as_dict(self) -> dict[str, str]:
        """The one JSON shape of an error, on the command line and inside the seal. `about` is left out where there is none."""
        return {
            "code": self.code.value,
            "meaning": self.code.meaning,
            **({"about": self.about} if self.about else {}),
            "found": self.found,
            "wanted": self.wanted,
            "hint": self.hint,
        }


class MisuseError(ConfideError):
    """The caller's own mistake."""


class EvidenceError(ConfideError):
    """Evidence is malformed, not genuine, or not acceptable."""


class CollateralError(ConfideError):
    """Vendor collateral is missing, stale or does not belong to the evidence."""


class PolicyError(ConfideError):
    """A policy is invalid, or a valid policy refuses."""


class ChannelError(ConfideError):
    """The sealed channel was broken, replayed, reordered or truncated."""


class ReceiptError(ConfideError):
    """A receipt, a log proof or a commitment does not hold."""


class PackageError(ConfideError):
    """A model package is malformed or does not match its digest."""


class EngineError(ConfideError):
    """Inputs do not fit the package, or the engine failed or is full."""


class RemoteError(ConfideError):
    """The node answered, inside the seal, with an error of its own."""


class TransportError(ConfideError):
    """The network failed; nothing is known about the node."""
