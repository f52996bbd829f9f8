"""A node's own collateral: asked for once, renewed in time, kept while the vendor is away, and its ends told."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from confide.attest.evidence import Evidence
from confide.attest.snp.layout import Product
from confide.codes import Code
from confide.collateral.collect import Collector
from confide.collateral.fetch import Answer, Question
from confide.collateral.keeper import RENEW, RETRY, Keeper
from confide.collateral.windows import windows
from confide.errors import CollateralError
from confide_sim.amd import FalseChip

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Vendor:
    """KDS for whoever asks."""

    def __init__(self) -> None:
        self.now, self.asked, self.away = NOW, 0, False
        self.chip = FalseChip(Product.MILAN, at=NOW, chip_id=bytes(range(64)))

    def ask(self, question: Question, /) -> Answer:
        self.asked += 1
        if self.away:
            raise CollateralError(Code.COLLATERAL_UNREACHABLE, found=question.place, wanted="an answer")
        return Answer(self._items()[question.place.rsplit("/", 1)[-1]] if "crl" in question.url else self._certificate(question))

    def _items(self) -> Mapping[str, bytes]:
        return {"crl": self.chip.amd.crl(at=self.now)}

    def _certificate(self, question: Question) -> bytes:
        return self.chip.amd.ask if "cert_chain" in question.url else self.chip.endorsements().items["vcek"]


class World:
    def __init__(self) -> None:
        self.vendor = Vendor()
        self.keeper = Keeper(Collector(self.vendor), now=lambda: self.vendor.now)
        self.evidence = self.vendor.chip.evidence(report_data=bytes(64))

    def ask(self, given: Mapping[str, bytes] | None = None, **options: tuple[str, ...]) -> Mapping[str, bytes]:
        return self.keeper.endorsements(self.evidence, given or {}, **options).items


def test_many_quotes_ask_once() -> None:
    world = World()
    assert set(world.ask()) == {"vcek", "cert-chain", "crl"}
    world.ask()
    assert world.vendor.asked == 3


def test_what_the_host_gave_wins() -> None:
    assert World().ask({"vcek": b"the host's"})["vcek"] == b"the host's"


def test_lists_are_renewed_twice_a_day() -> None:
    world = World()
    first = world.ask()["crl"]
    world.vendor.now = NOW + RENEW
    assert world.ask()["crl"] != first


def test_what_is_near_its_end_is_renewed_before() -> None:
    world = World()
    world.vendor.now = NOW
    world.ask()
    world.vendor.now = NOW + RENEW - timedelta(seconds=1)
    world.ask()
    assert world.vendor.asked == 3


def test_while_the_vendor_is_away_the_old_ones_serve_and_the_failure_is_told() -> None:
    world = World()
    before = world.ask()
    world.vendor.now, world.vendor.away = NOW + RENEW, True
    assert world.ask() == before
    failure = world.keeper.standing.failure
    assert failure is not None
    assert failure.code is Code.COLLATERAL_UNREACHABLE
    asked = world.vendor.asked
    world.ask()
    assert world.vendor.asked == asked, "not for each quote"
    world.vendor.now, world.vendor.away = NOW + RENEW + RETRY, False
    world.ask()
    assert world.keeper.standing.failure is None


def test_other_firmware_is_asked_for_at_once() -> None:
    world = World()
    world.ask(subject=("firmware 1",))
    world.ask(subject=("firmware 2",))
    assert world.vendor.asked == 6


def test_days_left_are_told_by_role() -> None:
    world = World()
    world.ask()
    left = {window.role: window.days_left(NOW) or 0 for window in world.keeper.standing.windows}
    assert left["crl"] == 29
    assert 6 * 365 < left["vcek"] < 8 * 365
    assert world.keeper.standing.windows[0].role == "crl", "the soonest end comes first"


def test_nothing_is_known_of_what_cannot_be_read() -> None:
    found = windows(
        {"crl": b"x", "vcek": b"", "tcb-info": b"{}", "qe-identity": b"[]", "ocsp": b"0", "rim-driver": b"<", "moon": b""}
    )
    assert {window.ends for window in found} == {None}
    assert {window.days_left(NOW) for window in found} == {None}


def test_a_report_that_cannot_be_read_is_told_and_breaks_nothing() -> None:
    world = World()
    world.evidence = Evidence("snp", {"report": b"short"})
    assert world.ask({"vcek": b"v"}) == {"vcek": b"v"}
    assert world.keeper.standing.failure is not None
