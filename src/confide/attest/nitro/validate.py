"""Is a genuine document acceptable? Each constraint that is absent takes its strict value.

PCRs of enclaves (Nitro Enclaves User Guide, "PCRs"): 0 image, 1 kernel and boot ramfs, 2 application, 3 IAM role of the parent, 4
the parent's instance id, 8 signing certificate; from 16 on the enclave extends them itself. Of NitroTPM (UEFI, systemd): 4 boot
loader or unified kernel, 7 Secure Boot, 11 and 12 unified kernel and command line. Left to others: user_data (`binding`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from confide.attest.checks import Checks
from confide.attest.constraints import Constraints, Ignored
from confide.attest.evidence import Kind
from confide.attest.nitro.claims import NitroClaims
from confide.codes import Code
from confide.errors import EvidenceError, PolicyError
from confide.formats.fields import format_span

SHOWN = 4
Digests = tuple[bytes, ...]


@dataclass(frozen=True)
class NitroConstraints(Constraints):
    """What a document must satisfy.

    Attributes:
        pcrs: index to accepted values; `Ignored` accepts any software. An index that the document does not have refuses.
        instance_ids, regions: accepted ones; None where the policy names none.
        allow_debug: `Ignored.UNSAFE_IGNORED` accepts an enclave whose console the host reads.
        maximum_age: between the document's time and its checking; None for as long as its certificate holds.
    """

    pcrs: Mapping[int, Digests] | Ignored = field(default_factory=lambda: MappingProxyType({}))
    instance_ids: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None
    allow_debug: Ignored | None = None
    maximum_age: timedelta | None = None

    @property
    def platforms(self) -> int | None:
        """How many instances are listed."""
        return None if self.instance_ids is None else len(self.instance_ids)

    @property
    def references(self) -> int | None:
        """How many measurements are named."""
        return None if isinstance(self.pcrs, Ignored) else len(self.pcrs)


class NitroTpmConstraints(NitroConstraints):
    """The same for instances; debug mode does not exist there."""


def validate(claims: NitroClaims, constraints: NitroConstraints, *, checks: Checks) -> None:
    """Compare verified claims with `constraints`.

    Raises:
        EvidenceError: `nitro.debug`.
        PolicyError: `nitro.*` for what the constraints do not list.
    """
    document = claims.document
    if claims.kind is Kind.NITROTPM:
        checks.skip("memory encryption", "a NitroTPM vouches for what was booted, not that memory is kept from the host")
    elif constraints.allow_debug is not None:
        checks.relax("allow_debug", "the host may read the enclave's console, and measurements are zero")
    else:
        state = "zero" if document.debug else "measured"
        checks.require(
            not document.debug, Code.NITRO_DEBUG, "PCR0, PCR1, PCR2", found=state, wanted="not all zero", error=EvidenceError
        )
    _measurements(claims, constraints, checks)
    for found, allowed, code, title in (
        (document.instance_id, constraints.instance_ids, Code.NITRO_PLATFORM, "instance"),
        (claims.region, constraints.regions, Code.NITRO_REGION, "region"),
    ):
        if allowed is None:
            checks.skip(title, "the policy names none")
        else:
            checks.require(
                found in allowed, code, title, found=found or "unknown", wanted=", ".join(allowed[:SHOWN]), error=PolicyError
            )
    limit = constraints.maximum_age
    if limit is None:
        checks.skip("age", "the policy sets none: the document may be as old as its certificate")
    else:
        aged = claims.age
        checks.require(
            aged <= limit, Code.NITRO_AGE, "age", found=format_span(aged), wanted=f"at most {format_span(limit)}", error=PolicyError
        )


def _measurements(claims: NitroClaims, constraints: NitroConstraints, checks: Checks) -> None:
    if isinstance(constraints.pcrs, Ignored):
        checks.relax("pcrs", "any software is accepted")
        return
    if not constraints.pcrs:
        checks.require(False, Code.NITRO_PCR, "PCRs", found="none named by the policy", wanted="at least one", error=PolicyError)
    for index, allowed in constraints.pcrs.items():
        found = claims.document.pcrs.get(index)
        shown = "not in the document" if found is None else found.hex()
        wanted = ", ".join(value.hex() for value in allowed[:SHOWN]) or "none listed"
        checks.require(found in allowed, Code.NITRO_PCR, f"PCR{index}", found=shown, wanted=wanted, error=PolicyError)
    unnamed = [str(index) for index, value in claims.document.pcrs.items() if index not in constraints.pcrs and any(value)]
    if unnamed:
        checks.skip(f"PCRs {', '.join(unnamed)}", "the policy names no values for them")
