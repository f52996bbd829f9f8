"""A SEV-SNP guest: a report from the firmware, through either interface, and certificates from the host beside it.

Left to others: the kernel's interfaces (`tsm`, `sev_guest`), checking it all (`checked`).
"""

from collections.abc import Mapping

from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Evidence, Kind
from confide.attest.snp.claims import SnpClaims
from confide.attest.snp.layout import REPORT_SIZE, Report, SigningKey, parse_report, product_of_cpuid
from confide.attest.snp.validate import SnpConstraints
from confide.collateral.files import AMD
from confide.guest.devices.certificates import parse_table
from confide.guest.devices.reports import ReportSource
from confide.guest.devices.source import Raw

FILES = AMD
LEAVES = {SigningKey.VCEK: "vcek", SigningKey.VLEK: "vlek"}


class SnpSource:
    """Evidence from an interface to AMD's firmware."""

    kind = Kind.SNP

    def __init__(self, reports: ReportSource) -> None:
        self._reports = reports
        self.name = reports.name

    def check(self) -> None:
        """As the interface's own."""
        self._reports.check()

    def read(self, carried: bytes) -> Raw:
        """A report, and the host's certificates."""
        raw = self._reports.read(carried)
        return Raw({"report": raw.report[:REPORT_SIZE]}, parse_table(raw.table).items)


def missing(evidence: Evidence, there: Mapping[str, bytes]) -> Mapping[str, str]:
    """Files that verifiers will miss, and what belongs in them. Intermediates are shipped.

    Raises:
        EvidenceError: the report cannot be read.
    """
    report = parse_report(evidence.items["report"])
    leaf, product = LEAVES.get(report.signing_key), _product(report)
    if leaf is None:
        return {}  # the verifier says what is wrong with such a report
    found = {f"{leaf}.der": f"of this chip and firmware (AMD KDS: /{leaf}/v1/{product}/...)"} if leaf not in there else {}
    if "crl" not in there:
        found["crl.der"] = f"the revocation list (AMD KDS: /{leaf}/v1/{product}/crl)"
    return found


def open_constraints(claims: Claims) -> SnpConstraints:
    """Strict about the state, open about what runs and on which firmware."""
    if not isinstance(claims, SnpClaims):
        raise TypeError(type(claims).__name__)
    skip, csp_ids = Ignored.UNSAFE_IGNORED, (claims.csp_id,) if claims.csp_id else ()
    return SnpConstraints(measurements=skip, minimum_tcb=skip, signing_keys=(claims.signing_key,), csp_ids=csp_ids)


def facts(claims: Claims) -> Mapping[str, str]:
    """What an operator wants to see."""
    if not isinstance(claims, SnpClaims):
        raise TypeError(type(claims).__name__)
    return {
        "product": claims.product.value,
        "signing_key": claims.signing_key.name,
        "vmpl": str(claims.report.vmpl),
        "reported_tcb": str(claims.reported_tcb),
    }


def _product(report: Report) -> str:
    """For the hint only; reports of version 2 do not say."""
    product = product_of_cpuid(*report.cpuid[:2]) if report.cpuid else None
    return product.value if product else "<product>"
