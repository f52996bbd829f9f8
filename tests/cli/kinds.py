"""An evidence document of every kind by its false vendor, and of composites; and a policy that accepts it, as a stranger gets one.

`MACHINES[kind].document(evidence=..., endorsements=...)` makes it with overrides of the false vendor's, `policy(kind)` is what
`confide trust` would write. Left to others: the false vendors (`sim`), what each override does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.policy.accept.test_nvidia import machine as with_devices
from tests.policy.world import MEASUREMENT, NONCE, NOW, ROOTS, World

from confide.attest.binding import binding, carried_by
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
from confide_sim.tpm import AZURE, FalseTpm, asset_key

AT = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
GPUS = [FalseGpu(at=NOW, seed=bytes([seed])) for seed in range(2)]
AK = asset_key("azure_signer")  # an RSA key that does not change: making one takes a while


@dataclass(frozen=True)
class Machine:
    """One false machine of a kind: how it makes evidence around the 64 bytes of a binding, and its collateral."""

    evidence: Callable[..., Evidence]
    endorsements: Callable[..., Endorsements]
    kind: Kind
    keys: Mapping[str, Any]

    def document(
        self,
        *,
        evidence: Mapping[str, Any] | None = None,
        endorsements: Mapping[str, Any] | None = None,
        keys: Mapping[str, Any] | None = None,
        **overrides: Any,
    ) -> bytes:
        """The document; overrides of the false vendor's evidence, of its collateral, of the keyset, or of `World.document`."""
        world = World(keys={**self.keys, **(keys or {})})
        root, _ = world._nonces()
        carried = carried_by(self.kind, overrides.pop("bound", None) or binding(nonces=root, keyset=world.keyset.raw))
        given = {"evidence": self.evidence(carried, **(evidence or {})), "endorsements": self.endorsements(**(endorsements or {}))}
        return world.document(**{**given, **overrides})


def _reporting(maker: Any, **usual: Any) -> Callable[..., Evidence]:
    return lambda carried, **more: maker.evidence(report_data=carried, **{**usual, **more})


def _quoting(maker: Any, **usual: Any) -> Callable[..., Evidence]:
    return lambda carried, **more: maker.evidence(extra_data=carried, **{**usual, **more})


def _nothing(**_: Any) -> Endorsements:
    return Endorsements({})


CHIP = FalseChip(Product.MILAN, at=NOW, chip_id=b"\x0c" * 64)
SGX, TDX = FalsePlatform(Kind.SGX, at=NOW, seed=b"sgx"), FalsePlatform(Kind.TDX, at=NOW, seed=b"tdx")
ENCLAVE, INSTANCE = FalseHost(at=NOW, seed=b"nitro"), FalseHost(Kind.NITROTPM, at=NOW, seed=b"nitrotpm")
TPM, AZ_TPM = FalseTpm(at=NOW), FalseTpm(AZURE, at=NOW, key=AK)
AZ_SNP = FalseVm(at=NOW, chip=CHIP, key=AK)
AZ_TDX = FalseTdVm(at=NOW, platform=TDX, key=AK)
REALM = FalseRealm(seed=b"realm")
NAMED = {"tpm_ak_spki_sha256": spki_sha256(AK.public_key())}

MACHINES: dict[str, Machine] = {
    "snp": Machine(_reporting(CHIP, measurement=MEASUREMENT), CHIP.endorsements, Kind.SNP, {}),
    "sgx": Machine(_reporting(SGX), SGX.endorsements, Kind.SGX, {}),
    "tdx": Machine(_reporting(TDX), TDX.endorsements, Kind.TDX, {}),
    "nitro": Machine(_reporting(ENCLAVE), _nothing, Kind.NITRO, {}),
    "nitrotpm": Machine(_reporting(INSTANCE), _nothing, Kind.NITROTPM, {}),
    "tpm": Machine(_quoting(TPM), TPM.endorsements, Kind.TPM, {"tpm_ak_spki_sha256": spki_sha256(TPM.key.public_key())}),
    "az-snp-vtpm": Machine(_quoting(AZ_SNP), AZ_SNP.endorsements, Kind.AZ_SNP_VTPM, NAMED),
    "az-tdx-vtpm": Machine(_quoting(AZ_TDX), AZ_TDX.endorsements, Kind.AZ_TDX_VTPM, NAMED),
    "cca": Machine(_reporting(REALM), _nothing, Kind.CCA, {}),
}
COMPOSITES: dict[str, Callable[..., bytes]] = {
    "nvidia": lambda **lies: with_devices(GPUS[0], short=True, **lies),
    "snp+tpm": lambda **lies: with_devices(tpm=TPM, **lies),
    "snp+nvidia+nvidia+tpm": lambda **lies: with_devices(*GPUS, tpm=TPM, short=True, **lies),
}
KINDS = (*MACHINES, *COMPOSITES)


def document(kind: str, **lies: Any) -> bytes:
    """The document of a kind or a composite."""
    return MACHINES[kind].document(**lies) if kind in MACHINES else COMPOSITES[kind](**lies)


@cache
def genuine(kind: str) -> bytes:
    """The document in which nothing lies."""
    return document(kind)


@cache
def proposed(kind: str) -> bytes:
    """The policy that `confide trust` would write for it."""
    name = kind.replace("+", "-")
    proposal = propose_policy(genuine(kind), now=NOW, nonce=NONCE, roots=ROOTS, name=name, unsafe_accept_simulated=True)
    return proposal.policy


def members(kind: str) -> dict[str, Any]:
    """The same as members, to be changed and written as JSON."""
    return toml.loads(proposed(kind), limit=1 << 18)
