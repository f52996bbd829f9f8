"""The admission that a node shows: only one that clients accept, never an older one, and none that has ended."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.policy.world import OWNER, STRANGER
from tests.policy.world import keyset as a_keyset
from tests.support import refused

from confide.attest.admission import Admission, sign_admission
from confide.codes import Code
from confide.guest.admissions import Admissions
from confide_sim.device import FalseDevice

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEYSET = a_keyset(authority_key=OWNER.public)
DEVICE = FalseDevice(software_digest=bytes(32), now=lambda: NOW)


@dataclass
class Shown:
    """A node's admissions, its clock, and what its documents were told to show."""

    now: datetime = NOW
    shown: list[bytes | None] = field(default_factory=list)
    platform_id: str = DEVICE.platform_id
    admissions: Admissions = field(init=False)

    def __post_init__(self) -> None:
        self.admissions = Admissions(
            authority_key=OWNER.public,
            keyset=lambda: KEYSET,
            platform_id=lambda: self.platform_id,
            now=lambda: self.now,
            publish=self.shown.append,
        )


def signed(**changes: Any) -> bytes:
    key = changes.pop("key", OWNER)
    fields: dict[str, Any] = {
        "node_id": KEYSET.node_id,
        "node_key": KEYSET.receipt_keys[0].keyid,
        "platform_id": DEVICE.chip.chip_id.hex(),
        "place": "Paris, rack 4",
        "not_before": NOW,
        "not_after": NOW + HOUR,
    }
    return sign_admission(Admission(**(fields | changes)), key=key)


def run(test: Callable[[Shown], Awaitable[None]]) -> None:
    async def inside() -> None:
        node = Shown()
        try:
            await test(node)
        finally:
            node.admissions.close()

    asyncio.run(inside())


def test_the_owners_word_is_shown() -> None:
    async def test(node: Shown) -> None:
        envelope = signed()
        admission = node.admissions.take(envelope)
        assert admission.place == "Paris, rack 4"
        assert node.shown == [envelope]
        assert node.admissions.current() == (envelope, admission)

    run(test)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": STRANGER}, Code.ADMISSION_SIGNATURE),
        ({"node_id": b"\x08" * 32}, Code.ADMISSION_NODE),
        ({"node_key": STRANGER.public.keyid}, Code.ADMISSION_NODE_KEY),
        ({"platform_id": "0d" * 64}, Code.ADMISSION_PLATFORM),
        ({"platform_id": ""}, Code.ADMISSION_PLATFORM),
        ({"not_before": NOW + timedelta(seconds=1)}, Code.ADMISSION_NOT_YET_VALID),
        ({"not_before": NOW - HOUR, "not_after": NOW}, Code.ADMISSION_EXPIRED),
    ],
    ids=lambda value: value.value if isinstance(value, Code) else "",
)
def test_what_clients_would_refuse_is_not_shown(changes: dict[str, Any], code: Code) -> None:
    async def test(node: Shown) -> None:
        first = signed(not_after=NOW + HOUR / 2)
        node.admissions.take(first)
        with refused(code):
            node.admissions.take(signed(**changes))
        assert node.shown == [first]
        assert node.admissions.current() is not None

    run(test)


@pytest.mark.parametrize("envelope", [b"", b"{}", signed()[:-1], b" " * 65537], ids=["nothing", "object", "cut", "large"])
def test_what_is_no_envelope_is_refused(envelope: bytes) -> None:
    async def test(node: Shown) -> None:
        with refused(Code.ADMISSION_MALFORMED):
            node.admissions.take(envelope)

    run(test)


def test_a_node_without_an_owner_takes_none() -> None:
    async def test(node: Shown) -> None:
        alone = Admissions(
            authority_key=None,
            keyset=lambda: KEYSET,
            platform_id=lambda: DEVICE.platform_id,
            now=lambda: NOW,
            publish=node.shown.append,
        )
        with refused(Code.ADMISSION_AUTHORITY):
            alone.take(signed())
        assert node.shown == []

    run(test)


def test_a_later_one_replaces_and_an_older_one_never_does() -> None:
    async def test(node: Shown) -> None:
        old, new = signed(), signed(not_before=NOW + HOUR / 4, not_after=NOW + 2 * HOUR)
        node.admissions.take(old)
        node.now += HOUR / 2
        node.admissions.take(new)
        with refused(Code.ADMISSION_OLDER):
            node.admissions.take(old)
        node.admissions.take(new)  # the same once more changes nothing
        assert node.shown == [old, new, new]

    run(test)


def test_the_owner_may_cut_one_short_and_nobody_else_can() -> None:
    async def test(node: Shown) -> None:
        node.admissions.take(signed(not_after=NOW + 8 * HOUR))
        node.now += timedelta(seconds=1)
        short = signed(not_before=node.now, not_after=NOW + HOUR / 4)
        node.admissions.take(short)
        assert node.shown[-1] == short

    run(test)


def test_one_that_has_ended_is_dropped_and_stands_in_nobodys_way() -> None:
    async def test(node: Shown) -> None:
        node.admissions.take(signed(not_before=NOW - HOUR / 60, not_after=NOW + HOUR))
        node.now += HOUR
        assert node.admissions.current() is None
        assert node.shown[-1] is None
        later = signed(not_before=node.now - HOUR / 60, not_after=node.now + HOUR)
        node.admissions.take(later)
        assert node.shown[-1] == later

    run(test)


def test_one_that_ends_is_dropped_without_anybody_asking() -> None:
    async def test(node: Shown) -> None:
        begun = datetime.now(UTC).replace(microsecond=0)
        live = Admissions(
            authority_key=OWNER.public,
            keyset=lambda: KEYSET,
            platform_id=lambda: DEVICE.platform_id,
            now=lambda: datetime.now(UTC),
            publish=node.shown.append,
        )
        live.take(signed(not_before=begun, not_after=begun + timedelta(seconds=4)))
        async with asyncio.timeout(10):
            while node.shown[-1] is not None:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.05)
        live.close()

    run(test)


def test_of_many_the_latest_is_held() -> None:
    async def test(node: Shown) -> None:
        envelopes = [signed(not_after=NOW + timedelta(minutes=minute)) for minute in range(1, 9)]
        node.admissions.take(envelopes[-1])
        for older in envelopes[:-1]:
            with refused(Code.ADMISSION_OLDER):
                node.admissions.take(older)
        held = node.admissions.current()
        assert held is not None
        assert held[0] == envelopes[-1]

    run(test)


def test_the_platform_is_what_the_evidence_said_last() -> None:
    async def test(node: Shown) -> None:
        node.platform_id = "aa"
        with refused(Code.ADMISSION_PLATFORM):
            node.admissions.take(signed())
        node.admissions.take(signed(platform_id="aa"))
        node.platform_id = ""  # hidden by the hardware
        with refused(Code.ADMISSION_PLATFORM):
            node.admissions.take(signed(platform_id="aa"))

    run(test)
