"""vectors/09-receipt.json. Deterministic: Ed25519 keys from public seeds, fixed salts, fixed time."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from confide.formats import dsse, strictjson
from confide.receipt import statement
from confide.receipt.checkpointer import Checkpointer
from confide.receipt.commit import MAX_SALTS, Label, commit
from confide.receipt.issue import sign_receipt
from confide.receipt.log import Log
from confide.receipt.model import EngineRef, ModelRef, Outcome, Status
from scripts.vectors import _bundle as node
from scripts.vectors import _receipts as world

Case = dict[str, Any]
Make = Callable[[], bytes]
PROVENANCE = (
    "Made by scripts/vectors/receipt.py with keys from public seeds (SHA-256 of 'confide vectors: ' and a name), fixed salts and a "
    "fixed time. Every byte rebuilds but one bundle by the false vendor (scripts/vectors/_bundle.py) and one log proof, which are "
    "kept. The commitments are checked against HMAC-SHA-256 written out in tests/receipt/test_commit.py."
)


def build(previous: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    parts = (_commit, _salts, _trailers, _envelope, _statement, _outcome, _parameters, _checking, _ended, _commitments)
    cases = [case for part in parts for case in part()]
    kept = {case["id"]: case["input"] for case in previous["cases"]} if previous else {}
    cases += _offline(_kept(kept, "offline", "bundle", node.make), _kept(kept, "offline-logged", "proof", _proof))
    return {"spec": "spec/09-receipt.md", "generator": "scripts/vectors/receipt.py", "provenance": PROVENANCE, "cases": cases}


def accept(name: str, musts: str, op: str, given: Case, ok: Case) -> Case:
    """An accepting case."""
    return {"id": f"receipt-{name}", "musts": musts.split(), "kind": "accept", "op": op, "input": given, "expected": {"ok": ok}}


def reject(name: str, musts: str, op: str, given: Case, code: str) -> Case:
    """A rejecting case."""
    return {
        "id": f"receipt-{name}",
        "musts": musts.split(),
        "kind": "reject",
        "op": op,
        "input": given,
        "expected": {"error": code},
    }


def check_input(envelope: bytes, **given: Any) -> Case:
    """The input of `receipt.check`; bytes become hex, and `keyset` is that of the world unless given."""
    given = {"keyset": world.KEYSET.raw, **given}
    texts = {name: value.hex() if isinstance(value, bytes) else value for name, value in given.items()}
    return {"envelope": envelope.hex(), **texts}


def members(**changes: Any) -> Case:
    """What `receipt.check` returns for the world's receipt with these JSON members changed."""
    receipt = world.RECEIPT
    return {
        "keyset_digest": receipt.keyset_digest.hex(),
        "key_config_digest": receipt.key_config_digest.hex(),
        "enc_digest": receipt.enc_digest.hex(),
        "request_commitment": receipt.request_commitment.hex(),
        "response_commitment": receipt.response_commitment.hex(),
        "model": {
            "alias": "minilm",
            "package": world.MODEL.package.hex(),
            "parts": {name: part.hex() for name, part in world.MODEL.parts.items()},
        },
        "engine": {"name": "onnxruntime", "version": "1.23.0", "digest": world.ENGINE.digest.hex()},
        "software_digest": world.SOFTWARE.hex(),
        "parameters": {"normalize": True, "top_p": 0.5, "n": 2, "pooling": "mean"},
        "parameters_commitment": None,
        "outcome": {"status": "completed", "code": ""},
        "log_index": 2,
        "issued_at": "2026-11-25T12:00:00Z",
        "signer": receipt.signer.keyid,
        **changes,
    }


NOTHING_GIVEN = ["sealed request", "model digest", "outcome", "request commitment", "response commitment"]


def ok(not_checked: list[str] | None = None, **changes: Any) -> Case:
    """The `ok` of `receipt.check`."""
    return {"receipt": members(**changes), "not_checked": NOTHING_GIVEN if not_checked is None else not_checked}


