"""A keeper by the name of its source (the node's setting `collateral_source`).

""          none: nobody is asked
"vendors"   the vendors' own services
an address  a cache of one's own that has all their paths: a PCCS for Intel's, a proxy of AMD's and NVIDIA's
"""

from collections.abc import Callable
from datetime import datetime

from confide.collateral.collect import Collector
from confide.collateral.fetch import HttpFetcher
from confide.collateral.keeper import Keeper
from confide.collateral.services import Services

VENDORS = "vendors"


def services_of(source: str) -> Services:
    """The services behind a name other than "".

    Raises:
        MisuseError: `collateral.service` for what is no address.
    """
    if source == VENDORS:
        return Services()
    base = source.rstrip("/")
    return Services(base, f"{base}/sgx/certification/v4/rootcacrl", base, base, f"{base}/ocsp")


def collector_of(source: str) -> Collector:
    """Asks that source. Proxies are those of the environment (`HTTPS_PROXY`, `NO_PROXY`).

    Raises:
        MisuseError: `collateral.service`.
    """
    return Collector(HttpFetcher(), services_of(source))


def keeper_of(source: str, *, now: Callable[[], datetime]) -> Keeper | None:
    """None for ""; raises as `collector_of`."""
    return Keeper(collector_of(source), now=now) if source else None
