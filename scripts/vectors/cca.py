"""vectors/07h-cca.json. Keys follow from labels and signatures are deterministic: the file rebuilds byte for byte."""

from collections.abc import Iterator
from typing import Any

from tests.attest.cca.test_validate import ACCEPTED, REFUSED
from tests.attest.cca.test_verify import LIES, WRAPPERS
from tests.attest.cca.world import CHALLENGE, OTHER_ROOT, REALM, STRICT

from confide.attest.cca.validate import CcaConstraints
from confide.attest.constraints import Ignored
from confide.codes import Code
from confide_sim import arm
from scripts.vectors._cases import accept, reject
from scripts.vectors.tpm import slug

Case = dict[str, Any]
PROVENANCE = (
    "Made by scripts/vectors/cca.py with the false Arm of confide-sim, whose private keys are public. Keys follow from labels, and "
    "signatures are deterministic."
)
MUSTS = {  # of a lie, by its code
    Code.CBOR_MALFORMED: "CCA-1",
    Code.CBOR_TOO_LARGE: "CCA-1",
    Code.COSE_SHAPE: "CCA-2",
    Code.COSE_ALGORITHM: "CCA-2 CCA-9",
    Code.COSE_SIGNATURE: "CCA-3 CCA-9",
    Code.CCA_ANCHOR: "CCA-3",
    Code.CCA_PROFILE: "CCA-6",
    Code.CCA_BINDING: "CCA-7",
    Code.CCA_TOKEN: "CCA-8",
    Code.CCA_PLATFORM_KEY: "CCA-10",
    Code.CCA_LIFECYCLE: "CCA-11",
    Code.CCA_RIM: "CCA-12",
    Code.CCA_REM: "CCA-13",
    Code.CCA_COMPONENT: "CCA-14",
    Code.CCA_PERSONALIZATION: "CCA-15",
    Code.CCA_IMPLEMENTATION: "CCA-15",
    Code.CCA_INSTANCE: "CCA-15",
    Code.CCA_CONFIG: "CCA-15",
    Code.CCA_MEMORY: "CCA-16",
    Code.CCA_LIVE_FIRMWARE: "CCA-17",
    Code.CCA_DEVICES: "CCA-17",
}
LONG = frozenset({"too much"})


def given(*, keys: list[bytes] | None = None, **token: Any) -> dict[str, Any]:
    """The input of `cca.authenticate`; `token` are overrides of the false realm's."""
    made = REALM.token(CHALLENGE, **token)
    return {"token": made.hex(), "keys": [key.hex() for key in (keys if keys is not None else [arm.root().der])]}


def judged(constraints: CcaConstraints = STRICT, *, binding: bytes | None = None, **token: Any) -> dict[str, Any]:
    """The input of `cca.validate`: an entry that names what runs, unless `constraints` say else."""
    value = {**given(**token), "constraints": entry(constraints)}
    return value if binding is None else {**value, "binding": binding.hex()}


def entry(constraints: CcaConstraints) -> dict[str, Any]:
    """Constraints in the words of a policy, without what is absent."""
    names = [name for name in CcaConstraints.__dataclass_fields__ if name != "rems"]
    found = {name: _plain(getattr(constraints, name)) for name in names}
    found |= {f"rem{index}": _plain(value) for index, value in enumerate(constraints.rems)}
    return {name: value for name, value in found.items() if value is not None and value is not False}


def _plain(value: Any) -> Any:
    if isinstance(value, Ignored):
        return value.value
    return [item.hex() for item in value] if isinstance(value, tuple) else value


