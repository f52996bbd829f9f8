"""Files that people are given, and what vendors' services say: policies, envelopes, reference values, bundles, collateral.

Each gives a value or our error; an envelope that is believed says what was signed. Left to others: evidence (`targets`).
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import tomli_w
from scripts.vectors import _node as node
from tests.attest.dcap import world as dcap_world
from tests.attest.nvidia import world as nvidia_world
from tests.attest.snp import world as snp_world
from tests.fuzz.target import Items, Target, parser
from tests.policy.reference import manifests
from tests.policy.world import World, members

from confide.attest.evidence import Kind
from confide.collateral.bundles import contents
from confide.collateral.fetch import Answer, Question
from confide.collateral.files import completed
from confide.collateral.intel import CRL_CHAIN, QE_CHAIN, TCB_CHAIN, fetch_intel
from confide.collateral.nvidia import fetch_manifest
from confide.collateral.services import Services
from confide.collateral.windows import ends_of
from confide.formats import dsse
from confide.policy.load import load_policy, sign_policy
from confide.policy.reference import corim, plain
from confide_sim import arm

MIB = 1 << 20
ZERO, HARDWARE = "00" * 32, {"measurements": ["5a" * 48], "minimum_tcb": "unsafe_ignored"}
ENTRIES: list[dict[str, Any]] = [
    {"tee": "tdx", "mr_tds": ["5a" * 48], **{f"rtmr{index}": ["00" * 48] for index in range(3)}},
    {"tee": "sgx", "mr_signers": ["51" * 32], "isv_prod_ids": [7], "minimum_isv_svn": 2},
    {"tee": "tpm", "pcrs": {"4": [ZERO]}, "allow_host_trusted": "unsafe_ignored", "secure_boot": True},
    {"tee": "az-snp-vtpm", "pcrs": {"4": [ZERO]}, "snp": HARDWARE},
    {"tee": "nitro", "pcrs": {str(index): ["00" * 48] for index in range(3)}},
    {"tee": "nvidia", "architectures": ["GH100"]},
    {
        "tee": "cca",
        "platform_keys": [arm.root().der.hex()],
        "rims": [arm.RIM.hex()],
        "firmware": [value.hex() for value in arm.FIRMWARE.values()],
    },
]
POLICY = members()
POLICY["accept"] += ENTRIES
SIGNER = node.AUTHORITY


def envelope(data: bytes, open_: Callable[[bytes], Any]) -> Target:
    """An envelope, in which nothing that was signed may be different."""
    whole = open_(data)

    def run(items: Items) -> object:
        found = open_(items["data"])
        if found != whole:
            raise AssertionError("a changed envelope says something else and was believed")
        return found

    return Target({"data": data}, run)


def _signed_policy() -> Target:
    signed = sign_policy(json.dumps(POLICY).encode(), keys=(SIGNER,))
    return envelope(signed, lambda data: load_policy(data, keys=(SIGNER.public,)).digest)


def _dsse() -> Target:
    kind = "application/fuzz"
    signed = dsse.sign(b'{"a":1}', payload_type=kind, keys=(SIGNER,))
    return envelope(signed, lambda data: dsse.verify(data, payload_type=kind, keys=(SIGNER.public,)))


def _signed_corim() -> Target:
    key = manifests.KEY.public_key()
    return envelope(manifests.signed(manifests.corim()), lambda data: corim.read(data, signer=key, now=manifests.NOW).found)


def _references() -> Target:
    given = [{"tee": "snp", "measurements": ["5a" * 48]}, {"tee": "tpm", "pcrs": {"4": [ZERO]}}]
    file = json.dumps({"version": 1, "name": "image 7", "references": given}).encode()
    return parser(file, lambda data: plain.read(data, limit=MIB))


def _bundle() -> Target:
    def read(data: bytes) -> object:
        whole = completed(data)
        return contents(whole)

    return parser(World().document(), read)


def _ends() -> Target:
    """Each piece of collateral, by role: unreadable ones have no end."""
    gpu = nvidia_world.gpu()
    intel = dcap_world.platform(Kind.TDX).endorsements().items
    amd = snp_world.chip().endorsements().items
    nvidia = {"ocsp": gpu.ocsp(), "rim-driver": gpu.rim("driver", indexes=(7, 35))}
    return Target({**intel, **amd, **nvidia}, lambda items: [ends_of(role, value) for role, value in items.items()])


class Scripted:
    """A vendor's service: answers in their order, those of Intel with a chain in a header."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)

    def ask(self, _: Question, /) -> Answer:
        """The next."""
        return self._answers.pop(0)


def _pcs() -> Target:
    given = dcap_world.platform(Kind.TDX).endorsements().items
    headers = {"tcb-info": TCB_CHAIN, "qe-identity": QE_CHAIN, "pck-crl": CRL_CHAIN}
    items = {role: given[role] for role in (*headers, "root-crl")}  # in the order in which they are asked for
    chains = {f"{role}-chain": quote(given[f"{role}-chain"]).encode() for role in headers}

    def run(asked: Items) -> object:
        said = [
            Answer(asked[role], {headers[role][0]: asked[f"{role}-chain"].decode("latin-1")} if role in headers else {})
            for role in items
        ]
        return fetch_intel(Scripted(*said), Services(), tee="tdx", fmspc=bytes(6), ca="processor")

    return Target({**items, **chains}, run)


def _rim_service() -> Target:
    manifest = nvidia_world.gpu().rim("driver", indexes=(7, 35))
    said = {"id": "NV_RIM", "rim": base64.b64encode(manifest).decode(), "sha256": hashlib.sha256(manifest).hexdigest()}
    return parser(json.dumps(said).encode(), lambda data: fetch_manifest("NV_RIM", Scripted(Answer(data)), Services()))


TARGETS: Mapping[str, Callable[[], Target]] = {
    "policy-toml": lambda: parser(tomli_w.dumps(POLICY).encode(), load_policy),
    "policy-json": lambda: parser(json.dumps(POLICY).encode(), load_policy),
    "policy-signed": _signed_policy,
    "dsse": _dsse,
    "corim-signed": _signed_corim,
    "references": _references,
    "bundle": _bundle,
    "collateral-ends": _ends,
    "pcs": _pcs,
    "rim-service": _rim_service,
}
