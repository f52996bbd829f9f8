"""A bundle of the false node that signed the world's receipts, and a policy that accepts it, for offline judgement.

The chip's key and the vendor's signatures are random, so the committed bundle is kept. Left to others: receipts (`_receipts`).
"""

import hashlib
import json
from dataclasses import replace
from typing import Any

from confide.attest.binding import NO_NONCES, binding
from confide.attest.document import build_document
from confide.attest.keyset import Keyset
from confide.attest.snp.layout import Product
from confide.policy.accept.snp import components_of
from confide.receipt.model import Receipt
from confide_sim.amd import TCBS, FalseChip, root
from scripts.vectors import _receipts as world

MEASUREMENT = b"\x5a" * 48
XWING_CONFIG = b"\x01\x64\x7a" + hashlib.shake_256(b"confide vectors: x-wing key").digest(1216) + b"\x00\x04\x00\x01\x00\x02"
KEYSET = world.keyset(world.RECEIPT_KEY, world.LOG_KEY, ohttp_key_configs=[XWING_CONFIG])
ROOT = root(Product.MILAN)
RECEIPT: Receipt = replace(
    world.RECEIPT, keyset_digest=KEYSET.digest, key_config_digest=hashlib.sha256(XWING_CONFIG).digest(), log_index=0
)


def make(keyset: Keyset = KEYSET) -> bytes:
    """A fresh bundle, made for nobody's nonce at the receipt's time."""
    chip = FalseChip(Product.MILAN, at=world.AT, chip_id=b"\x0c" * 64)
    bound = binding(nonces=NO_NONCES, keyset=keyset.raw)
    return build_document(
        keyset=keyset,
        evidence=chip.evidence(report_data=bound, measurement=MEASUREMENT),
        endorsements=chip.endorsements(),
        issued_at=world.AT,
    )


def policy(**changes: Any) -> bytes:
    """The policy in JSON; `changes` replace top-level members."""
    tcb = TCBS[Product.MILAN]
    members: dict[str, Any] = {
        "version": 1,
        "name": "receipts",
        "serial": 1,
        "expires": "2027-01-01T00:00:00Z",
        "unsafe_accept_simulated": True,
        "accept": [
            {
                "tee": "snp",
                "measurements": [MEASUREMENT.hex()],
                "minimum_tcb": {"Milan": {name: getattr(tcb, name) for name in components_of(Product.MILAN)}},
            }
        ],
        "node": {
            "role": "node",
            "authority_key": "none",
            "config_digests": [KEYSET.config_digest.hex()],
            "software_digests": [world.SOFTWARE.hex()],
        },
        "require": {},
        "models": {"minilm": [world.MODEL.package.hex()]},
    }
    return json.dumps({**members, **changes}).encode()
