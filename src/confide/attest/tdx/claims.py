"""What the TDX verifier returns."""

from dataclasses import dataclass, field

from confide.attest.dcap.claims import IntelClaims
from confide.attest.tdx.layout import TdReport


@dataclass(frozen=True)
class TdxClaims(IntelClaims):
    """Verified TDX claims.

    Attributes:
        report: the TD's report body, field by field.
        event_log_replayed: an event log came and leads to the runtime measurement registers that it covers.
    """

    report: TdReport = field(repr=False)
    event_log_replayed: bool