def _commit() -> Iterator[Case]:
    for label in Label:
        for name, data in (("text", b"hi"), ("empty", b"")):
            salt = world.digest(f"salt for {label.value}")
            given = {"salt": salt.hex(), "label": label.value, "data": data.hex()}
            wanted = {"commitment": commit(salt, label, data).hex()}
            yield accept(f"commit-{label.value}-{name}", "RCP-1", "receipt.commit", given, wanted)
    for size in (0, 31, 33):
        given = {"salt": bytes(size).hex(), "label": "request", "data": ""}
        yield reject(f"commit-salt-of-{size}", "RCP-1", "receipt.commit", given, "receipt.salts")


def _salts() -> Iterator[Case]:
    plain = {"version": 1, "request": strictjson.b64(world.SALTS.request), "response": strictjson.b64(world.SALTS.response)}
    salt = world.digest("parameters salt")
    opened = {**plain, "parameters": {"salt": strictjson.b64(salt), "text": strictjson.b64(world.TEXT)}}
    wanted = {"request": world.SALTS.request.hex(), "response": world.SALTS.response.hex(), "parameters": None}
    wanted = {**wanted, "parameters_text": None}
    with_text = {**wanted, "parameters": salt.hex(), "parameters_text": world.TEXT.hex()}
    for name, value, result in (("plain", plain, wanted), ("with-parameters", opened, with_text)):
        yield accept(f"salts-{name}", "RCP-2", "receipt.salts", {"salts": strictjson.dumps(value).hex()}, result)
    bad: dict[str, bytes] = {
        "version-2": strictjson.dumps({**plain, "version": 2}),
        "no-version": strictjson.dumps({key: value for key, value in plain.items() if key != "version"}),
        "extra-member": strictjson.dumps({**plain, "note": ""}),
        "no-response": strictjson.dumps({"version": 1, "request": plain["request"]}),
        "short-salt": strictjson.dumps({**plain, "request": strictjson.b64(bytes(31))}),
        "long-salt": strictjson.dumps({**plain, "request": strictjson.b64(bytes(33))}),
        "not-base64": strictjson.dumps({**plain, "request": "!" * 44}),
        "text-without-salt": strictjson.dumps({**plain, "parameters": {"text": ""}}),
        "duplicate-member": strictjson.dumps(plain)[:-1] + b',"version":1}',
        "trailing-byte": strictjson.dumps(plain) + b"x",
        "empty": b"",
        "an-array": b"[]",
        "too-large": strictjson.dumps(plain) + b" " * MAX_SALTS,
    }
    for name, data in bad.items():
        yield reject(f"salts-{name}", "RCP-2", "receipt.salts", {"salts": data.hex()}, "receipt.salts")


def _trailers() -> Iterator[Case]:
    envelope, salts = world.signed(), world.SALTS.to_bytes()
    receipt_field = ["confide-receipt", base64.b64encode(envelope).decode()]
    salts_field = ["confide-salts", base64.b64encode(salts).decode()]
    for name, fields, result in (
        ("both", [["x", "y"], receipt_field, salts_field], {"envelope": envelope.hex(), "salts": salts.hex()}),
        ("none", [["x", "y"]], {"envelope": None, "salts": None}),
    ):
        yield accept(f"trailers-{name}", "RCP-3", "receipt.trailers", {"trailers": fields}, result)
    for name, fields, code in (
        ("receipt-twice", [receipt_field, receipt_field, salts_field], "receipt.malformed"),
        ("salts-twice", [receipt_field, salts_field, salts_field], "receipt.salts"),
        ("receipt-not-base64", [["confide-receipt", "{}"], salts_field], "receipt.malformed"),
        ("receipt-without-padding", [["confide-receipt", "eyI"], salts_field], "receipt.malformed"),
        ("receipt-second-spelling", [["confide-receipt", "eyJ="], salts_field], "receipt.malformed"),
        ("receipt-too-long", [["confide-receipt", "A" * 54620]], "receipt.malformed"),
        ("salts-not-ascii", [receipt_field, ["confide-salts", "\u00e9AAA"]], "receipt.salts"),
    ):
        yield reject(f"trailers-{name}", "RCP-3", "receipt.trailers", {"trailers": fields}, code)


