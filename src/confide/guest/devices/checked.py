"""A device as a TEE: its evidence, completed with what the host and the operator give, and checked before it is shown.

The node verifies its own evidence with the verifier that clients use (`attest`, roots pinned), so that an operator reads what is
wrong before any client does. Left to others: the kernel's interfaces (`source`), what each kind needs (`platforms`), and what a
policy wants of it.
"""

import hmac
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confide.attest import verifiers
from confide.attest.binding import carried_by
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.evidence import Evidence, Roots
from confide.attest.x509 import Revocation
from confide.codes import Code
from confide.collateral.files import numbered
from confide.collateral.keeper import Keeper
from confide.errors import ConfideError
from confide.formats.fields import format_time
from confide.guest import GuestError
from confide.guest.devices.collateral import Collateral, read_folder
from confide.guest.devices.platforms import Platform, platform_of
from confide.guest.devices.source import Source
from confide.guest.quote import Quote

log = logging.getLogger("confide.guest")
SOON = timedelta(days=3)


def utc_now() -> datetime:
    """The host's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Checked:
    """A quote that our own verifier accepts, and what it says."""

    quote: Quote
    claims: Claims
    collateral: Collateral


class CheckedTee:
    """A TEE of `guest.tee`. Make it with `open_checked`, which asks it once."""

    def __init__(
        self,
        source: Source,
        *,
        roots: Roots,
        collateral_dir: Path | None = None,
        keeper: Keeper | None = None,
        now: Callable[[], datetime] = utc_now,
        index: int = 0,
    ) -> None:
        self._source, self._roots, self._folder, self._now = source, roots, collateral_dir, now
        self._keeper, self._index = keeper, index
        self._last: tuple[Evidence, Mapping[str, bytes]] | None = None
        self.kind = source.kind.value
        self.simulated = False
        self.attestation_key_sha256: bytes | None = None
        self.platform_id = ""
        self.warnings: tuple[str, ...] = ()

    @property
    def interface(self) -> str:
        """The kernel's interface in use, as in `guest.tee.DEVICES`."""
        return self._source.name

    @property
    def platform(self) -> Platform:
        """What is particular to the kind."""
        return platform_of(self._source.kind)

    def examine(self, report_data: bytes | None = None) -> Checked:
        """Ask for evidence over `report_data`, or random bytes, complete it, and verify it.

        Raises:
            GuestError: `guest.quote`, `guest.certificates`, `guest.collateral`, or `guest.self_check` with the verifier's code.
        """
        wanted = secrets.token_bytes(self.platform.asked) if report_data is None else report_data
        carried = carried_by(self._source.kind, wanted)
        raw = self._source.read(carried)
        own = read_folder(self._folder, numbered(self.platform.files, self._index))
        evidence = Evidence(self.kind, raw.evidence, self._index)
        self._last = evidence, {**own, **raw.endorsements}
        asked = None if self._keeper is None else self._keeper.kept
        collateral = Collateral(raw.endorsements, own, self._folder, asked)
        try:
            collateral.require_complete(self.platform.missing(evidence, collateral.endorsements.items))
            claims = self._verified(evidence, collateral)
        except GuestError:
            raise
        except ConfideError as error:
            raise _refused(error, collateral) from None
        if not hmac.compare_digest(claims.report_data, carried):
            raise GuestError(Code.GUEST_QUOTE, found="evidence over other bytes", wanted="over those that were given")
        if self.attestation_key_sha256 not in {None, claims.bound_key_sha256}:
            raise GuestError(Code.GUEST_QUOTE, found="another attestation key", wanted="the one that this node began with")
        self.platform_id = claims.platform_id
        return Checked(Quote(evidence, collateral.endorsements, claims.not_after), claims, collateral)

    def renew(self) -> None:
        """Ask the vendor's service for newer collateral, if it is time. May wait for the network; never asks the device, unless it
        was never asked before."""
        if self._keeper is None or not self._keeper.due:
            return
        if self._last is None:
            raw = self._source.read(carried_by(self._source.kind, secrets.token_bytes(self.platform.asked)))
            self._last = Evidence(self.kind, raw.evidence, self._index), raw.endorsements
        self._keeper.endorsements(*self._last)
        failure = self._keeper.standing.failure
        if failure is not None:
            log.warning("no newer collateral: %s; what is here serves on until it ends", failure)

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
        return f"CheckedTee({self.kind}, {self._source.name}{', SIMULATED' if self.simulated else ''})"

    def _verified(self, evidence: Evidence, collateral: Collateral) -> Claims:
        return verifiers.authenticate(
            evidence,
            collateral.endorsements,
            roots=self._roots,
            now=self._now(),
            revocation=Revocation(),
            checks=Checks(),
        )


def open_checked(
    source: Source,
    *,
    roots: Roots,
    collateral_dir: Path | None = None,
    keeper: Keeper | None = None,
    now: Callable[[], datetime] = utc_now,
    index: int = 0,
) -> CheckedTee:
    """A TEE whose evidence verifies now. What no default policy would accept of its state is logged, not refused.

    Raises:
        GuestError: `guest.device`, and as `CheckedTee.examine`.
    """
    source.check()
    tee = CheckedTee(source, roots=roots, collateral_dir=collateral_dir, keeper=keeper, now=now, index=index)
    tee.renew()
    claims = tee.examine().claims
    tee.simulated, tee.attestation_key_sha256 = claims.simulated, claims.bound_key_sha256
    ends = format_time(claims.not_after)
    log.info("evidence of %s through %s, good until %s", tee.platform.title, source.name, ends)
    if tee.platform.lasting and keeper is None and claims.not_after - now() < SOON:
        log.warning("certificates or revocation lists end at %s: give newer ones in collateral_dir", ends)
    tee.warnings = unacceptable(claims)
    for error in tee.warnings:
        log.warning("policies refuse this guest unless they say otherwise: %s", error)
    return tee


def unacceptable(claims: Claims) -> tuple[str, ...]:
    """What strict policies refuse about the state of the guest, whatever runs in it: debugging, migration, an old TCB."""
    checks = Checks(strict=False)
    verifiers.validate(claims, platform_of(claims.kind).open_constraints(claims), checks=checks)
    return tuple(f"{check.code.value}: found {check.found}, wanted {check.wanted}" for check in checks.done if not check.ok)


def _refused(error: ConfideError, collateral: Collateral) -> GuestError:
    """The verifier's refusal, told to the operator."""
    hint = (
        "fix what the host gives, give newer files in collateral_dir, or name a collateral_source; clients would refuse this node"
    )
    found = f"{error.code.value}: {error.found} ({collateral.found})"
    return GuestError(Code.GUEST_SELF_CHECK, found=found, wanted=error.wanted, hint=hint)
