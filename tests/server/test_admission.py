"""`/v1/admission` through the seal: the owner's signature is all it takes, and documents carry what was taken."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.policy.world import OWNER, STRANGER
from tests.server.running import Inside, with_node

from confide.attest.admission import MAX_ADMISSION, Admission, sign_admission
from confide.attest.document import parse_document
from confide.attest.publickeys import key_text

OWNED = key_text(OWNER.public)


def signed(node: Inside, **changes: Any) -> bytes:
    keyset, now = node.node.keyset, datetime.now(UTC)
    platform = node.node.epochs.quoter.machine.tee.platform_id if changes.pop("known", False) else ""
    fields: dict[str, Any] = {
        "node_id": keyset.node_id,
        "node_key": keyset.receipt_keys[0].keyid,
        "platform_id": platform,
        "place": "lab",
        "not_before": now - timedelta(minutes=1),
        "not_after": now + timedelta(hours=1),
    }
    key = changes.pop("key", OWNER)
    return sign_admission(Admission(**(fields | changes)), key=key)


async def document(node: Inside) -> bytes:
    return (await node.http.get("/.well-known/confide/evidence")).content


def owned(test: Callable[[Inside], Awaitable[None]]) -> None:
    with_node(test, authority_key=OWNED)


def test_the_owners_word_goes_into_every_document() -> None:
    async def test(node: Inside) -> None:
        assert (await node.ask("GET", "/v1/admission")).json == {"admission": None}
        before = await document(node)
        assert parse_document(before).keyset.authority_key == OWNER.public
        envelope = signed(node, known=True)
        taken = await node.ask("PUT", "/v1/admission", envelope)
        assert (taken.status, taken.json["admission"]["place"]) == (200, "lab")
        assert (await node.ask("GET", "/v1/admission")).json == taken.json
        assert parse_document(await document(node)).admission == envelope
        nonce = "ab" * 32
        fresh = (await node.http.get(f"/.well-known/confide/evidence?nonce={nonce}")).content
        assert parse_document(fresh).admission == envelope

    owned(test)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"key": STRANGER}, "admission.signature"), ({"node_id": b"\x08" * 32}, "admission.node"), ({}, "admission.platform")],
    ids=["stranger", "another node", "platform left out"],
)
def test_refusals_are_exact_inside(changes: dict[str, Any], code: str) -> None:
    async def test(node: Inside) -> None:
        refused = await node.ask("PUT", "/v1/admission", signed(node, **changes))
        assert (refused.status, refused.error) == (400, code)
        assert refused.receipt is not None
        assert refused.receipt.outcome.code == code
        assert (await node.ask("GET", "/v1/admission")).json == {"admission": None}

    owned(test)


def test_an_older_one_is_refused() -> None:
    async def test(node: Inside) -> None:
        old, new = (signed(node, known=True, not_after=datetime.now(UTC) + timedelta(hours=hours)) for hours in (1, 2))
        assert (await node.ask("PUT", "/v1/admission", new)).status == 200
        refused = await node.ask("PUT", "/v1/admission", old)
        assert (refused.status, refused.error) == (409, "admission.older")
        assert parse_document(await document(node)).admission == new

    owned(test)


def test_a_node_without_an_owner_refuses() -> None:
    async def test(node: Inside) -> None:
        assert (await node.ask("PUT", "/v1/admission", signed(node))).error == "admission.authority"

    with_node(test)


@pytest.mark.parametrize("body", [b"", b"{}", b" " * (MAX_ADMISSION + 1)], ids=["nothing", "object", "large"])
def test_what_is_no_envelope_is_refused(body: bytes) -> None:
    async def test(node: Inside) -> None:
        refused = await node.ask("PUT", "/v1/admission", body)
        assert refused.error in {"admission.malformed", "node.too_large"}

    owned(test)


def test_other_methods_are_refused() -> None:
    async def test(node: Inside) -> None:
        assert (await node.ask("POST", "/v1/admission", b"")).error == "node.method"

    owned(test)