def _envelope() -> Iterator[Case]:
    good = world.signed()
    value = json.loads(good)
    hinted = strictjson.dumps({**value, "signatures": [{"sig": value["signatures"][0]["sig"], "keyid": "not the keyid"}]})
    second = dsse.sign(
        statement.encode(world.RECEIPT), payload_type=statement.PAYLOAD_TYPE, keys=(world.OTHER_KEY, world.RECEIPT_KEY)
    )
    for name, data, musts in (
        ("minimal", good, "RCP-4 RCP-5 RCP-6 RCP-7"),
        ("keyid-is-a-hint", hinted, "RCP-5"),
        ("second-signature", second, "RCP-5"),
    ):
        yield accept(f"envelope-{name}", musts, "receipt.check", check_input(data), ok())
    flipped = strictjson.dumps({**value, "signatures": [{"sig": strictjson.b64(bytes(64))}]})
    other_payload = strictjson.dumps({**value, "payload": strictjson.b64(statement.encode(replace(world.RECEIPT, log_index=3)))})
    wrong_kind = dsse.sign(statement.encode(world.RECEIPT), payload_type="application/json", keys=(world.RECEIPT_KEY,))
    for name, data, code in (
        ("not-json", b"receipt", "receipt.malformed"),
        ("empty", b"", "receipt.malformed"),
        ("trailing-byte", good + b"}", "receipt.malformed"),
        ("duplicate-member", good[:-1] + b',"payload":""}', "receipt.malformed"),
        ("extra-member", strictjson.dumps({**value, "note": 1}), "receipt.malformed"),
        ("no-signature", strictjson.dumps({**value, "signatures": []}), "receipt.malformed"),
        ("nine-signatures", strictjson.dumps({**value, "signatures": value["signatures"] * 9}), "receipt.malformed"),
        ("payload-type", wrong_kind, "receipt.malformed"),
        ("too-large", good + b" " * statement.MAX_RECEIPT, "receipt.malformed"),
        ("payload-too-large", world.envelope(statement.encode(world.RECEIPT) + b" " * statement.MAX_PAYLOAD), "receipt.malformed"),
    ):
        yield reject(f"envelope-{name}", "RCP-4", "receipt.check", check_input(data), code)
    for name, data in (
        ("zero-signature", flipped),
        ("other-payload", other_payload),
        ("other-key", world.signed(world.OTHER_KEY)),
    ):
        yield reject(f"envelope-{name}", "RCP-5", "receipt.check", check_input(data), "receipt.signature")
    unparsed = dsse.sign(b"not a statement", payload_type=statement.PAYLOAD_TYPE, keys=(world.OTHER_KEY,))
    yield reject("envelope-signature-before-payload", "RCP-5", "receipt.check", check_input(unparsed), "receipt.signature")


