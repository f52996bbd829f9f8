"""Clients that ask without a pause, each on a thread of its own, and what came of it."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import confide
import confide_sim
from confide.client.answer import Answer
from confide.client.transport import Body, HttpTransport, Incoming, Reply, Transport
from confide.errors import ConfideError
from confide.policy.model import Policy
from confide.receipt.commit import Salts
from confide.receipt.verify import verify_receipt


@dataclass
class Counting(Transport):
    """Counts what the node says outside the seal."""

    inner: HttpTransport
    statuses: Counter[int] = field(default_factory=Counter)

    def get(self, path: str, *, limit: int) -> Reply:
        return self.inner.get(path, limit=limit)

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        reply = self.inner.post(path, body, headers=headers, limit=limit)
        self.statuses[reply.status] += 1
        return reply

    def begin(self, path: str, body: Body, *, headers: Mapping[str, str]) -> Incoming:
        return self.inner.begin(path, body, headers=headers)

    def close(self) -> None:
        self.inner.close()


@dataclass
class Load:
    """What the clients saw.

    Attributes:
        answers: how many, by the digest of the keyset that the receipt names.
        kept: a few whole answers of each keyset.
        rekeyed: requests that were sealed anew because the key had ended, by how often each was.
        longest: seconds that one request took, waiting and retries included.
    """

    url: str
    policy: Policy
    answers: Counter[bytes] = field(default_factory=Counter)
    kept: dict[bytes, list[Answer]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    rekeyed: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def running(self, clients: int) -> Iterator["Load"]:
        """So many clients, for the length of a block or until `stop`."""
        self._threads = [threading.Thread(target=self._client, name=f"client {number}") for number in range(clients)]
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """Let each client finish what it has begun. To be called before the node goes for good."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads)

    @property
    def total(self) -> int:
        return sum(self.answers.values())

    def wait(self, more: int, seconds: float = 60.0) -> None:
        """Until there are so many more answers, or a failure."""
        wanted, deadline = self.total + more, time.monotonic() + seconds
        while self.total < wanted and not self.failures and time.monotonic() < deadline:
            time.sleep(0.01)
        assert self.total >= wanted or self.failures

    def _client(self) -> None:
        transport = Counting(HttpTransport(self.url, timeout=30))
        with confide.connect(self.url, policy=self.policy, state=None, transport=transport) as node:
            while not self._stop.is_set():
                started, before = time.monotonic(), transport.statuses[422]
                try:
                    answer = node.run("encoder", "a doctor")
                except ConfideError as error:
                    self.failures.append(str(error))
                    continue
                self._count(answer, transport.statuses[422] - before, time.monotonic() - started)

    def _count(self, answer: Answer, rekeyed: int, seconds: float) -> None:
        assert answer.receipt is not None
        digest = answer.receipt.keyset_digest
        with self._lock:
            self.answers[digest] += 1
            self.rekeyed[rekeyed] += 1
            self.longest = max(self.longest, seconds)
            kept = self.kept.setdefault(digest, [])
            if len(kept) < 3:
                kept.append(answer)

    def require_whole(self) -> None:
        """No request failed, none was sealed anew more than once, and receipts verify against the bundle of their keyset."""
        assert not self.failures, "\n".join(self.failures[:5])
        assert set(self.rekeyed) <= {0, 1}
        for digest, answers in self.kept.items():
            for answer in answers:
                record = answer.record
                assert record.receipt is not None
                assert record.salts is not None
                verdict = verify_receipt(
                    record.receipt,
                    bundle=record.bundle,
                    policy=self.policy,
                    roots=confide_sim.roots(),
                    request=record.request,
                    response=record.response,
                    salts=Salts.parse(record.salts),
                )
                assert verdict.node.keyset.digest == digest
