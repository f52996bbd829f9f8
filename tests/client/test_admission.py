"""The owner's tool between look and proof: keys that change, nodes that lie or do not show what they took, both drivers."""

import asyncio
import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from tests.client.nodes import Recorder, trusting
from tests.server.running import Served, config, served
from tests.support import refused

from confide.attest.publickeys import key_text
from confide.client.admission import Owner, admit, admit_flow, task_of
from confide.client.exchange import KEY_PROBLEM, PROBLEM, KeyChangedError
from confide.client.flow import drive_async
from confide.client.renewal import Event, renew
from confide.client.session import utc_now
from confide.client.transport import HttpTransport, Reply
from confide.client.transport_async import AsyncHttpTransport
from confide.codes import Code
from confide.errors import RemoteError, TransportError
from confide.formats import strictjson
from confide.formats.dsse import SigningKey
from confide.policy.model import Policy
from confide.policy.verdict import Custody

KEY = SigningKey.generate()
MINUTES = itertools.count(60)
KEY_UNKNOWN = Reply(422, PROBLEM, strictjson.dumps({"type": KEY_PROBLEM, "status": 422}))
FULL = Reply(503, PROBLEM, b"{}")


def owner(place: str = "lab", key: SigningKey = KEY) -> Owner:
    """Each lasts longer than the one before: of two that begin in the same second the node keeps the longer."""
    return Owner(key, place, timedelta(minutes=next(MINUTES)))


@pytest.fixture(scope="module")
def here() -> Iterator[Served]:
    with served(config(authority_key=key_text(KEY.public), limits__gather_ms=5, limits__quote_interval_ms=1)) as running:
        yield running


@pytest.fixture(scope="module")
def policy(here: Served) -> Policy:
    return trusting(here.url)


@dataclass
class Wire(Recorder):
    """A way to the node on which somebody answers in its place: `stale` shows the evidence of before, bound to our nonce or not."""

    stale: bool = False
    kept: list[Reply] = field(default_factory=list)

    def get(self, path: str, *, limit: int) -> Reply:
        if self.stale and self.kept:
            return self.kept[0]
        self.kept.append(super().get(path, limit=limit))
        return self.kept[-1]


def wire(here: Served, *replies: Reply, **more: Any) -> Wire:
    return Wire(HttpTransport(here.url), replies=list(replies), **more)


def test_keys_that_change_between_look_and_delivery_cost_another_look(here: Served, policy: Policy) -> None:
    shown: list[Any] = []
    way = wire(here, KEY_UNKNOWN)
    admitted = admit(here.url, policy=policy, owner=owner(), transport=way, announce=shown.append)
    assert admitted.verdict.custody is Custody.ADMISSION
    assert (len(way.bodies), len(way.gets), len(shown)) == (2, 3, 1)
    assert way.bodies[0] != way.bodies[1]


def test_a_node_that_never_knows_its_keys_is_given_up(here: Served, policy: Policy) -> None:
    way = wire(here, KEY_UNKNOWN, KEY_UNKNOWN)
    with pytest.raises(KeyChangedError) as caught:
        admit(here.url, policy=policy, owner=owner(), transport=way)
    assert caught.value.code is Code.CLIENT_KEY_CHANGED


def test_a_full_node_is_waited_for(here: Served, policy: Policy) -> None:
    way = wire(here, FULL, FULL)
    admit(here.url, policy=policy, owner=owner(), transport=way)
    assert len(way.bodies) == len(set(way.bodies)) == 3  # sealed anew each time: the same admission twice changes nothing
    with pytest.raises(TransportError):
        admit(here.url, policy=policy, owner=owner(), transport=wire(here, FULL), patience=0)


def test_a_node_that_does_not_show_what_it_took_is_not_called_admitted(here: Served, policy: Policy) -> None:
    with refused(Code.CLIENT_ADMISSION):
        admit(here.url, policy=policy, owner=owner("a place of its own"), transport=wire(here, stale=True))


def test_an_answer_in_clear_is_no_answer(here: Served, policy: Policy) -> None:
    with refused(Code.CLIENT_NOT_SEALED):
        admit(here.url, policy=policy, owner=owner(), transport=wire(here, Reply(200, "application/json", b"{}")))


def test_nothing_is_sent_to_a_node_that_obeys_somebody_else(here: Served, policy: Policy) -> None:
    way = wire(here)
    with refused(Code.ADMISSION_AUTHORITY):
        admit(here.url, policy=policy, owner=owner(key=SigningKey.generate()), transport=way)
    assert way.bodies == []


def test_an_owner_who_says_no_signs_nothing(here: Served, policy: Policy) -> None:
    def no(_: object) -> None:
        raise KeyboardInterrupt

    way = wire(here)
    with pytest.raises(KeyboardInterrupt):
        admit(here.url, policy=policy, owner=owner(), transport=way, announce=no)
    assert way.bodies == []


def test_both_drivers_admit(here: Served, policy: Policy) -> None:
    async def test() -> None:
        transport = AsyncHttpTransport(here.url)
        try:
            task = task_of(policy, owner(), policy_signers=(), state_path=None, now=utc_now)
            admitted = await drive_async(admit_flow(task), transport)
            assert admitted.verdict.admission == admitted.admission
        finally:
            await transport.close()

    asyncio.run(test())


def test_two_renewers_do_not_chase_each_other(here: Served, policy: Policy) -> None:
    """A later admission by the same key for the same boot counts as shown."""
    events: list[Event] = []
    looks = iter(range(6))

    def keep_on() -> bool:
        look = next(looks)
        if look == 2:
            admit(here.url, policy=policy, owner=owner())
        return look < 5

    renew(here.url, policy=policy, owner=owner(), tell=events.append, look_seconds=0.01, keep_on=keep_on)
    assert [event.what for event in events] == ["admitted"]


def test_a_failure_that_passes_is_waited_for_and_told(here: Served, policy: Policy) -> None:
    events: list[Event] = []
    way = wire(here, FULL)
    admitted = threading.Event()

    def tell(event: Event) -> None:
        events.append(event)
        if event.what == "admitted":
            admitted.set()

    renew(
        here.url,
        policy=policy,
        owner=owner(),
        tell=tell,
        look_seconds=0.01,
        keep_on=lambda: not admitted.is_set(),
        transport=way,
        patience=0,
    )
    assert [event.what for event in events] == ["waiting", "admitted"]
    assert events[0].error is not None
    assert events[0].error.code is Code.TRANSPORT_STATUS


def test_a_refusal_of_the_node_ends_the_renewing(here: Served, policy: Policy) -> None:
    admit(here.url, policy=policy, owner=owner())
    with pytest.raises(RemoteError) as caught:
        renew(here.url, policy=policy, owner=owner(), look_seconds=0.01, now=lambda: utc_now() - timedelta(minutes=1))
    assert caught.value.code is Code.ADMISSION_OLDER


def test_an_outer_header_says_nothing_about_the_admission(here: Served, policy: Policy) -> None:
    headers: list[Mapping[str, str]] = []

    class Listening(Wire):
        def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
            seen.append(headers)
            return super().post(path, body, headers=headers, limit=limit)

    seen = headers
    way = Listening(HttpTransport(here.url))
    admit(here.url, policy=policy, owner=owner("a secret place"), transport=way)
    assert {name for each in headers for name in each} == {"content-type", "accept", "confide-request-id"}
    assert b"a secret place" not in b"".join(way.bodies)