def _statement() -> Iterator[Case]:
    built = {**members(), "outcome": {"status": "refused", "code": "engine.input"}, "parameters_commitment": "ab" * 32}
    del built["signer"]
    payload = statement.encode(
        replace(world.RECEIPT, outcome=Outcome(Status.REFUSED, "engine.input"), parameters_commitment=b"\xab" * 32)
    )
    yield accept("statement-bytes", "RCP-7 RCP-8", "receipt.statement", built, {"payload": payload.decode()})
    no_model = world.signed(model=None)
    yield accept("statement-no-model", "RCP-7", "receipt.check", check_input(no_model), ok(model=None))
    parts = {f"p{number:02}": world.digest(str(number)) for number in range(64)}
    wanted = {"alias": "minilm", "package": world.MODEL.package.hex(), "parts": {name: part.hex() for name, part in parts.items()}}
    full = world.signed(model=ModelRef("minilm", world.MODEL.package, parts))
    yield accept("statement-64-parts", "RCP-7", "receipt.check", check_input(full), ok(model=wanted))
    engine = {"name": "e", "version": "a b (c)", "digest": world.ENGINE.digest.hex()}
    spaced = world.signed(engine=EngineRef("e", "a b (c)", world.ENGINE.digest))
    yield accept("statement-engine-line", "RCP-7", "receipt.check", check_input(spaced), ok(engine=engine))

    base, put, drop, change = world.payload(), world.put, world.drop, world.changed
    newer = "https://confide.dev/receipt/v2"
    for name, value in (
        ("predicate-v2", change(base, "predicateType", put(newer))),
        ("predicate-v2-of-another-shape", {"_type": statement.STATEMENT_TYPE, "predicateType": newer, "other": []}),
        ("statement-v0.1", change(base, "_type", put("https://in-toto.io/Statement/v0.1"))),
    ):
        yield reject(f"version-{name}", "RCP-6", "receipt.check", check_input(world.envelope(value)), "receipt.version")
    hex64 = "0" * 64
    many = {f"p{number:02}": hex64 for number in range(65)}
    shapes = {
        "no-type": change(base, "_type", drop),
        "type-is-a-number": change(base, "_type", put(1)),
        "no-predicate": change(base, "predicate", drop),
        "extra-member": {**base, "note": 1},
        "extra-predicate-member": change(base, "predicate.note", put(1)),
        "one-subject": change(base, "subject", put(base["subject"][:1])),
        "three-subjects": change(base, "subject", put(base["subject"] + base["subject"][:1])),
        "subjects-swapped": change(base, "subject", put(base["subject"][::-1])),
        "subject-digest-sha256": change(base, "subject.0.digest", put({"sha256": hex64})),
        "upper-case-digest": change(base, "predicate.keyset_digest", put("AB" * 32)),
        "short-digest": change(base, "predicate.enc_digest", put("ab" * 31)),
        "digest-with-line-feed": change(base, "predicate.enc_digest", put("ab" * 32 + "\n")),
        "negative-log-index": change(base, "predicate.log_index", put(-1)),
        "log-index-is-a-string": change(base, "predicate.log_index", put("2")),
        "log-index-is-true": change(base, "predicate.log_index", put(True)),
        "no-model": change(base, "predicate.model", drop),
        "alias-with-escape": change(base, "predicate.model.alias", put("a\u001b[2J")),
        "65-parts": change(base, "predicate.model.parts", put(many)),
        "engine-null": change(base, "predicate.engine", put(None)),
        "time-with-offset": change(base, "predicate.issued_at", put("2026-11-25T12:00:00+00:00")),
        "time-with-fraction": change(base, "predicate.issued_at", put("2026-11-25T12:00:00.5Z")),
        "no-such-day": change(base, "predicate.issued_at", put("2026-02-30T12:00:00Z")),
    }
    for name, value in shapes.items():
        yield reject(f"shape-{name}", "RCP-7", "receipt.check", check_input(world.envelope(value)), "receipt.malformed")
    for name, data in (("not-json", b"{"), ("an-array", b"[]"), ("duplicate", b'{"_type":"","_type":""}')):
        yield reject(f"shape-{name}", "RCP-7", "receipt.check", check_input(world.envelope(data)), "receipt.malformed")


def _outcome() -> Iterator[Case]:
    for status in (Status.REFUSED, Status.FAILED, Status.ABORTED):
        data = world.signed(outcome=Outcome(status, "engine.input"))
        wanted = ok(outcome={"status": status.value, "code": "engine.input"})
        yield accept(f"outcome-{status.value}", "RCP-8", "receipt.check", check_input(data), wanted)
    base = world.payload()
    for name, outcome in (
        ("completed-with-code", {"status": "completed", "code": "engine.input"}),
        ("refused-without-code", {"status": "refused"}),
        ("unknown", {"status": "unknown", "code": "engine.input"}),
        ("code-with-space", {"status": "refused", "code": "engine.a word"}),
        ("code-without-area", {"status": "refused", "code": "engine"}),
    ):
        data = world.envelope(world.changed(base, "predicate.outcome", world.put(outcome)))
        yield reject(f"outcome-{name}", "RCP-8", "receipt.check", check_input(data), "receipt.malformed")
    built = members()
    del built["signer"]
    for name, word, code in (("completed", "completed", "engine.input"), ("refused", "refused", ""), ("code", "failed", "X!")):
        given = {**built, "outcome": {"status": word, "code": code}}
        yield reject(f"make-outcome-{name}", "RCP-8", "receipt.statement", given, "receipt.field")
    model = {"alias": "a model", "package": world.MODEL.package.hex(), "parts": {}}
    yield reject("make-alias-with-space", "RCP-7", "receipt.statement", {**built, "model": model}, "receipt.field")


