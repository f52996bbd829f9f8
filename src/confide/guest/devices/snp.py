"""A SEV-SNP guest as a TEE: a report from the firmware, certificates from the host and the operator, checked before it is shown.

The node verifies its own evidence with the verifier that clients use (`attest.snp`, roots pinned), so that an operator reads what
is wrong before any client does. Left to others: the kernel's interfaces (`tsm`, `sev_guest`), and what a policy wants of it.
"""

import hmac
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.evidence import Evidence, Kind, Roots
from confide.attest.snp.claims import SnpClaims
from confide.attest.snp.layout import REPORT_SIZE, parse_report
from confide.attest.snp.validate import SnpConstraints, validate
from confide.attest.snp.verify import authenticate
from confide.attest.x509 import Revocation
from confide.codes import Code
from confide.errors import ConfideError
from confide.formats.fields import format_time
from confide.guest import GuestError
from confide.guest.devices.certificates import parse_table
from confide.guest.devices.collateral import Collateral, read_folder
from confide.guest.devices.reports import ReportSource
from confide.guest.quote import REPORT_DATA_SIZE, Quote

log = logging.getLogger("confide.guest")
SOON = timedelta(days=3)


def utc_now() -> datetime:
    """The host's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Checked:
    """A quote that our own verifier accepts, and what it says."""

    quote: Quote
    claims: SnpClaims
    collateral: Collateral


class SnpTee:
    """A TEE of `guest.tee`. Make it with `open_snp`, which checks it."""

    kind = Kind.SNP.value

    def __init__(
        self, source: ReportSource, *, roots: Roots, collateral_dir: Path | None = None, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._source, self._roots, self._folder, self._now = source, roots, collateral_dir, now
        self.simulated = False

    @property
    def interface(self) -> str:
        """The kernel's interface in use, as in `guest.tee.DEVICES`."""
        return self._source.name

    def examine(self, report_data: bytes | None = None) -> Checked:
        """Ask for a report over `report_data`, or random bytes, complete it, and verify it.

        Raises:
            GuestError: `guest.quote`, `guest.certificates`, `guest.collateral`, or `guest.self_check` with the verifier's code.
        """
        wanted = secrets.token_bytes(REPORT_DATA_SIZE) if report_data is None else report_data
        raw = self._source.read(wanted)
        collateral = Collateral(parse_table(raw.table).items, read_folder(self._folder), self._folder)
        evidence = Evidence(self.kind, {"report": raw.report[:REPORT_SIZE]})
        try:
            collateral.require_complete(parse_report(raw.report))
            claims = self._verified(evidence, collateral)
        except GuestError:
            raise
        except ConfideError as error:
            raise _refused(error, collateral) from None
        if not hmac.compare_digest(claims.report_data, wanted):
            raise GuestError(Code.GUEST_QUOTE, found="a report over other bytes", wanted="one over those that were given")
        return Checked(Quote(evidence, collateral.endorsements, claims.not_after), claims, collateral)

    def quote(self, report_data: bytes) -> Quote:
        """Evidence over exactly `report_data`. What is wrong with the collateral is the operator's to read, not a stranger's."""
        try:
            return self.examine(report_data).quote
        except GuestError as error:
            if error.code is Code.GUEST_QUOTE:
                raise
            log.error("%s; hint: %s", error, error.hint)  # noqa: TRY400 - the error says it all
            raise GuestError(Code.GUEST_QUOTE, found=error.code.value, wanted="evidence that verifies") from None

    def __repr__(self) -> str:
        return f"SnpTee({self._source.name}{', SIMULATED' if self.simulated else ''})"

    def _verified(self, evidence: Evidence, collateral: Collateral) -> SnpClaims:
        return authenticate(
            evidence,
            collateral.endorsements,
            roots=self._roots,
            now=self._now(),
            revocation=Revocation(),
            checks=Checks(),
        )


def open_snp(
    source: ReportSource, *, roots: Roots, collateral_dir: Path | None = None, now: Callable[[], datetime] = utc_now
) -> SnpTee:
    """A TEE whose evidence verifies now. What no default policy would accept of its state is logged, not refused.

    Raises:
        GuestError: `guest.device`, and as `SnpTee.examine`.
    """
    source.check()
    tee = SnpTee(source, roots=roots, collateral_dir=collateral_dir, now=now)
    claims = tee.examine().claims
    tee.simulated = claims.simulated
    ends = format_time(claims.not_after)
    log.info("evidence through %s on %s, good until %s", source.name, claims.product.value, ends)
    if claims.not_after - now() < SOON:
        log.warning("certificates or revocation lists end at %s: give newer ones in collateral_dir", ends)
    for error in unacceptable(claims):
        log.warning("policies refuse this guest unless they say otherwise: %s", error)
    return tee


def unacceptable(claims: SnpClaims) -> tuple[str, ...]:
    """What strict policies refuse about the state of the guest, whatever runs in it: debugging, migration, VMPL above 0."""
    skip, csp_ids = Ignored.UNSAFE_IGNORED, (claims.csp_id,) if claims.csp_id else ()
    open_ones = SnpConstraints(measurements=skip, minimum_tcb=skip, signing_keys=(claims.signing_key,), csp_ids=csp_ids)
    checks = Checks(strict=False)
    validate(claims, open_ones, checks=checks)
    return tuple(f"{check.code.value}: found {check.found}, wanted {check.wanted}" for check in checks.done if not check.ok)


def _refused(error: ConfideError, collateral: Collateral) -> GuestError:
    """The verifier's refusal, told to the operator."""
    hint = "fix what the host gives, or give newer files in collateral_dir; clients would refuse this node"
    found = f"{error.code.value}: {error.found} ({collateral.found})"
    return GuestError(Code.GUEST_SELF_CHECK, found=found, wanted=error.wanted, hint=hint)
