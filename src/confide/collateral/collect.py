"""What a piece of evidence needs, asked of the services of its vendor: one interface for all kinds.

`Collector.collect(evidence)` gives endorsements to put beside the evidence; what came with the evidence from the device is left to
the caller, who merges. Kinds whose evidence carries its whole chain (Nitro, NitroTPM) need nothing. Left to others: keeping a
node's collateral fresh (`keeper`), and verifying (`attest`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.snp.layout import parse_report
from confide.codes import Code
from confide.collateral.amd import fetch_amd
from confide.collateral.cache import Cache, Ends
from confide.collateral.fetch import Answer, Fetcher, HttpFetcher, Question
from confide.collateral.services import Services
from confide.collateral.windows import ends_of
from confide.errors import CollateralError

Collect = Callable[[Evidence, Fetcher, Services], Mapping[str, bytes]]


@dataclass(frozen=True)
class Collector:
    """Services, reached through one fetcher."""

    fetcher: Fetcher = field(repr=False)
    services: Services = field(default_factory=Services)

    def collect(self, evidence: Evidence) -> Endorsements:
        """Everything that the vendor publishes about this evidence.

        Raises:
            EvidenceError: the evidence cannot be read.
            CollateralError: `collateral.*`; `collateral.unknown_platform` for kinds that have no service.
        """
        collect = _KINDS.get(evidence.kind)
        if collect is None:
            wanted = ", ".join(sorted(_KINDS))
            raise CollateralError(Code.COLLATERAL_UNKNOWN_PLATFORM, found=evidence.kind[:40], wanted=wanted)
        return Endorsements(collect(evidence, self.fetcher, self.services))


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


def _nothing(_: Evidence, __: Fetcher, ___: Services) -> Mapping[str, bytes]:
    """The document holds its own chain, and its vendor publishes no lists."""
    return {}


def _snp(evidence: Evidence, fetcher: Fetcher, services: Services) -> Mapping[str, bytes]:
    report = parse_report(evidence.items.get("report", b""), checks=Checks())
    return fetch_amd(report, fetcher, services)


_KINDS: Mapping[str, Collect] = {
    Kind.SNP: _snp,
    Kind.NITRO: _nothing,
    Kind.NITROTPM: _nothing,
}
