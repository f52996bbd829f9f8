"""What a piece of evidence needs, asked of the services of its vendor: one interface for all kinds.

`Collector.collect(evidence, given)` gives endorsements to put beside the evidence and what came with it from the device (`given`),
which the caller merges. Kinds whose evidence carries its whole chain (Nitro, NitroTPM) need nothing; a cloud's TPM has no service
whose address does not come from its own certificate, so none is asked. Left to others: keeping a
node's collateral fresh (`keeper`), and verifying (`attest`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from confide.attest import x509
from confide.attest.azure.hcl import ReportType, parse_hcl_report
from confide.attest.checks import Checks
from confide.attest.dcap import pck
from confide.attest.dcap.chain import PCK_CAS
from confide.attest.dcap.quote import TeeType, parse_quote
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.snp.layout import parse_report
from confide.attest.x509 import load_certificates
from confide.codes import Code
from confide.collateral.amd import fetch_amd
from confide.collateral.cache import Cache, Ends
from confide.collateral.fetch import Answer, Fetcher, HttpFetcher, Question
from confide.collateral.intel import Tee, fetch_intel
from confide.collateral.nvidia import fetch_nvidia
from confide.collateral.services import Services
from confide.collateral.windows import ends_of
from confide.errors import CollateralError

Collect = Callable[[Evidence, Mapping[str, bytes], Fetcher, Services], Mapping[str, bytes]]
NOTHING: Mapping[str, bytes] = MappingProxyType({})


@dataclass(frozen=True)
class Collector:
    """Services, reached through one fetcher."""

    fetcher: Fetcher = field(repr=False)
    services: Services = field(default_factory=Services)

    def collect(self, evidence: Evidence, given: Mapping[str, bytes] = NOTHING) -> Endorsements:
        """Everything that the vendor publishes about this evidence.

        Args:
            given: what came with the evidence: a GPU's certificates, an Intel platform's.

        Raises:
            EvidenceError: the evidence cannot be read.
            CollateralError: `collateral.*`; `collateral.unknown_platform` for kinds that have no service.
        """
        collect = _KINDS.get(evidence.kind)
        if collect is None:
            wanted = ", ".join(sorted(_KINDS))
            raise CollateralError(Code.COLLATERAL_UNKNOWN_PLATFORM, found=evidence.kind[:40], wanted=wanted)
        return Endorsements(collect(evidence, given, self.fetcher, self.services))


def cached(folder: Path | None, fetcher: Fetcher | None = None, *, now: Callable[[], datetime]) -> Fetcher:
    """A fetcher over the network, with a cache in front where a folder is given."""
    network = fetcher or HttpFetcher()
    return network if folder is None else Cache(folder, network, now=now, ends=ends_for)


def ends_for(question: Question) -> Ends:
    """How the end of an answer is read: by what was asked."""
    role = _role(question.place)

    def ends(answer: Answer) -> datetime | None:
        return None if role is None else ends_of(role, answer.content)

    return ends


def _role(place: str) -> str | None:
    """The role that an address gives; None for answers without an end of their own."""
    for ending, role in (("/tcb", "tcb-info"), ("/qe/identity", "qe-identity"), ("/pckcrl", "pck-crl"), ("/crl", "crl")):
        if place.endswith(ending):
            return role
    if place.endswith((".der", "/rootcacrl")):
        return "root-crl"
    if "/cert_chain" in place:
        return "cert-chain"
    return "vcek" if "/vcek/" in place else None


def _nothing(_: Evidence, __: Mapping[str, bytes], ___: Fetcher, ____: Services) -> Mapping[str, bytes]:
    """The document holds its own chain, and its vendor publishes no lists."""
    return {}


def _snp(evidence: Evidence, _: Mapping[str, bytes], fetcher: Fetcher, services: Services) -> Mapping[str, bytes]:
    report = parse_report(evidence.items.get("report", b""), checks=Checks())
    return fetch_amd(report, fetcher, services)


def _az_snp(evidence: Evidence, _: Mapping[str, bytes], fetcher: Fetcher, services: Services) -> Mapping[str, bytes]:
    """The report inside the HCL report."""
    report = parse_hcl_report(evidence.items.get("hcl-report", b""), wanted=ReportType.SNP).hardware_report
    return fetch_amd(parse_report(report, checks=Checks()), fetcher, services)


def _quote(role: str, tee: TeeType) -> Collect:
    """Of whoever quotes in this role."""

    def collect(evidence: Evidence, given: Mapping[str, bytes], fetcher: Fetcher, services: Services) -> Mapping[str, bytes]:
        quote = parse_quote(evidence.items.get(role, b""), tee=tee, checks=Checks())
        chain = quote.certification.rstrip(b"\x00") if b"-----BEGIN" in quote.certification else given.get("pck-chain", b"")
        leaf, *_ = load_certificates(chain)
        ca = PCK_CAS.get(x509.names(leaf).issuer_common_name)
        if ca is None:
            found, wanted = x509.names(leaf).issuer_text, ", ".join(PCK_CAS)
            raise CollateralError(Code.COLLATERAL_UNKNOWN_PLATFORM, found=found, wanted=wanted)
        kind: Tee = "sgx" if tee is TeeType.SGX else "tdx"
        return fetch_intel(
            fetcher, services, tee=kind, fmspc=pck.decode(leaf).fmspc, ca="platform" if ca == "platform" else "processor"
        )

    return collect


_KINDS: Mapping[str, Collect] = {
    Kind.SNP: _snp,
    Kind.SGX: _quote("quote", TeeType.SGX),
    Kind.TDX: _quote("quote", TeeType.TDX),
    Kind.AZ_SNP_VTPM: _az_snp,
    Kind.AZ_TDX_VTPM: _quote("td-quote", TeeType.TDX),
    Kind.NVIDIA: fetch_nvidia,
    Kind.NITRO: _nothing,
    Kind.NITROTPM: _nothing,
    Kind.CCA: _nothing,
}
