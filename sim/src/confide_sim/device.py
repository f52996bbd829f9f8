"""A false SEV-SNP device for a node: what `confide.guest` talks to when it is asked, by name, for the simulated TEE.

The chip id is derived from a name, so that a restarted node is the same false chip, as a machine is; the endorsement key behind it
is new each time, which the chip's certificate says truthfully. The measurement is derived from the software digest, so that other
software has another one. Left to others: certificates and reports (`amd`), what a verifier makes of them (`confide.attest`).
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from confide.attest.evidence import Endorsements, Kind
from confide.attest.snp.layout import Product
from confide.guest.tee import Quote
from confide_sim.amd import FalseChip

LIST_AGE = timedelta(minutes=5)  # of a new revocation list
RENEW = timedelta(hours=12)  # so that no list is ever a day old, and a policy may say `max_crl_age = "24h"`
LIST_LIFE = timedelta(days=29)


def measurement_of(software_digest: bytes) -> bytes:
    """The 48 bytes that stand for a launch measurement of this software."""
    return hashlib.sha384(b"confide-sim/measurement\x00" + software_digest).digest()


def utc_now() -> datetime:
    """The host's clock."""
    return datetime.now(UTC)


class FalseDevice:
    """A TEE of `confide.guest.tee` whose vendor is false."""

    kind = Kind.SNP.value
    simulated = True
    attestation_key_sha256: bytes | None = None

    def __init__(
        self,
        *,
        software_digest: bytes,
        name: str = "confide-sim",
        product: Product = Product.MILAN,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._now = now
        self.measurement = measurement_of(software_digest)
        chip_id = hashlib.sha512(b"confide-sim/chip\x00" + name.encode()).digest()
        self.chip = FalseChip(product, at=now(), chip_id=chip_id)
        self._endorsements: tuple[Endorsements, datetime] | None = None

    @property
    def platform_id(self) -> str:
        """The chip's id in hex."""
        return self.chip.chip_id.hex()

    def renew(self) -> None:
        """Nothing: what a false vendor says is made anew with each quote."""

    def quote(self, report_data: bytes) -> Quote:
        """A report of this chip over `report_data`, with chain and revocation list."""
        endorsements, made = self._current()
        evidence = self.chip.evidence(report_data=report_data, measurement=self.measurement)
        return Quote(evidence, endorsements, fresh_until=made + LIST_LIFE)

    def __repr__(self) -> str:
        return f"FalseDevice(SIMULATED {self.chip.product}, chip {self.chip.chip_id.hex()[:16]}…)"

    def _current(self) -> tuple[Endorsements, datetime]:
        """The collateral, with a revocation list that is never a day old."""
        now = self._now()
        if self._endorsements is None or now - self._endorsements[1] >= RENEW:
            crl = self.chip.amd.crl(at=now, this_update=now - LIST_AGE)
            self._endorsements = (self.chip.endorsements(crl=crl), now)
        return self._endorsements
