"""Answers kept in a folder, until they end by what is written in them.

One file each, named by SHA-256 of the question; a line of JSON (question, when it was fetched, when to renew, when it ends), then
the bytes. Written whole under another name first, so that a crash leaves the old one or the new one. A kept answer serves without
asking until `renew`; after that the service is asked, and where it is away the kept one serves on until its end. Nothing kept is
trusted more than what a service says. Left to others: when an answer ends (`windows`).
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from confide.codes import Code
from confide.collateral.fetch import Answer, Fetcher, Question
from confide.errors import CollateralError, MisuseError

MAX_FILE = 8 << 20  # bytes
RENEW_AT = 0.5  # of the time between fetching and end: a service may be away for the other half
LONGEST = timedelta(days=7)  # without asking again, however long the answer holds: lists are replaced before they end

Ends = Callable[[Answer], datetime | None]


@dataclass(frozen=True)
class Kept:
    """One kept answer."""

    answer: Answer = field(repr=False)
    place: str
    fetched: datetime
    renew: datetime
    ends: datetime | None


class Cache:
    """A `Fetcher` in front of another. Several processes may share the folder."""

    def __init__(self, folder: Path, fetcher: Fetcher, *, now: Callable[[], datetime], ends: Callable[[Question], Ends]) -> None:
        self.folder, self._fetcher, self._now, self._ends = folder, fetcher, now, ends
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise MisuseError(Code.COLLATERAL_CACHE, found=f"{folder}: {error.strerror}", wanted="a folder to write to") from None

    def ask(self, question: Question, /) -> Answer:
        """The kept answer while it is young; else the service's, or the kept one while it holds and the service is away."""
        now = self._now()
        kept = self.kept(question)
        if kept is not None and kept.fetched <= now < kept.renew:
            return kept.answer
        try:
            return self.renew(question)
        except CollateralError as error:
            away = error.code in {Code.COLLATERAL_UNREACHABLE, Code.COLLATERAL_REFUSED}
            if kept is None or not away or (kept.ends is not None and kept.ends <= now):
                raise
            return kept.answer

    def renew(self, question: Question) -> Answer:
        """Ask the service now, and keep what it says."""
        answer = self._fetcher.ask(question)
        now = self._now()
        ends = self._ends(question)(answer)
        if question.body is None:  # answers to a POST are about a nonce
            self._write(question, answer, fetched=now, ends=ends)
        return answer

    def kept(self, question: Question) -> Kept | None:
        """What is in the folder; a file that cannot be read whole counts as none."""
        if question.body is not None:
            return None
        try:
            with (self.folder / _name(question)).open("rb") as file:
                data = file.read(MAX_FILE + 1)
        except OSError:
            return None
        return _parse(data, question)

    def _write(self, question: Question, answer: Answer, *, fetched: datetime, ends: datetime | None) -> None:
        young = LONGEST if ends is None else min(LONGEST, (ends - fetched) * RENEW_AT)
        head = {
            "url": question.url,
            "fetched": fetched.isoformat(),
            "renew": (fetched + young).isoformat(),
            "ends": None if ends is None else ends.isoformat(),
            "headers": dict(answer.headers),
            "sha256": hashlib.sha256(answer.content).hexdigest(),
        }
        data = json.dumps(head).encode() + b"\n" + answer.content
        if len(data) > MAX_FILE:
            return
        try:
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
                file.write(data)
            Path(file.name).replace(self.folder / _name(question))
        except OSError as error:
            found = f"{self.folder}: {error.strerror}"
            raise MisuseError(Code.COLLATERAL_CACHE, found=found, wanted="a folder to write to") from None


def _name(question: Question) -> str:
    return hashlib.sha256(question.url.encode()).hexdigest()


def _parse(data: bytes, question: Question) -> Kept | None:
    """A file of another version, cut off or written by somebody else is no answer: the service is asked again."""
    line, separator, content = data.partition(b"\n")
    try:
        head: Mapping[str, Any] = json.loads(line)
        times = [
            None if head[name] is None else datetime.fromisoformat(head[name]).astimezone(UTC)
            for name in ("fetched", "renew", "ends")
        ]
        headers = {str(name): str(value) for name, value in head["headers"].items()}
        whole = head["url"] == question.url and head["sha256"] == hashlib.sha256(content).hexdigest()
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    fetched, renew, ends = times
    if not (separator and whole and len(data) <= MAX_FILE and fetched and renew):
        return None
    return Kept(Answer(content, headers), question.place, fetched, renew, ends)
