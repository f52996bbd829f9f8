"""Is a genuine CCA token acceptable? Each constraint that is absent takes its strict value.

Lifecycle (draft-ffm-rats-cca-token-04, table 1): 0x30xx is secured, 0x40xx and 0x50xx are debugged. An extensible measurement that
the constraints do not name must be zero: nothing was extended. Left to others: the challenge (`binding`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from confide.attest.cca.claims import CcaClaims
from confide.attest.cca.layout import REMS
from confide.attest.checks import Checks
from confide.attest.constraints import Constraints, Ignored
from confide.codes import Code
from confide.errors import EvidenceError, PolicyError

SECURED = range(0x3000, 0x3100)
DEBUGGED = (range(0x4000, 0x4100), range(0x5000, 0x5100))  # the realm manager's debug, and recoverable debug of the root
SHOWN = 4
Values = tuple[bytes, ...]


@dataclass(frozen=True)
class CcaConstraints(Constraints):
    """What a token must satisfy.

    Attributes:
        platform_keys: SubjectPublicKeyInfos (DER) of accepted CPAKs; they are pinned for authentication too.
        rims: accepted initial measurements; `Ignored` accepts any realm.
        rems: of each extensible measurement the accepted values, `Ignored`, or None for zero.
        firmware: accepted measurements of the platform's components, all of which must be listed; `Ignored` accepts any firmware.
        firmware_signers: accepted signers of all components; None where the policy names none.
        personalizations, implementation_ids, instance_ids, configs: accepted ones; None where the policy names none.
        private_memory: True demands an encryption context of the realm's own (MEC).
        allow_debug: `Ignored.UNSAFE_IGNORED` accepts platforms that are being debugged.
        allow_live_firmware: the same for firmware that may change under the realm.
        allow_devices: the same for devices assigned to the realm, which nobody looks at here.
    """

    platform_keys: Values = ()
    rims: Values | Ignored = ()
    rems: tuple[Values | Ignored | None, ...] = (None,) * REMS
    firmware: Values | Ignored = ()
    firmware_signers: Values | None = None
    personalizations: Values | None = None
    implementation_ids: Values | None = None
    instance_ids: Values | None = None
    configs: Values | None = None
    private_memory: bool = False
    allow_debug: Ignored | None = None
    allow_live_firmware: Ignored | None = None
    allow_devices: Ignored | None = None

    @property
    def platforms(self) -> int | None:
        """How many instances are listed."""
        return None if self.instance_ids is None else len(self.instance_ids)

    @property
    def references(self) -> int | None:
        """How many initial measurements are named."""
        return None if isinstance(self.rims, Ignored) else len(self.rims)

    @property
    def ignored(self) -> tuple[str, ...]:
        """The members that are switched off, registers among them."""
        registers = tuple(f"rem{index}" for index, value in enumerate(self.rems) if isinstance(value, Ignored))
        return (*super().ignored, *registers)


def validate(claims: CcaClaims, constraints: CcaConstraints, *, checks: Checks) -> None:
    """Compare verified claims with `constraints`.

    Raises:
        EvidenceError: `cca.lifecycle`.
        PolicyError: `cca.*` for what the constraints do not list.
    """
    _platform_key(claims, constraints, checks)
    _lifecycle(claims, constraints, checks)
    _realm(claims, constraints, checks)
    _firmware(claims, constraints, checks)
    platform, realm = claims.platform, claims.realm
    for title, found, allowed, code in (
        ("personalization", realm.personalization, constraints.personalizations, Code.CCA_PERSONALIZATION),
        ("implementation", platform.implementation_id, constraints.implementation_ids, Code.CCA_IMPLEMENTATION),
        ("instance", platform.instance_id, constraints.instance_ids, Code.CCA_INSTANCE),
        ("platform configuration", platform.config, constraints.configs, Code.CCA_CONFIG),
    ):
        if allowed is None:
            checks.skip(title, "the policy names none")
        else:
            _listed(title, found, allowed, code, checks)
    _memory(claims, constraints, checks)


def _platform_key(claims: CcaClaims, constraints: CcaConstraints, checks: Checks) -> None:
    """An entry is satisfied whole: with its own keys, not with those of another entry."""
    _listed("platform key", claims.platform_key, constraints.platform_keys, Code.CCA_PLATFORM_KEY, checks)


def _lifecycle(claims: CcaClaims, constraints: CcaConstraints, checks: Checks) -> None:
    state = claims.platform.lifecycle
    debugged = any(state in each for each in DEBUGGED)
    if constraints.allow_debug is not None and debugged:
        checks.relax("allow_debug", "the platform is being debugged: whoever does may read the realm")
        return
    found = f"{state:#06x}{', debugged' if debugged else ''}"
    checks.require(
        state in SECURED, Code.CCA_LIFECYCLE, "lifecycle", found=found, wanted="secured, 0x3000 to 0x30ff", error=EvidenceError
    )


def _realm(claims: CcaClaims, constraints: CcaConstraints, checks: Checks) -> None:
    realm = claims.realm
    if isinstance(constraints.rims, Ignored):
        checks.relax("rims", "any software is accepted")
    else:
        _listed("initial measurement", realm.initial_measurement, constraints.rims, Code.CCA_RIM, checks)
    for index, (found, allowed) in enumerate(zip(realm.extensible_measurements, constraints.rems, strict=True)):
        if isinstance(allowed, Ignored):
            checks.relax(f"rem{index}", f"whatever was measured into REM{index} is accepted")
        else:
            values = (bytes(len(found)),) if allowed is None else allowed
            _listed(f"extensible measurement {index}", found, values, Code.CCA_REM, checks)


def _firmware(claims: CcaClaims, constraints: CcaConstraints, checks: Checks) -> None:
    """Each component, not some: one that is not listed may be anything."""
    for index, component in enumerate(claims.platform.components):
        name = f"component {index} {component.kind}".strip()
        if not isinstance(constraints.firmware, Ignored):
            _listed(name, component.measurement, constraints.firmware, Code.CCA_COMPONENT, checks)
        if constraints.firmware_signers is not None:
            _listed(f"signer of {name}", component.signer, constraints.firmware_signers, Code.CCA_COMPONENT, checks)
    if isinstance(constraints.firmware, Ignored):
        checks.relax("firmware", "firmware with known flaws is accepted")
    if constraints.firmware_signers is None:
        checks.skip("signers of firmware", "the policy names none")


def _memory(claims: CcaClaims, constraints: CcaConstraints, checks: Checks) -> None:
    """Sections 4.8.9, 4.8.10 and 4.8.12."""
    realm = claims.realm
    if constraints.private_memory:
        found = {None: "not said", False: "shared", True: "private"}[realm.private_memory]
        private = realm.private_memory is True
        checks.require(private, Code.CCA_MEMORY, "memory encryption", found=found, wanted="private", error=PolicyError)
    for allowed, present, code, setting, effect in (
        (
            constraints.allow_live_firmware,
            realm.live_firmware,
            Code.CCA_LIVE_FIRMWARE,
            "allow_live_firmware",
            "firmware may change under the realm",
        ),
        (
            constraints.allow_devices,
            realm.devices is not None,
            Code.CCA_DEVICES,
            "allow_devices",
            "devices that nobody looked at are in use",
        ),
    ):
        if allowed is not None:
            checks.relax(setting, effect)
        else:
            shown = "allowed" if present else "none"
            checks.require(
                not present, code, setting.removeprefix("allow_").replace("_", " "), found=shown, wanted="none", error=PolicyError
            )


def _listed(title: str, found: bytes, allowed: Sequence[bytes], code: Code, checks: Checks) -> None:
    wanted = ", ".join(value.hex() for value in allowed[:SHOWN]) or "none listed"
    checks.require(found in allowed, code, title, found=found.hex(), wanted=wanted, error=PolicyError)