def build(_: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    return {
        "spec": "spec/07h-cca.md",
        "generator": "scripts/vectors/cca.py",
        "provenance": PROVENANCE,
        "cases": [*_genuine(), *_lies(), *_claims(), *_acceptable(), *_unacceptable()],
    }


def _genuine() -> Iterator[Case]:
    every = " ".join(f"CCA-{number}" for number in range(1, 10))
    raw: dict[str, Any] = {"realm": {44237: REALM.raw_key(), 265: ...}, "platform": {265: "http://arm.com/CCA-SSD/1.0.0"}}
    hesrak: dict[str, Any] = {"newer": True, "platform": {265: arm.NEW + ";HESRAK", 10: CHALLENGE}}
    unknown: dict[str, Any] = {"platform": {70000: 1}, "realm": {70001: "x"}}
    for what, musts, value in (
        ("a token of 2023", every, given()),
        ("a token of 2026", every, given(newer=True)),
        ("a raw point", "CCA-6 CCA-8", given(**raw)),
        ("a key in the hardware", "CCA-7", given(**hesrak)),
        ("unknown claims", "CCA-4 CCA-5", given(**unknown)),
        ("one of two pinned keys", "CCA-3", given(keys=[OTHER_ROOT.der, arm.root().der])),
    ):
        yield accept(f"cca-authenticate-accept-{slug(what)}", musts, "cca.authenticate", value)


def _lies() -> Iterator[Case]:
    name = "cca-authenticate-reject-{}"
    for what, (code, lie) in LIES.items():
        yield reject(name.format(slug(what)), MUSTS[code], "cca.authenticate", given(**lie), code)
    for what, (code, wrapped) in WRAPPERS.items():
        musts = "CCA-1" if code is not Code.COSE_SIGNATURE else "CCA-3"
        value = {**given(), "zeros": 1 << 19} if what in LONG else given(wrapped=wrapped)
        yield reject(name.format(slug(what)), musts, "cca.authenticate", value, code)
    yield reject(name.format("no-pinned-key"), "CCA-3", "cca.authenticate", given(keys=[]), Code.CCA_ANCHOR)
    yield reject(name.format("another-pinned-key"), "CCA-3", "cca.authenticate", given(keys=[OTHER_ROOT.der]), Code.COSE_SIGNATURE)
    yield reject(name.format("a-pinned-key-that-is-none"), "CCA-3", "cca.authenticate", given(keys=[b"\x30\x00"]), Code.CCA_ANCHOR)


def _claims() -> Iterator[Case]:
    """One of each table's rows; the tests have them all."""
    wrong: dict[str, dict[int, Any]] = {
        "platform": {265: ..., 10: bytes(31), 2396: bytes(31), 256: bytes(33), 2395: -1, 2401: "x", 2399: [], 2402: 7, 2394: 0},
        "realm": {
            10: bytes(32),
            44235: b"",
            44238: bytes(47),
            44239: [],
            44236: "",
            44237: "x",
            44240: ...,
            44243: 2,
            44244: 2,
            44257: b"",
        },
    }
    for side, claims in wrong.items():
        musts = "CCA-4" if side == "platform" else "CCA-5"
        for number, value in claims.items():
            lie: dict[str, Any] = {side: {number: value}}
            name = f"cca-authenticate-reject-{side}-claim-{number}"
            yield reject(name, musts, "cca.authenticate", given(**lie), Code.CCA_TOKEN)


def _acceptable() -> Iterator[Case]:
    op = "cca.validate"
    yield accept("cca-validate-accept-strict", "CCA-10 CCA-11 CCA-12 CCA-13 CCA-14 CCA-17 CCA-18", op, judged(binding=CHALLENGE))
    for what, (constraints, token) in ACCEPTED.items():
        musts = "CCA-11 CCA-13 CCA-14 CCA-15 CCA-16 CCA-17"
        yield accept(f"cca-validate-accept-{slug(what)}", musts, op, judged(constraints, **token))


def _unacceptable() -> Iterator[Case]:
    for what, (code, constraints, token) in REFUSED.items():
        yield reject(f"cca-validate-reject-{slug(what)}", MUSTS[code], "cca.validate", judged(constraints, **token), code)
    other = judged(binding=bytes(64))
    yield reject("cca-validate-reject-another-binding", "CCA-18", "cca.validate", other, Code.BINDING_MISMATCH)
