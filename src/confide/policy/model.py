"""Policies as typed, frozen data (spec/06-policy.md): what a verifier demands of a node.

A constraint that is absent from a policy file is strict or refuses the policy; skipping one takes the value `"unsafe_ignored"` or
a setting named `unsafe_...`, and every verdict then lists it. Left to others: reading files (`load`), writing them (`trust`), and
comparing a node with a policy (`rules`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from confide.attest.constraints import Constraints, Ignored
from confide.attest.evidence import Kind
from confide.attest.keyset import Isolation, Role
from confide.formats import dsse

VERSION = 1
PAYLOAD_TYPE = "application/vnd.confide.policy+json"


class Origin(StrEnum):
    """Where the reference values of a policy come from. Shown with every verdict."""

    FILE = "file"  # somebody wrote the file; how the values were found is theirs to know
    FIRST_USE = "first-use"  # taken from the node itself by `confide trust`, after a yes
    RELEASE = "release"  # signed by a key that the caller named; the signer answers for the values


class PoolRule(StrEnum):
    """Whether a node may share its content keys with other replicas (DESIGN section 5)."""

    NODE_ONLY = "node-only"
    SHARED = "shared"


@dataclass(frozen=True)
class AcceptEntry:
    """One kind of TEE with the constraints on its evidence. Evidence must satisfy one entry, whole."""

    tee: Kind
    constraints: Constraints


@dataclass(frozen=True)
class NodeRules:
    """What the keyset must say of the node.

    Attributes:
        role: exactly this role.
        authority_key: exactly this key; None demands a keyset that names none.
        config_digests, software_digests: one of these.
        isolation: one of these modes.
    """

    role: Role
    authority_key: dsse.PublicKey | Ignored | None
    config_digests: tuple[bytes, ...] | Ignored
    software_digests: tuple[bytes, ...] | Ignored
    isolation: tuple[Isolation, ...] = (Isolation.WORKER_PROCESS,)


@dataclass(frozen=True)
class Requirements:
    """What else must hold. False stands only where the file said `"unsafe_ignored"`, of `log_proof` where it said nothing.

    Attributes:
        post_quantum: keys for the channel must be hybrid post-quantum (KEM 0x647a).
        receipts: the keyset must name a receipt key, and the client refuses an answer without a receipt.
        log_proof: every receipt must be complete: the keyset must name an ML-DSA-65 key, and the client completes each answer.
        client_nonce: the caller must give a nonce of its own.
        admission: the authority key must vouch for the node; by default exactly where the policy names such a key.
        places: where the authority may say that the node is; None: anywhere, listed as not checked.
        pool: whether the node may share its keys.
        max_crl_age: revocation lists must be this fresh; None: only within their own window; Ignored: may be missing.
        collateral_grace: how long lists and TCB data count after their own end; each use of it is a relaxation.
    """

    post_quantum: bool = True
    receipts: bool = True
    log_proof: bool = False
    client_nonce: bool = True
    admission: bool = False
    places: tuple[str, ...] | None = None
    pool: PoolRule = PoolRule.NODE_ONLY
    max_crl_age: timedelta | Ignored | None = None
    collateral_grace: timedelta = timedelta()


@dataclass(frozen=True)
class Policy:
    """A whole policy.

    Attributes:
        raw: the exact bytes it was read from, with the envelope where there is one.
        digest: SHA-256 of the exact bytes of the policy; of the envelope's payload where it was signed.
        name: lower-case name; serials are compared within one name.
        serial: grows with every change; a lower one than seen before is refused.
        expires: from this moment on the policy refuses everything.
        signer: DSSE keyid of the key that signed it; empty for a local file.
        models: alias to accepted package digests. A name that is not here has no accepted model.
        unsafe_accept_simulated: admits evidence by the false vendors of `confide-sim`, which protects nothing.
    """

    name: str
    serial: int
    expires: datetime
    accept: tuple[AcceptEntry, ...]
    node: NodeRules
    digest: bytes
    raw: bytes = field(repr=False)
    require: Requirements = field(default_factory=Requirements)
    models: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    origin: Origin = Origin.FILE
    signer: str = ""
    unsafe_accept_simulated: bool = False
    version: int = VERSION

    @property
    def ref(self) -> "PolicyRef":
        """The policy's identity, for verdicts."""
        return PolicyRef(self.name, self.serial, self.digest, self.origin, self.signer)


@dataclass(frozen=True)
class PolicyRef:
    """Which policy a verdict was made under."""

    name: str
    serial: int
    digest: bytes
    origin: Origin
    signer: str = ""

    def __str__(self) -> str:
        return f"{self.name} serial {self.serial} ({self.origin.value}{', signed' if self.signer else ''})"
