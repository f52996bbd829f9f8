"""Asking services: bounds, patience, and what is told when they fail."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.collateral.doubles import Said, Service, serving
from tests.support import refused

from confide.codes import Code
from confide.collateral.fetch import ATTEMPTS, HttpFetcher, Question
from confide.collateral.services import Services
from confide.errors import CollateralError


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service()) as running:
        yield running


Make = Callable[..., HttpFetcher]


@pytest.fixture
def fetcher() -> Make:
    """Makes fetchers that note their pauses instead of taking them."""

    def make(pauses: list[float] | None = None, **options: Any) -> HttpFetcher:
        return HttpFetcher(pause=(lambda _: None) if pauses is None else pauses.append, **options)

    return make


def test_an_answer_comes_with_its_headers(service: Service, fetcher: Make) -> None:
    service.answers["/list"] = Said(b"bytes", headers={"TCB-Info-Issuer-Chain": "chain"})
    answer = fetcher().ask(Question(f"{service.url}/list", 5))
    assert (answer.content, answer.headers["tcb-info-issuer-chain"]) == (b"bytes", "chain")
    assert "bytes" not in repr(answer)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_service_is_asked_again(service: Service, status: int, fetcher: Make) -> None:
    pauses: list[float] = []
    service.answers["/list"] = [Said(status=status), Said(status=status), Said(b"now")]
    assert fetcher(pauses).ask(Question(f"{service.url}/list", 9)).content == b"now"
    assert pauses == [0.5, 1.0]


def test_the_services_own_pause_is_kept(service: Service, fetcher: Make) -> None:
    pauses: list[float] = []
    service.answers["/list"] = [Said(status=429, headers={"Retry-After": "3"}), Said(b"now")]
    fetcher(pauses).ask(Question(f"{service.url}/list", 9))
    assert pauses == [3.0]


@pytest.mark.parametrize("said", ["soon", "-1", "1e9", "9999999999"])
def test_a_pause_that_is_no_number_of_seconds_is_left_out(service: Service, said: str, fetcher: Make) -> None:
    pauses: list[float] = []
    service.answers["/list"] = [Said(status=503, headers={"Retry-After": said}), Said(b"now")]
    fetcher(pauses).ask(Question(f"{service.url}/list", 9))
    assert pauses == [0.5]


def test_patience_ends(service: Service, fetcher: Make) -> None:
    service.answers["/list"] = Said(status=503)
    with refused(Code.COLLATERAL_UNREACHABLE):
        fetcher().ask(Question(f"{service.url}/list", 9))
    assert len(service.asked) == ATTEMPTS


def test_no_pause_goes_beyond_the_deadline(service: Service, fetcher: Make) -> None:
    pauses: list[float] = []
    service.answers["/list"] = Said(status=503, headers={"Retry-After": "15"})
    with refused(Code.COLLATERAL_UNREACHABLE):
        fetcher(pauses, timeout=5.0).ask(Question(f"{service.url}/list", 9))
    assert pauses == []


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410, 204])
def test_other_answers_are_not_asked_for_again(service: Service, status: int, fetcher: Make) -> None:
    service.answers["/list"] = Said(status=status, headers={"Location": f"{service.url}/elsewhere"})
    with refused(Code.COLLATERAL_REFUSED):
        fetcher().ask(Question(f"{service.url}/list", 9))
    assert service.asked == ["/list"]


def test_an_answer_beyond_its_bound_is_dropped(service: Service, fetcher: Make) -> None:
    service.answers["/list"] = Said(b"x" * 10)
    with refused(Code.COLLATERAL_TOO_LARGE):
        fetcher().ask(Question(f"{service.url}/list", 9))


def test_a_service_that_is_not_there_is_named_without_its_query(fetcher: Make) -> None:
    with pytest.raises(CollateralError) as caught:
        fetcher(timeout=2.0).ask(Question("http://127.0.0.1:9/list?chip=1", 9))
    assert caught.value.code is Code.COLLATERAL_UNREACHABLE
    assert "http://127.0.0.1:9/list:" in caught.value.found
    assert "chip" not in str(caught.value)


def test_a_proxy_is_used(service: Service, fetcher: Make) -> None:
    service.answers["http://vendor.invalid/list"] = Said(b"through")
    through = fetcher(proxy=service.url)
    assert through.ask(Question("http://vendor.invalid/list", 9)).content == b"through"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a",
        "https://",
        "https://u@a",
        "https://a/?q",
        "https://a/#f",
        "https://a b",
        "https://a:0",
        "https://a:99999",
        "http://é",
    ],
)
def test_an_address_that_is_none_is_misuse(url: str) -> None:
    with refused(Code.COLLATERAL_SERVICE):
        Services(amd=url)


def test_a_slash_at_the_end_is_no_other_address() -> None:
    assert Services(intel="https://pccs.example:8081/").intel == "https://pccs.example:8081"


def test_a_service_that_says_nothing_is_left_in_time(service: Service, fetcher: Make) -> None:
    answered = threading.Event()

    def silent(_: bytes) -> Said:
        answered.wait(5.0)
        return Said(b"late")

    service.answers["/list"] = silent
    try:
        with pytest.raises(CollateralError) as caught:
            fetcher(timeout=0.2, attempts=1).ask(Question(f"{service.url}/list", 9))
        assert caught.value.code is Code.COLLATERAL_UNREACHABLE
        assert "no answer in time" in caught.value.found
    finally:
        answered.set()


def test_an_answer_that_comes_too_late_is_dropped(service: Service, fetcher: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each read is quick, and the whole is not."""
    moments = iter((0.0, 100.0))
    monkeypatch.setattr("confide.collateral.fetch.time", SimpleNamespace(monotonic=lambda: next(moments, 100.0)))
    service.answers["/list"] = Said(b"bytes")
    with pytest.raises(CollateralError) as caught:
        fetcher(timeout=30.0, attempts=1).ask(Question(f"{service.url}/list", 9))
    assert "drips" in caught.value.found
