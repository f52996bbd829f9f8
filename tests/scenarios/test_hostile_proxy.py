"""Whatever stands between client and node may drop, change, replay, swap, strip and lie. The client then has no answer, and has let
out neither the question nor anything it could be read from. No attack here ends in an answer that is not the node's own.
"""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.client.nodes import Place, place
from tests.scenarios.proxy import Asked, Attack, Forward, Given, Proxy, between, body, changing, honest

import confide
from confide.client import saved
from confide.codes import Code, Exit

SECRET = "the patient is Ada Lovelace"
EVIDENCE, SEALED = "/.well-known/confide/evidence", "/ohttp"
KEY_PROBLEM = json.dumps({"type": "https://iana.org/assignments/http-problem-types#ohttp-key"}).encode()


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as there:
        yield there


@pytest.fixture
def proxy(here: Place) -> Iterator[Proxy]:
    with between(here.url) as box:
        yield box
    assert box.failures == []
    assert_nothing_showed(box)


def connect(here: Place, proxy: Proxy) -> confide.Node:
    return confide.connect(proxy.url, policy=here.policy, state=None, timeout=10)


def refused_at_connect(here: Place, proxy: Proxy, attack: Attack) -> confide.ConfideError:
    """No session, and no request."""
    proxy.attack = attack
    with pytest.raises(confide.ConfideError) as caught:
        connect(here, proxy)
    assert proxy.sealed() == []
    return caught.value


def refused_at_run(here: Place, proxy: Proxy, attack: Attack) -> confide.ConfideError:
    """A session, a sealed request, no answer."""
    with connect(here, proxy) as node:
        proxy.attack = attack
        with pytest.raises(confide.ConfideError) as caught:
            node.run("encoder", SECRET)
    return caught.value


def assert_nothing_showed(proxy: Proxy) -> None:
    seen = proxy.bytes_seen()
    for spelling in (SECRET.encode(), SECRET.encode().hex().encode(), base64.b64encode(SECRET.encode())[:-4], b"Lovelace"):
        assert spelling not in seen


def document(change: Callable[[dict[str, Any]], None]) -> Callable[[Given], Given]:
    """Change the evidence document as JSON."""

    def edit(data: bytes) -> bytes:
        members = json.loads(data)
        change(members)
        return json.dumps(members, separators=(",", ":")).encode()

    return body(edit)


def keyset(change: Callable[[dict[str, Any]], None]) -> Callable[[Given], Given]:
    """Change the keyset inside the document."""

    def edit(members: dict[str, Any]) -> None:
        inner = json.loads(base64.b64decode(members["keyset"]))
        change(inner)
        members["keyset"] = base64.b64encode(json.dumps(inner, separators=(",", ":")).encode()).decode()

    return document(edit)


def test_an_honest_box_changes_nothing(here: Place, proxy: Proxy) -> None:
    with connect(here, proxy) as node:
        assert node.run("encoder", SECRET).receipt is not None
    assert [asked.path.partition("?")[0] for asked in proxy.seen] == [EVIDENCE, SEALED]


# evidence


