"""An evidence document of every kind by its false vendor, and of composites; and a policy that accepts it, as a stranger has one.

A kind is the name of one, or several joined by `+` in the order of the document: `snp+tpm`. `LAB.document(kind, evidence=...,
endorsements=...)` lets one piece lie: its overrides go to the false vendor. Left to others: the false vendors (`sim`), and what
each lie is called (`failures`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import Any

from tests.policy.world import MEASUREMENT, NONCE, NOW, ROOTS, World

from confide.attest.binding import binding, carried_by, gpu_nonce, join_device_evidence
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.snp.layout import Product
from confide.attest.tpm.verify import spki_sha256
from confide.formats import toml
from confide.policy.trust import propose_policy
from confide_sim.amd import FalseChip
from confide_sim.arm import FalseRealm
from confide_sim.aws import FalseHost
from confide_sim.azure import FalseTdVm, FalseVm
from confide_sim.intel import FalsePlatform
from confide_sim.nvidia import FalseGpu
from confide_sim.tpm import FalseTpm, asset_key

AK = asset_key("azure_signer")  # an RSA key that does not change: making one takes a while
SINGLE = ("snp", "sgx", "tdx", "nitro", "nitrotpm", "tpm", "az-snp-vtpm", "az-tdx-vtpm", "cca")
COMPOSITE = ("snp+nvidia", "snp+tpm", "tdx+nvidia+nvidia+tpm")
KINDS = (*SINGLE, *COMPOSITE)

Lies = Mapping[str, Any]


@dataclass(frozen=True)
class Lab:
    """False vendors and their machines at one time."""

    at: datetime = NOW
    cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def machines(self) -> Mapping[str, Any]:
        """By kind; those of Azure stand on the hardware of the others."""
        snp = FalseChip(Product.MILAN, at=self.at, chip_id=b"\x0c" * 64)
        tdx = FalsePlatform(Kind.TDX, at=self.at, seed=b"tdx")
        return {
            "snp": snp,
            "sgx": FalsePlatform(Kind.SGX, at=self.at, seed=b"sgx"),
            "tdx": tdx,
            "nitro": FalseHost(at=self.at, seed=b"nitro"),
            "nitrotpm": FalseHost(Kind.NITROTPM, at=self.at, seed=b"nitrotpm"),
            "tpm": FalseTpm(at=self.at),
            "az-snp-vtpm": FalseVm(at=self.at, chip=snp, key=AK),
            "az-tdx-vtpm": FalseTdVm(at=self.at, platform=tdx, key=AK),
            "cca": FalseRealm(seed=b"realm"),
        }

    @cached_property
    def gpus(self) -> tuple[FalseGpu, FalseGpu]:
        """As many as a document here holds."""
        return FalseGpu(at=self.at, seed=b"\x00"), FalseGpu(at=self.at, seed=b"\x01")

    def document(
        self,
        kind: str,
        *,
        evidence: Lies | None = None,
        endorsements: Lies | None = None,
        keys: Lies | None = None,
        bound: bytes | None = None,
        nonces: Sequence[bytes] = (NONCE,),
        liar: str = "",
    ) -> bytes:
        """The document; `evidence` and `endorsements` are overrides of the piece `liar`, which is the last one when not named."""
        pieces = kind.split("+")
        lies = {liar or pieces[-1]: (evidence or {}, endorsements or {})}
        count = pieces.count("nvidia")
        world = World(keys={**self._window(), **self._named(pieces), **(keys or {})}, nonces=nonces, at=self.at)
        root, _ = world._nonces()
        devices = [self._device(index, count, root, world.keyset.raw, lies) for index in range(count)]
        reports = join_device_evidence([given.items["gpu-report"] for given, _ in devices])
        whole = bound or binding(nonces=root, keyset=world.keyset.raw, device_evidence=reports)
        made = [self._machine(piece, whole, lies) for piece in pieces if piece != "nvidia"]
        first, *others = [*made[:1], *devices, *made[1:]]
        return world.document(evidence=first[0], endorsements=first[1], others=others)

    def genuine(self, kind: str) -> bytes:
        """The document in which nothing lies, made once."""
        return self._once((kind, "document"), lambda: self.document(kind))

    def policy(self, kind: str) -> bytes:
        """What `confide trust` writes for it."""
        return self._once((kind, "policy"), lambda: self._proposed(kind))

    def _once(self, name: Any, make: Callable[[], bytes]) -> bytes:
        if name not in self.cache:
            self.cache[name] = make()
        return bytes(self.cache[name])

    def _proposed(self, kind: str) -> bytes:
        given: dict[str, Any] = {"now": self.at, "nonce": NONCE, "roots": ROOTS, "name": kind.replace("+", "-")}
        return propose_policy(self.genuine(kind), **given, unsafe_accept_simulated=True).policy

    def _window(self) -> Lies:
        return {"not_before": self.at - timedelta(hours=1), "not_after": self.at + timedelta(hours=23)}

    def _named(self, pieces: Sequence[str]) -> Lies:
        """What the keyset must name of these machines."""
        found: dict[str, Any] = {"gpu_leaf_key_sha256": [gpu.leaf_key_sha256 for gpu in self.gpus[: pieces.count("nvidia")]]}
        if "tpm" in pieces:
            found["tpm_ak_spki_sha256"] = spki_sha256(self.machines["tpm"].key.public_key())
        if any(piece.startswith("az-") for piece in pieces):
            found["tpm_ak_spki_sha256"] = spki_sha256(AK.public_key())
        return found

    def _machine(self, piece: str, whole: bytes, lies: Mapping[str, tuple[Lies, Lies]]) -> tuple[Evidence, Endorsements]:
        machine, (said, given) = self.machines[piece], lies.get(piece, ({}, {}))
        field_name = "extra_data" if piece == "tpm" or piece.startswith("az-") else "report_data"
        usual = {"measurement": MEASUREMENT} if piece == "snp" else {}
        evidence = machine.evidence(**{field_name: carried_by(Kind(piece), whole), **usual, **said})
        return evidence, machine.endorsements(**given) if hasattr(machine, "endorsements") else Endorsements({})

    def _device(
        self, index: int, count: int, root: bytes, keyset: bytes, lies: Mapping[str, tuple[Lies, Lies]]
    ) -> tuple[Evidence, Endorsements]:
        """Manifests name four values, to be read fast; statuses are of all devices, as one item serves them all."""
        gpu = self.gpus[index]
        said, given = lies.get(f"nvidia {index}", lies.get("nvidia", ({}, {})))
        statuses = b"".join(each.ocsp() for each in self.gpus[:count]) + gpu.rim_ocsp()
        usual = {"rim_driver": gpu.rim("driver", indexes=(7, 35)), "rim_vbios": gpu.rim("vbios", indexes=(0, 1)), "ocsp": statuses}
        nonce = gpu_nonce(nonces=root, keyset=keyset, index=index)
        return gpu.evidence(**{"nonce": nonce, "index": index, **said}), gpu.endorsements(**{**usual, **given})


@cache
def lab(at: datetime = NOW) -> Lab:
    """One for each time."""
    return Lab(at)


LAB = lab()


def members(kind: str) -> dict[str, Any]:
    """The policy's members, to be changed and written as JSON."""
    return toml.loads(LAB.policy(kind), limit=1 << 18)
