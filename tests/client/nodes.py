"""A real node for a whole test module, and policies that accept it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.server.running import Served, config, served

import confide
from confide.client import judge
from confide.client.transport import Body, HttpTransport, Incoming, Reply, Transport
from confide.policy.load import load_policy
from confide.policy.model import Policy


@dataclass(frozen=True)
class Place:
    """Where a node is, and the policy that accepts exactly it."""

    node: Served
    policy: Policy

    @property
    def url(self) -> str:
        return self.node.url

    def connect(self, **more: object) -> confide.Node:
        """A verified session without a state file, that gives up at once."""
        return confide.connect(self.url, **{"policy": self.policy, "state": None, "patience": 0.0, **more})  # type: ignore[arg-type]


@contextmanager
def place(**flags: object) -> Iterator[Place]:
    """A node on a socket, and a policy taken from its own evidence."""
    with served(config(limits__gather_ms=5, limits__quote_interval_ms=1, **flags)) as node:
        yield Place(node, trusting(node.url))


def trusting(url: str) -> Policy:
    """What `confide trust` writes after a yes."""
    obtained = judge.ask(url, timeout=30)
    return load_policy(judge.propose(obtained, name="tests", now=datetime.now(UTC), unsafe_accept_simulated=True).policy)


def changed(policy: Policy, *edits: tuple[str, str]) -> Policy:
    """The policy with its text edited."""
    text = policy.raw.decode()
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return load_policy(text.encode())


@dataclass
class Recorder(Transport):
    """A transport that keeps what goes out, and may answer by itself."""

    inner: HttpTransport
    gets: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)  # given in place of the node's, first to last

    def get(self, path: str, *, limit: int) -> Reply:
        self.gets.append(path)
        return self.inner.get(path, limit=limit)

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        self.bodies.append(body)
        return self.replies.pop(0) if self.replies else self.inner.post(path, body, headers=headers, limit=limit)

    def begin(self, path: str, body: Body, *, headers: Mapping[str, str]) -> Incoming:
        return self.inner.begin(path, body, headers=headers)

    def close(self) -> None:
        self.inner.close()


def write(policy: Policy, path: Path) -> Path:
    """The policy as a file."""
    path.write_bytes(policy.raw)
    return path
