"""Answers that are kept: served while young, renewed in time, served on while the service is away, never beyond their end."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support import refused

from confide.codes import Code
from confide.collateral.cache import LONGEST, MAX_FILE, Cache, Ends
from confide.collateral.fetch import Answer, Question
from confide.errors import CollateralError

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
QUESTION = Question("https://vendor.example/list?chip=1", 100)


class Vendor:
    """A fetcher whose answers are counted; None: away."""

    def __init__(self, content: bytes | None = b"one") -> None:
        self.content, self.asked, self.code = content, 0, Code.COLLATERAL_UNREACHABLE

    def ask(self, question: Question, /) -> Answer:
        self.asked += 1
        if self.content is None:
            raise CollateralError(self.code, found=question.place, wanted="an answer")
        return Answer(self.content, {"chain": "pem"})


class World:
    def __init__(self, folder: Path, life: timedelta | None = timedelta(days=2)) -> None:
        self.now, self.vendor, self.life = NOW, Vendor(), life
        self.cache = Cache(folder / "kept", self.vendor, now=lambda: self.now, ends=self._ends)

    def _ends(self, _: Question) -> Ends:
        ends = None if self.life is None else NOW + self.life
        return lambda _: ends

    def ask(self) -> bytes:
        return self.cache.ask(QUESTION).content


def test_a_young_answer_is_not_asked_for_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert [world.ask() for _ in range(3)] == [b"one"] * 3
    assert world.vendor.asked == 1
    assert world.cache.ask(QUESTION).headers == {"chain": "pem"}


def test_another_process_shares_the_folder(tmp_path: Path) -> None:
    World(tmp_path).ask()
    second = World(tmp_path)
    assert (second.ask(), second.vendor.asked) == (b"one", 0)


def test_after_half_of_its_life_it_is_renewed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ask()
    world.now, world.vendor.content = NOW + timedelta(hours=25), b"two"
    assert (world.ask(), world.vendor.asked) == (b"two", 2)


def test_an_answer_without_an_end_is_renewed_after_a_week(tmp_path: Path) -> None:
    world = World(tmp_path, life=None)
    world.ask()
    world.now = NOW + LONGEST - timedelta(seconds=1)
    world.ask()
    assert world.vendor.asked == 1
    world.now = NOW + LONGEST
    world.ask()
    assert world.vendor.asked == 2


@pytest.mark.parametrize("code", [Code.COLLATERAL_UNREACHABLE, Code.COLLATERAL_REFUSED])
def test_while_the_service_is_away_the_old_one_serves_until_its_end(tmp_path: Path, code: Code) -> None:
    world = World(tmp_path)
    world.ask()
    world.vendor.content, world.vendor.code = None, code
    world.now = NOW + timedelta(days=2) - timedelta(seconds=1)
    assert world.ask() == b"one"
    world.now = NOW + timedelta(days=2)
    with refused(code):
        world.ask()


def test_an_answer_that_cannot_be_trusted_to_be_one_is_not_served_instead(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ask()
    world.vendor.content, world.vendor.code, world.now = None, Code.COLLATERAL_TOO_LARGE, NOW + timedelta(hours=25)
    with refused(Code.COLLATERAL_TOO_LARGE):
        world.ask()


def test_a_clock_that_went_back_asks_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ask()
    world.now = NOW - timedelta(days=30)
    world.ask()
    assert world.vendor.asked == 2


@pytest.mark.parametrize("damage", [b"", b"{", b"[]\n", b"{}\nbytes", b"\xff" * 50, b'{"url": 1, "fetched": []}\n'])
def test_a_file_that_is_broken_counts_as_none(tmp_path: Path, damage: bytes) -> None:
    world = World(tmp_path)
    world.ask()
    (path,) = (tmp_path / "kept").iterdir()
    path.write_bytes(damage)
    assert (world.ask(), world.vendor.asked) == (b"one", 2)


def test_a_changed_byte_counts_as_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ask()
    (path,) = (tmp_path / "kept").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    assert (world.ask(), world.vendor.asked) == (b"one", 2)


def test_answers_about_a_nonce_are_not_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    posted = Question(QUESTION.url, 100, body=b"nonce")
    world.cache.ask(posted)
    world.cache.ask(posted)
    assert world.vendor.asked == 2
    assert not list((tmp_path / "kept").iterdir())


def test_a_folder_that_is_a_file_is_misuse(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with refused(Code.COLLATERAL_CACHE):
        Cache(tmp_path / "file", Vendor(), now=lambda: NOW, ends=lambda _: lambda _: None)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_beyond_the_calendar_counts_as_none(tmp_path: Path, moment: str) -> None:
    world = World(tmp_path)
    world.ask()
    (path,) = (tmp_path / "kept").iterdir()
    path.write_bytes(path.read_bytes().replace(NOW.isoformat().encode(), moment.encode(), 1))
    assert (world.ask(), world.vendor.asked) == (b"one", 2)


def test_an_answer_beyond_the_bound_of_a_file_is_given_and_not_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.vendor.content = bytes(MAX_FILE)
    for _ in range(2):
        assert len(world.ask()) == MAX_FILE
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ask()
    world.now = NOW + timedelta(hours=25)
    shutil.rmtree(tmp_path / "kept")
    with refused(Code.COLLATERAL_CACHE):
        world.ask()
