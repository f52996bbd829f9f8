"""What is known of every Intel platform once its quote is genuine."""

from dataclasses import dataclass, field

from confide.attest.claims import Claims
from confide.attest.dcap.pck import Pck
from confide.attest.dcap.tcb import Evaluation, TcbStatus


@dataclass(frozen=True)
class IntelClaims(Claims):
    """Shared by SGX and TDX.

    Attributes:
        pck: what Intel certified about the platform.
        tcb: the merged status with its parts; None where no TCB collateral was there.
        tcb_evaluation_number: the lower of those of TCB info and QE identity.
        quote_version: 3, 4 or 5.
    """

    pck: Pck = field(repr=False)
    tcb: Evaluation | None = field(repr=False)
    tcb_evaluation_number: int | None
    quote_version: int

    @property
    def standing(self) -> TcbStatus | None:
        """The merged status."""
        return None if self.tcb is None else self.tcb.status