def _parameters() -> Iterator[Case]:
    splits: tuple[tuple[str, Case, Case, list[str]], ...] = (
        ("none", {}, {}, []),
        (
            "scalars",
            {"normalize": True, "top_p": 0.25, "n": 3, "seed": 0},
            {"normalize": True, "top_p": 0.25, "n": 3, "seed": 0},
            [],
        ),
        ("words", {"pooling": "cls", "encoding_format": "base64"}, {"pooling": "cls", "encoding_format": "base64"}, []),
        ("stop-words", {"n": 1, "stop": ["secret"]}, {"n": 1}, ["stop"]),
        ("unknown-name", {"mood": 3}, {}, ["mood"]),
        ("word-not-listed", {"pooling": "secret"}, {}, ["pooling"]),
        ("text-for-number", {"temperature": "secret"}, {}, ["temperature"]),
        ("number-for-boolean", {"normalize": 1}, {}, ["normalize"]),
        ("boolean-for-number", {"n": True}, {}, ["n"]),
        ("fraction-for-integer", {"n": 1.5}, {}, ["n"]),
        ("huge-number", {"top_p": 1e300}, {}, ["top_p"]),
    )
    for name, parameters, clear, committed in splits:
        wanted = {"clear": clear, "committed": committed, "commitment": bool(committed)}
        yield accept(f"parameters-{name}", "RCP-9", "receipt.parameters", {"parameters": parameters}, wanted)
    large = {"parameters": {"stop": "x" * (64 << 10)}}
    yield reject("parameters-too-large", "RCP-9", "receipt.parameters", large, "receipt.field")
    base = world.payload()
    in_clear: tuple[tuple[str, Case], ...] = (
        ("free-text", {"stop": "a few secret words"}),
        ("list", {"stop": ["secret"]}),
        ("null", {"stop": None}),
        ("object", {"schema": {}}),
        ("name", {"Stop words": 1}),
        ("33", {f"p{number}": number for number in range(33)}),
    )
    for name, given in in_clear:
        data = world.envelope(world.changed(base, "predicate.parameters", world.put(given)))
        yield reject(f"parameters-in-clear-{name}", "RCP-9", "receipt.check", check_input(data), "receipt.malformed")


def _checking() -> Iterator[Case]:
    yield from _against_keyset()
    yield from _against_channel()
    yield from _against_models()


def _against_keyset() -> Iterator[Case]:
    first = world.signed(issued_at=world.KEYSET.not_before)
    last = world.signed(issued_at=world.KEYSET.not_after - timedelta(seconds=1))
    yield accept("keyset", "RCP-10 RCP-11 RCP-12 RCP-13", "receipt.check", check_input(world.signed()), ok())
    for name, data, time in (("first", first, "2026-11-25T11:00:00Z"), ("last", last, "2026-11-26T10:59:59Z")):
        yield accept(f"time-{name}-second", "RCP-12", "receipt.check", check_input(data), ok(issued_at=time))
    rotated = world.keyset(world.RECEIPT_KEY, ohttp_key_configs=[world.SECOND_KEY_CONFIG])
    given = check_input(world.signed(), keyset=rotated.raw)
    yield reject("keyset-of-another-epoch", "RCP-10", "receipt.check", given, "receipt.keyset")
    other = check_input(world.signed(software_digest=world.digest("other software")))
    yield reject("software-other", "RCP-11", "receipt.check", other, "receipt.software")
    for name, moment in (("before", world.KEYSET.not_before - timedelta(seconds=1)), ("end", world.KEYSET.not_after)):
        yield reject(f"time-{name}", "RCP-12", "receipt.check", check_input(world.signed(issued_at=moment)), "receipt.time")


def _against_channel() -> Iterator[Case]:
    rest = [what for what in NOTHING_GIVEN if what != "sealed request"]
    given = check_input(world.signed(), enc=world.ENC, key_config=world.KEY_CONFIG)
    yield accept("channel", "RCP-13 RCP-14", "receipt.check", given, ok(rest))
    unknown = check_input(world.signed(key_config_digest=world.digest("a key of nobody")))
    second = check_input(world.signed(), key_config=world.SECOND_KEY_CONFIG)
    for name, value in (("not-in-keyset", unknown), ("not-the-one-used", second)):
        yield reject(f"key-config-{name}", "RCP-13", "receipt.check", value, "receipt.key_config")
    replayed = check_input(world.signed(), enc=world.digest("another enc"), key_config=world.KEY_CONFIG)
    yield reject("enc-of-another-request", "RCP-14", "receipt.check", replayed, "receipt.enc")