def flip(data: bytes, at: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


def swap_keys(members: dict[str, Any]) -> None:
    """The box's own key in place of the node's."""
    config = bytearray(base64.b64decode(members["ohttp_key_configs"][0]))
    config[3] ^= 1  # the first byte of the public key
    members["ohttp_key_configs"][0] = base64.b64encode(config).decode()


def flip_report(members: dict[str, Any]) -> None:
    report = base64.b64decode(members["evidence"][0]["value"])
    members["evidence"][0]["value"] = base64.b64encode(flip(report, 0x50)).decode()  # in REPORT_DATA


EVIDENCE_ATTACKS: dict[str, tuple[Callable[[Given], Given], set[Code]]] = {
    "another key in the keyset": (keyset(swap_keys), {Code.BINDING_MISMATCH}),
    "a bit of the report": (document(flip_report), {Code.SNP_SIGNATURE}),
    "evidence cut off": (body(lambda data: data[: len(data) // 2]), {Code.DOCUMENT_MALFORMED, Code.JSON_MALFORMED}),
    "no evidence": (body(lambda _: b""), {Code.DOCUMENT_MALFORMED, Code.JSON_MALFORMED}),
    "evidence with a tail": (body(lambda data: data + b"{}"), {Code.DOCUMENT_MALFORMED, Code.JSON_MALFORMED}),
    "a web page": (lambda _: Given(200, "text/html", b"<html>log in</html>"), {Code.TRANSPORT_STATUS}),
    "an error page": (lambda _: Given(500, "text/html", b"sorry"), {Code.TRANSPORT_STATUS}),
    "a redirect": (lambda _: Given(302, "", b"", (("location", "http://127.0.0.1:1/"),)), {Code.TRANSPORT_STATUS}),
    "a flood": (body(lambda data: data + bytes(2 << 20)), {Code.TRANSPORT_TOO_LARGE}),
    "a connection that breaks": (
        lambda given: replace(given, body=given.body[:100], length=9000, drop=True),
        {Code.TRANSPORT_BROKEN},
    ),
}


@pytest.mark.parametrize("name", EVIDENCE_ATTACKS)
def test_changed_evidence_opens_no_session(here: Place, proxy: Proxy, name: str) -> None:
    change, codes = EVIDENCE_ATTACKS[name]
    assert refused_at_connect(here, proxy, changing(EVIDENCE, change)).code in codes


@pytest.mark.parametrize("part", range(16))
def test_a_bit_flipped_anywhere_in_the_evidence_opens_no_session(here: Place, proxy: Proxy, part: int) -> None:
    """Or it changes nothing that is believed: then the session is with the node's own key all the same."""
    proxy.attack = changing(EVIDENCE, body(lambda data: flip(data, len(data) * part // 16 + 7)))
    try:
        with connect(here, proxy) as node:
            assert node.verdict.keyset.digest == genuine_digest(here)
    except confide.ConfideError:
        assert proxy.sealed() == []


def genuine_digest(here: Place) -> bytes:
    with here.connect() as node:
        return node.verdict.keyset.digest


def test_stale_evidence_opens_no_session(here: Place, proxy: Proxy) -> None:
    kept: list[Given] = []

    def replay(asked: Asked, forward: Forward) -> Given:
        kept.append(forward(asked))
        return kept[0]

    proxy.attack = replay
    connect(here, proxy).close()
    with pytest.raises(confide.EvidenceError) as caught:
        connect(here, proxy)
    assert caught.value.code is Code.VERDICT_NONCE
    assert proxy.sealed() == []


def test_evidence_without_our_nonce_opens_no_session(here: Place, proxy: Proxy) -> None:
    error = refused_at_connect(here, proxy, lambda asked, forward: forward(replace(asked, path=EVIDENCE)))
    assert error.code is Code.VERDICT_NO_NONCE


def test_evidence_of_another_node_leads_to_no_answer(here: Place, proxy: Proxy) -> None:
    """It is as good, so there is a session; but only that other node could open the request."""
    with place() as other:
        proxy.attack = lambda asked, forward: Proxy(other.url).forward(asked) if asked.path.startswith(EVIDENCE) else forward(asked)
        with connect(here, proxy) as node, pytest.raises(confide.ChannelError) as caught:
            node.run("encoder", SECRET)
    assert caught.value.code is Code.CLIENT_KEY_CHANGED


def test_a_swapped_key_list_is_never_even_asked_for(here: Place, proxy: Proxy) -> None:
    with connect(here, proxy) as node:
        node.run("encoder", SECRET)
        node.models()
    assert not any("ohttp-gateway" in asked.path for asked in proxy.seen)


# the sealed channel


def always(given: Given) -> Attack:
    """The box answers by itself."""
    return lambda _asked, _forward: given


def moved(**changes: Any) -> Attack:
    """The node is asked something else."""
    return lambda asked, forward: forward(replace(asked, **changes))


def request(change: Callable[[bytes], bytes]) -> Attack:
    """The node is asked something else."""
    return lambda asked, forward: forward(replace(asked, body=change(asked.body)))


CLEAR = b'{"task":"sentence-embedding","digest":"00","outputs":["AAAAAA=="]}'
SEALED_ATTACKS: dict[str, tuple[Attack, set[Code]]] = {
    "dropped": (always(Given(200, "message/ohttp-res", b"", length=500, drop=True)), {Code.TRANSPORT_BROKEN}),
    "answered in the clear": (always(Given(200, "application/json", CLEAR)), {Code.CLIENT_NOT_SEALED}),
    "answered in the clear as sealed": (always(Given(200, "message/ohttp-res", CLEAR)), {Code.OHTTP_RESPONSE}),
    "media type stripped": (changing(SEALED, lambda given: replace(given, media_type="")), {Code.CLIENT_NOT_SEALED}),
    "moved to a plain route": (moved(path="/v1/pipelines/encoder"), {Code.TRANSPORT_STATUS}),
    "moved to the evidence": (moved(method="GET", path=EVIDENCE, body=b""), {Code.CLIENT_NOT_SEALED}),
    "request cut off": (request(lambda data: data[:-9]), {Code.CLIENT_KEY_CHANGED}),
    "request emptied": (request(lambda _: b"x"), {Code.TRANSPORT_STATUS}),
    "request bit flipped": (request(lambda data: flip(data, -1)), {Code.CLIENT_KEY_CHANGED}),
    "request's key id swapped": (request(lambda data: flip(data, 0)), {Code.CLIENT_KEY_CHANGED}),
    "answer cut off": (changing(SEALED, body(lambda data: data[:-1])), {Code.OHTTP_RESPONSE}),
    "answer emptied": (changing(SEALED, body(lambda _: b"")), {Code.OHTTP_TRUNCATED}),
    "answer with a tail": (changing(SEALED, body(lambda data: data + b"\0")), {Code.OHTTP_RESPONSE}),
    "answer broken off": (
        changing(SEALED, lambda given: replace(given, body=given.body[:50], length=len(given.body), drop=True)),
        {Code.TRANSPORT_BROKEN},
    ),
    "key problem for ever": (always(Given(422, "application/problem+json", KEY_PROBLEM)), {Code.CLIENT_KEY_CHANGED}),
    "redirected": (always(Given(307, "", b"", (("location", "http://127.0.0.1:1/"),))), {Code.TRANSPORT_STATUS}),
    "upgrade demanded": (always(Given(426, "", b"", (("upgrade", "plaintext/1.0"),))), {Code.TRANSPORT_STATUS}),
}


@pytest.mark.parametrize("name", SEALED_ATTACKS)
def test_an_attacked_request_has_no_answer(here: Place, proxy: Proxy, name: str) -> None:
    attack, codes = SEALED_ATTACKS[name]
    error = refused_at_run(here, proxy, lambda asked, forward: (attack if asked.method == "POST" else honest)(asked, forward))
    assert error.code in codes
    assert error.code.exit in {Exit.CHANNEL, Exit.TRANSPORT}
    assert all(asked.path == SEALED for asked in proxy.sealed())


@pytest.mark.parametrize("part", range(12))
def test_a_bit_flipped_anywhere_in_an_answer_is_no_answer(here: Place, proxy: Proxy, part: int) -> None:
    error = refused_at_run(here, proxy, changing(SEALED, body(lambda data: flip(data, len(data) * part // 12))))
    assert error.code is Code.OHTTP_RESPONSE


def test_an_old_answer_does_not_answer_a_new_question(here: Place, proxy: Proxy) -> None:
    kept: list[Given] = []

    def replay(asked: Asked, forward: Forward) -> Given:
        kept.append(forward(asked))
        return kept[0]

    with connect(here, proxy) as node:
        proxy.attack = replay
        node.run("encoder", SECRET)
        with pytest.raises(confide.ChannelError) as caught:
            node.run("encoder", SECRET)
    assert caught.value.code is Code.OHTTP_RESPONSE


def test_a_request_sent_twice_is_run_once(here: Place, proxy: Proxy) -> None:
    answers: list[Given] = []

    def twice(asked: Asked, forward: Forward) -> Given:
        answers.extend((forward(asked), forward(asked)))
        return answers[1]

    error = refused_at_run(here, proxy, twice)
    assert isinstance(error, confide.RemoteError)
    assert error.code is Code.OHTTP_REPLAYED
    assert len(proxy.sealed()) == 1


def test_answers_to_two_callers_cannot_be_exchanged(here: Place, proxy: Proxy) -> None:
    both, given = threading.Barrier(2, timeout=20), {}

    def exchange(asked: Asked, forward: Forward) -> Given:
        mine = both.wait()
        given[mine] = forward(asked)
        both.wait()
        return given[1 - mine]

    with connect(here, proxy) as node:
        proxy.attack = exchange
        codes: list[Code] = []

        def ask() -> None:
            try:
                node.run("encoder", SECRET)
            except confide.ConfideError as error:
                codes.append(error.code)

        callers = [threading.Thread(target=ask) for _ in range(2)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert codes == [Code.OHTTP_RESPONSE, Code.OHTTP_RESPONSE]


def test_headers_that_a_box_adds_decide_nothing(here: Place, proxy: Proxy) -> None:
    """The digest, the path and the method that count are inside the seal."""
    extra = (("confide-model-digest", "00" * 32), ("x-http-method-override", "GET"), ("x-forwarded-path", "/healthz"))
    proxy.attack = lambda asked, forward: forward(replace(asked, headers=asked.headers + extra))
    with connect(here, proxy) as node:
        assert node.run("encoder", SECRET).receipt is not None


def test_a_receipt_of_another_answer_is_refused(here: Place) -> None:
    """Only the node itself could do this: the receipt would be its own. The client checks it all the same."""
    with here.connect() as node:
        one, two = node.run("encoder", "a doctor"), node.run("encoder", "a physician")
    mixed = saved.Saved(one.record.receipt or b"", one.record.bundle, one.record.request, two.record.response, one.record.salts)
    with pytest.raises(confide.ReceiptError) as caught:
        saved.verify(mixed, here.policy)
    assert caught.value.code is Code.RECEIPT_RESPONSE
