"""Collateral from a vendor's service: asked for when a TEE is opened, renewed in the background, kept while the service is away."""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.collateral.doubles import Said, Service, serving
from tests.collateral.test_collect import pcs
from tests.guest.devices.intel_doubles import NOW, TrustDomain, give, td_machine

import confide_sim
from confide.cli.app import run
from confide.codes import Code
from confide.collateral.sources import keeper_of
from confide.guest import GuestError, tee
from confide.guest.devices.checked import CheckedTee, open_checked
from confide.guest.devices.intel import TdxSource
from confide.guest.devices.tsm import TsmReports
from confide.guest.examination import examine
from confide.guest.machine import Machine
from confide.guest.renewal import Renewal
from confide.guest.stocking import stock

DATA = bytes(range(64))


class Clock:
    now = NOW


@pytest.fixture(autouse=True)
def _today() -> None:
    Clock.now = NOW


@contextmanager
def opened(domain: TrustDomain, service: Service, folder: Path | None = None, **more: Any) -> Iterator[CheckedTee]:
    with td_machine(domain) as root, serving(service) as here:
        reports = TsmReports(root / "sys/kernel/config/tsm/report", provider="tdx_guest", pause=lambda _: None)
        keeper = keeper_of(here.url, now=lambda: Clock.now)
        given = {"roots": confide_sim.roots(), "now": lambda: Clock.now, **more}
        yield open_checked(TdxSource(reports, root=root), collateral_dir=folder, keeper=keeper, **given)


def test_a_td_without_a_folder_is_completed_by_the_service() -> None:
    domain = TrustDomain()
    service = pcs(domain.platform)
    with opened(domain, service) as one:
        checked = one.examine(DATA)
        one.quote(DATA)
    assert len(service.asked) == 4, "quotes ask nobody"
    assert checked.collateral.found.endswith(
        "from collateral_source: pck-crl, pck-crl-chain, qe-identity, qe-identity-chain, root-crl, tcb-info, tcb-info-chain"
    )


def test_what_the_folder_has_counts_before_the_service(tmp_path: Path) -> None:
    domain = TrustDomain()
    with opened(domain, pcs(domain.platform), give(tmp_path, domain.platform)) as one:
        found = one.quote(DATA).endorsements.items["pck-crl"]
    assert found == (tmp_path / "pck-crl.der").read_bytes()


def test_newer_collateral_is_used_without_a_restart() -> None:
    domain = TrustDomain()
    service = pcs(domain.platform)
    with opened(domain, service) as one:
        first = one.quote(DATA).fresh_until
        Clock.now = NOW + timedelta(days=20)
        newer = domain.platform.endorsements(at=Clock.now).items
        for path, said in list(service.answers.items()):
            assert isinstance(said, Said)
            role = (
                "tcb-info"
                if "/tcb?" in path
                else "qe-identity"
                if "identity" in path
                else "pck-crl"
                if "pckcrl" in path
                else "root-crl"
            )
            service.answers[path] = Said(newer[role], headers=said.headers)
        one.renew()
        assert one.quote(DATA).fresh_until > first


def test_what_is_there_serves_on_while_the_service_is_away(caplog: pytest.LogCaptureFixture) -> None:
    domain = TrustDomain()
    service = pcs(domain.platform)
    with opened(domain, service) as one:
        service.answers.clear()
        Clock.now = NOW + timedelta(days=1)
        with caplog.at_level(logging.WARNING):
            one.renew()
        assert "collateral.refused" in caplog.text
        assert one.quote(DATA).fresh_until > Clock.now
        Clock.now = NOW + timedelta(days=40)
        with pytest.raises(GuestError) as caught:
            one.quote(DATA)
    assert caught.value.code is Code.GUEST_QUOTE


def test_a_service_that_knows_nothing_leaves_the_operator_with_the_names_of_files() -> None:
    with pytest.raises(GuestError) as caught, opened(TrustDomain(), Service()):
        pytest.fail("it opened")
    assert caught.value.code is Code.GUEST_COLLATERAL
    assert "collateral_source" in caught.value.hint


def test_renewal_runs_in_the_background_and_a_driver_that_fails_ends_nothing() -> None:
    class Device:
        kind, simulated, attestation_key_sha256, platform_id = "snp", True, None, ""
        looks, seen = 0, threading.Event()

        def renew(self) -> None:
            self.looks += 1
            if self.looks == 3:
                self.seen.set()
            raise OSError

        def quote(self, _: bytes) -> Any:
            """Nobody asks."""

    async def test() -> int:
        device = Device()
        renewal = Renewal(Machine(device), every=0.001)
        renewal.start()
        await asyncio.to_thread(device.seen.wait, 10)
        await renewal.close()
        await renewal.close()
        return device.looks

    assert asyncio.run(test()) >= 3


def test_a_folder_is_stocked_where_the_node_runs(tmp_path: Path) -> None:
    domain = TrustDomain()
    with td_machine(domain) as root, serving(pcs(domain.platform)) as here:
        pieces = stock(tmp_path / "new", here.url, root=root)
    assert {piece.file for piece in pieces} == {path.name for path in (tmp_path / "new").iterdir()}
    assert [piece.ends for piece in pieces] == sorted(piece.ends for piece in pieces if piece.ends is not None)
    assert "tcb-info.json" in {piece.file for piece in pieces}


def test_an_examination_asks_the_service_and_tells_when_each_piece_ends() -> None:
    platform = TrustDomain().platform
    domain = TrustDomain(platform=type(platform)(platform.kind, at=datetime.now(UTC)))
    with td_machine(domain) as root, serving(renew(pcs(domain.platform), domain, at=datetime.now(UTC))) as here:
        told = examine(root=root, roots=confide_sim.roots(), collateral_source=here.url).as_dict()
    assert told["problem"] is None
    assert {"pck-crl_ends", "root-crl_ends", "tcb-info_ends", "qe-identity_ends"} <= set(told["evidence"])


def renew(service: Service, domain: TrustDomain, *, at: datetime) -> Service:
    """Intel's service at another time."""
    items = domain.platform.endorsements(at=at).items
    places = {"/tcb?": "tcb-info", "identity": "qe-identity", "pckcrl": "pck-crl", "rootcacrl": "root-crl"}
    for path, said in list(service.answers.items()):
        assert isinstance(said, Said)
        role = next(role for place, role in places.items() if place in path)
        service.answers[path] = Said(items[role], headers=said.headers)
    return service


def test_the_command_stocks_and_lists_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    domain = TrustDomain()
    with td_machine(domain) as root, serving(pcs(domain.platform)) as here:
        monkeypatch.setattr(tee, "Path", lambda place: root if place == "/" else Path(place))
        monkeypatch.setattr("confide.guest.stocking.stock.__kwdefaults__", {"prefer": None, "root": root})
        assert run(["collateral", "fetch", "--into", str(tmp_path / "here"), "--source", here.url]) == 0
    out = capsys.readouterr().out
    assert "tcb-info.json" in out
    assert "ends 20" in out
    assert run(["collateral", "list", str(tmp_path / "here"), "--json"]) == 0
    pieces = json.loads(capsys.readouterr().out)["pieces"]
    assert {each["name"] for each in pieces} == {path.name for path in (tmp_path / "here").iterdir()}
    assert run(["collateral", "list", str(tmp_path / "nothing")]) == 2
    assert "error:" in capsys.readouterr().err
    assert run(["collateral", "fetch", "--into", str(tmp_path), "--source", "no address"]) == 2
    assert run(["collateral", "fetch", "--into", str(tmp_path), "--tee", "trustzone", "--source", "vendors"]) == 2