def _against_models() -> Iterator[Case]:
    rest = [what for what in NOTHING_GIVEN if what != "model digest"]
    package, other = world.MODEL.package.hex(), world.digest("other package").hex()
    given = check_input(world.signed(), models=[other, package])
    yield accept("model-listed", "RCP-15", "receipt.check", given, ok(rest))
    refused = world.signed(outcome=Outcome(Status.REFUSED, "engine.input"))
    outcome = {"status": "refused", "code": "engine.input"}
    yield accept("model-refused", "RCP-15", "receipt.check", check_input(refused, models=[other]), ok(outcome=outcome))
    failed = world.signed(outcome=Outcome(Status.FAILED, "engine.worker_died"))
    for name, data, models in (
        ("other", world.signed(), [other]),
        ("none-accepted", world.signed(), []),
        ("none-named", world.signed(model=None), [package]),
        ("failed", failed, [other]),
    ):
        yield reject(f"model-{name}", "RCP-15", "receipt.check", check_input(data, models=models), "receipt.model")


def _ended() -> Iterator[Case]:
    rest = [what for what in NOTHING_GIVEN if what != "outcome"]
    failed, outcome = world.signed(outcome=Outcome(Status.FAILED, "engine.input")), {"status": "failed", "code": "engine.input"}
    yield accept("succeeded", "RCP-16", "receipt.check", check_input(world.signed(), succeeded=True), ok(rest))
    yield accept("did-not-succeed", "RCP-16", "receipt.check", check_input(failed, succeeded=False), ok(rest, outcome=outcome))
    for name, data, succeeded in (("succeeded-but-failed", failed, True), ("failed-but-completed", world.signed(), False)):
        yield reject(name, "RCP-16", "receipt.check", check_input(data, succeeded=succeeded), "receipt.outcome")


def _commitments() -> Iterator[Case]:
    plain, salts, text = world.signed(), world.SALTS.to_bytes(), world.SALTS_WITH_TEXT.to_bytes()
    sealed = commit(world.digest("parameters salt"), Label.PARAMETERS, world.TEXT)
    with_text = world.signed(parameters_commitment=sealed)
    exchange = {"request": world.REQUEST, "response": world.RESPONSE}
    rest = ["sealed request", "model digest", "outcome"]
    yield accept("commitments", "RCP-17", "receipt.check", check_input(plain, salts=salts, **exchange), ok(rest))
    wanted = ok(rest, parameters_commitment=sealed.hex())
    yield accept("commitments-with-parameters", "RCP-17", "receipt.check", check_input(with_text, salts=text, **exchange), wanted)
    only = check_input(plain, salts=salts, request=world.REQUEST)
    yield accept("commitments-request-only", "RCP-17", "receipt.check", only, ok([*rest, "response commitment"]))
    unopened = ok([*NOTHING_GIVEN, "parameters commitment"], parameters_commitment=sealed.hex())
    yield accept("commitments-unopened", "RCP-17", "receipt.check", check_input(with_text), unopened)
    swapped = replace(world.SALTS, request=world.SALTS.response, response=world.SALTS.request).to_bytes()
    lied = replace(world.SALTS_WITH_TEXT, parameters_text=b'{"stop":[]}').to_bytes()
    for name, data, given, code in (
        ("request", plain, {"salts": salts, **exchange, "request": world.REQUEST[:-1]}, "receipt.request"),
        ("response", plain, {"salts": salts, **exchange, "response": world.RESPONSE + b"\x00"}, "receipt.response"),
        ("salts-swapped", plain, {"salts": swapped, **exchange}, "receipt.request"),
        ("request-without-salts", plain, {"request": world.REQUEST}, "receipt.salts"),
        ("response-without-salts", plain, {"response": world.RESPONSE}, "receipt.salts"),
        ("parameters", with_text, {"salts": lied, **exchange}, "receipt.parameters"),
        ("parameters-not-opened", with_text, {"salts": salts, **exchange}, "receipt.parameters"),
        ("parameters-not-committed", plain, {"salts": text, **exchange}, "receipt.parameters"),
    ):
        yield reject(f"commitments-{name}", "RCP-17", "receipt.check", check_input(data, **given), code)


