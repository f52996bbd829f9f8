"""A false node, its owner and a policy that accepts it, in memory. Everything holds unless one thing is overridden.

The vendor is false (`confide_sim`), the verifier is the real one. Keys are made from fixed seeds; signatures by the chip are not.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

import confide_sim
from confide.attest.admission import Admission, sign_admission
from confide.attest.binding import NO_NONCES, binding, nonce_path, nonces_root
from confide.attest.document import NoncePath, build_document
from confide.attest.keyset import Keyset, build_keyset
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.snp.layout import Product, SigningKey
from confide.attest.snp.validate import SnpConstraints
from confide.formats import dsse
from confide.policy.accept.snp import components_of
from confide.policy.load import load_policy
from confide.policy.model import Policy
from confide_sim.amd import FalseChip

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
NONCE = hashlib.sha256(b"the caller's nonce").digest()
OTHERS = (hashlib.sha256(b"another caller's").digest(), hashlib.sha256(b"a third one's").digest())
MEASUREMENT = b"\x5a" * 48
CONFIG = hashlib.sha256(b"configuration").digest()
SOFTWARE = hashlib.sha256(b"software").digest()
MODEL = hashlib.sha256(b"model").digest()
XWING = b"\x01\x64\x7a" + b"\x11" * 1216 + b"\x00\x04\x00\x01\x00\x02"
X25519 = b"\x02\x00\x20" + b"\x22" * 32 + b"\x00\x04\x00\x01\x00\x01"
ROOTS = (*VENDOR_ROOTS, *confide_sim.roots())


def ed25519(seed: int) -> dsse.SigningKey:
    """A signing key from a seed."""
    return dsse.SigningKey(dsse.SignatureAlgorithm.ED25519, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def ml_dsa(seed: int) -> dsse.SigningKey:
    """A post-quantum signing key from a seed."""
    return dsse.SigningKey(dsse.SignatureAlgorithm.ML_DSA_65, MLDSA65PrivateKey.from_seed_bytes(bytes([seed]) * 32))


OWNER = ed25519(1)
RECEIPTS = ed25519(2)
STRANGER = ed25519(3)
POLICY_SIGNER = ed25519(4)


def keyset(**overrides: Any) -> Keyset:
    """The keyset of the false node."""
    fields: dict[str, Any] = {
        "node_id": b"\x07" * 32,
        "ohttp_key_configs": [X25519, XWING],
        "receipt_keys": [RECEIPTS.public],
        "software_digest": SOFTWARE,
        "config_digest": CONFIG,
        "models": {"minilm": MODEL},
        "not_before": NOW - timedelta(hours=1),
        "not_after": NOW + timedelta(hours=23),
    }
    return build_keyset(**(fields | overrides))


def admission(keys: Keyset, chip: FalseChip, *, key: dsse.SigningKey = OWNER, **overrides: Any) -> bytes:
    """The owner's admission of this node on this chip."""
    fields: dict[str, Any] = {
        "node_id": keys.node_id,
        "node_key": keys.receipt_keys[0].keyid,
        "platform_id": chip.chip_id.hex(),
        "place": "Paris, rack 4",
        "not_before": NOW - timedelta(hours=1),
        "not_after": NOW + timedelta(hours=8),
    }
    return sign_admission(Admission(**(fields | overrides)), key=key)


@dataclass
class World:
    """One node at one moment. `report` and `collateral` override single fields of the evidence."""

    product: Product = Product.MILAN
    signing_key: SigningKey = SigningKey.VCEK
    keys: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    collateral: Mapping[str, Any] = field(default_factory=dict)
    admitted: Mapping[str, Any] | None = None
    nonces: Sequence[bytes] = (*OTHERS, NONCE)
    at: datetime = NOW
    chip: FalseChip = field(init=False)
    keyset: Keyset = field(init=False)

    def __post_init__(self) -> None:
        self.chip = FalseChip(self.product, signing_key=self.signing_key, at=self.at, chip_id=b"\x0c" * 64)
        self.keyset = keyset(**self.keys)

    def document(self, **overrides: Any) -> bytes:
        """The document as the node hands it out; overrides are arguments of `build_document`, or `bound` for another binding."""
        root, path = self._nonces()
        keys = overrides.pop("keyset", self.keyset)
        bound = overrides.pop("bound", None) or binding(nonces=root, keyset=self.keyset.raw)
        fields: dict[str, Any] = {
            "keyset": keys,
            "nonces": root,
            "nonce_path": path,
            "evidence": self.chip.evidence(report_data=bound, measurement=MEASUREMENT, **self.report),
            "endorsements": self.chip.endorsements(**self.collateral),
            "admission": None if self.admitted is None else admission(self.keyset, self.chip, **self.admitted),
            "issued_at": self.at,
        }
        return build_document(**(fields | overrides))

    def _nonces(self) -> tuple[bytes, NoncePath | None]:
        if not self.nonces:
            return NO_NONCES, None
        index = len(self.nonces) - 1
        return nonces_root(self.nonces), NoncePath(index, len(self.nonces), tuple(nonce_path(self.nonces, index)))


def members(product: Product = Product.MILAN, **overrides: Any) -> dict[str, Any]:
    """The members of a policy that accepts the false node. An override of None removes; dotted names reach into tables."""
    chip = FalseChip(product, at=NOW, chip_id=b"\x0c" * 64)
    tables: dict[str, Any] = {
        "version": 1,
        "name": "demo",
        "serial": 3,
        "expires": "2026-12-31T00:00:00Z",
        "unsafe_accept_simulated": True,
        "accept": [
            {
                "tee": "snp",
                "measurements": [MEASUREMENT.hex()],
                "minimum_tcb": {product.value: {name: getattr(chip.tcb, name) for name in components_of(product)}},
            }
        ],
        "node": {
            "role": "node",
            "authority_key": "none",
            "config_digests": [CONFIG.hex()],
            "software_digests": [SOFTWARE.hex()],
        },
        "require": {},
        "models": {"minilm": [MODEL.hex()]},
    }
    for name, value in overrides.items():
        _set(tables, name.split("__"), value)
    return tables


def _set(tables: Any, path: Sequence[str], value: Any) -> None:
    head, *rest = path
    target = tables[0] if isinstance(tables, list) else tables
    if rest:
        _set(target[head], rest, value)
    elif value is None:
        target.pop(head, None)
    else:
        target[head] = value


def policy(**overrides: Any) -> Policy:
    """That policy, loaded from JSON."""
    return load_policy(json.dumps(members(**overrides)).encode())


OWNED: Mapping[str, Any] = {"node__authority_key": f"ed25519:{OWNER.public.raw.hex()}"}
"""Overrides for a policy whose node has an owner; the keyset must name it too (`keys=OWNED_KEYS`)."""
OWNED_KEYS: Mapping[str, Any] = {"authority_key": OWNER.public}


def snp_of(policy: Policy) -> SnpConstraints:
    """The constraints of the first entry, which is one of SEV-SNP."""
    constraints = policy.accept[0].constraints
    assert isinstance(constraints, SnpConstraints)
    return constraints
