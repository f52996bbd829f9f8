"""What the TDX verifier returns."""

from dataclasses import dataclass, field

from confide.attest.dcap.claims import IntelClaims
from confide.attest.tdx.layout import RTMRS, TdReport

Events = tuple[bytes, ...]


@dataclass(frozen=True)
class TdxClaims(IntelClaims):
    """Verified TDX claims.

    Attributes:
        report: the TD's report body, field by field.
        event_log_replayed: an event log came and leads to the runtime measurement registers that it covers.
        events: for each of RTMR0 to RTMR3 the SHA-384 digests that it was extended with, in order; None where no log covers it.
    """

    report: TdReport = field(repr=False)
    event_log_replayed: bool
    events: tuple[Events | None, ...] = field(repr=False, default=(None,) * RTMRS)