OFFLINE = sign_receipt(node.RECEIPT, key=world.RECEIPT_KEY)


def _kept(kept: dict[str, Case], name: str, member: str, make: Make) -> bytes:
    """The committed bytes of a random input, or fresh ones. The expected answers prove that the kept ones still verify."""
    given = kept.get(f"receipt-{name}", {})
    return bytes.fromhex(given[member]) if member in given else make()


def _proof() -> bytes:
    log = Log()
    for leaf in (OFFLINE, b"another", b"a third"):
        log.append(leaf)
    return Checkpointer(log, (world.RECEIPT_KEY, world.LOG_KEY)).prove(0, world.AT).to_bytes()


def _offline(bundle: bytes, proof: bytes) -> Iterator[Case]:
    root = {"kind": node.ROOT.kind.value, "name": node.ROOT.name, "der": node.ROOT.der.hex(), "simulated": True}
    given: Case = {"envelope": OFFLINE.hex(), "bundle": bundle.hex(), "policy": node.policy().hex(), "roots": [root]}
    exchange = {"request": world.REQUEST.hex(), "response": world.RESPONSE.hex(), "salts": world.SALTS.to_bytes().hex()}
    keyset, key = node.KEYSET.digest.hex(), node.RECEIPT.key_config_digest.hex()
    wanted = members(keyset_digest=keyset, key_config_digest=key, log_index=0)
    accepted = {"receipt": wanted, "simulated": True, "logged": None}
    yield accept("offline", "RCP-18", "receipt.verify", given, accepted)
    yield accept("offline-with-exchange", "RCP-17 RCP-18", "receipt.verify", {**given, **exchange}, accepted)
    yield accept("offline-logged", "RCP-18", "receipt.verify", {**given, "proof": proof.hex()}, {**accepted, "logged": 3})
    required = {"policy": node.policy(require={"log_proof": True}).hex()}
    yield accept(
        "offline-logged-as-required",
        "RCP-19",
        "receipt.verify",
        {**given, **required, "proof": proof.hex()},
        {**accepted, "logged": 3},
    )
    yield reject("offline-log-required", "RCP-19", "receipt.verify", {**given, **required}, "receipt.log_required")
    late = sign_receipt(replace(node.RECEIPT, issued_at=node.KEYSET.not_after), key=world.RECEIPT_KEY)
    stranger = sign_receipt(node.RECEIPT, key=world.OTHER_KEY)
    other = replace(node.RECEIPT, keyset_digest=world.digest("another keyset"))
    for name, changes, code in (
        ("stranger", {"envelope": stranger.hex()}, "receipt.signature"),
        ("another-keyset", {"envelope": sign_receipt(other, key=world.RECEIPT_KEY).hex()}, "receipt.keyset"),
        ("late", {"envelope": late.hex()}, "receipt.time"),
        ("model-not-in-policy", {"policy": node.policy(models={}).hex()}, "receipt.model"),
        ("model-under-another-alias", {"policy": node.policy(models={"x": [world.MODEL.package.hex()]}).hex()}, "receipt.model"),
        ("policy-expired", {"policy": node.policy(expires="2026-11-25T12:00:00Z").hex()}, "policy.expired"),
        ("production-policy", {"policy": node.policy(unsafe_accept_simulated=False).hex()}, "policy.simulated"),
        ("another-request", {**exchange, "request": "00"}, "receipt.request"),
        ("proof-of-another-receipt", {"proof": _with_index(proof, 1).hex()}, "log.index"),
    ):
        yield reject(f"offline-{name}", "RCP-18", "receipt.verify", {**given, **changes}, code)


def _with_index(proof: bytes, index: int) -> bytes:
    return strictjson.dumps({**json.loads(proof), "index": index})
