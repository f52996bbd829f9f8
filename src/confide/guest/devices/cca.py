"""A realm of Arm CCA: tokens of its realm management monitor, through configfs-tsm (Linux 6.13, drivers/virt/coco/arm-cca-guest).

The driver takes 32 to 64 bytes as the challenge; ours are 64, so that nothing is padded. It asks nothing of `privlevel`, and its
`auxblob` is empty. No vendor vouches for a platform: its key (CPAK) comes from whoever made or owns it, as a file in
`collateral_dir`, read once, when the node starts, and never sent to anybody: clients pin the key by their policies. Left to others:
the rules of configfs-tsm (`tsm`), checking it all (`checked`).
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from confide.attest.cca.claims import CcaClaims
from confide.attest.cca.keys import platform_key
from confide.attest.cca.layout import REMS
from confide.attest.cca.validate import CcaConstraints
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Evidence, Kind, Root, Roots
from confide.codes import Code
from confide.collateral.files import Files
from confide.errors import CollateralError
from confide.guest import GuestError
from confide.guest.devices.collateral import read_folder
from confide.guest.devices.source import Raw
from confide.guest.devices.tsm import CCA, TsmReports

FILES: Files = {}  # a token carries all that verifiers need, but for the key that they pin
KEY_FILE, MAX_KEY = "platform-key.der", 1024  # a SubjectPublicKeyInfo of P-521 takes 158 bytes


class CcaSource:
    """Tokens of a realm."""

    kind = Kind.CCA

    def __init__(self, folder: Path, *, pause: Callable[[float], object] = time.sleep) -> None:
        self._reports = TsmReports(folder, provider=CCA, pause=pause)
        self.name = self._reports.name

    def check(self) -> None:
        """As the interface's own."""
        self._reports.check()

    def read(self, carried: bytes) -> Raw:
        """A token whose challenge is these bytes."""
        return Raw({"token": self._reports.read(carried).report})


def with_platform_key(kind: Kind, roots: Roots, folder: Path | None) -> Roots:
    """The roots, and for a realm the platform's key from the node's folder.

    Raises:
        GuestError: `guest.collateral` where there is none, or something else in its place.
    """
    if kind is not Kind.CCA:
        return roots
    key = read_folder(folder, {KEY_FILE: ("platform-key", MAX_KEY)}).get("platform-key")
    if key is not None:
        return (*roots, Root(Kind.CCA, f"the platform key in {KEY_FILE}", _required(key)))
    if any(root.kind is Kind.CCA for root in roots):
        return roots
    raise _no_key("no such file" if folder else "collateral_dir is not set")


def _required(key: bytes) -> bytes:
    try:
        platform_key(key)
    except CollateralError as error:
        raise _no_key(error.found) from None
    return key


def _no_key(found: str) -> GuestError:
    wanted = f"{KEY_FILE}, the SubjectPublicKeyInfo (DER) of the key that signs platform tokens"
    hint = f"get it from the platform's maker or owner, put it into a folder as {KEY_FILE} and name that: collateral_dir"
    return GuestError(Code.GUEST_COLLATERAL, found=found, wanted=wanted, hint=hint)


def missing(_: Evidence, there: Mapping[str, bytes]) -> Mapping[str, str]:  # noqa: ARG001 - every kind is asked alike
    """Nothing: `with_platform_key` has asked for what there is."""
    return {}


def open_constraints(claims: Claims) -> CcaConstraints:
    """Strict about the state, open about what runs and on which firmware."""
    found, skip = _as_cca(claims), Ignored.UNSAFE_IGNORED
    return CcaConstraints(platform_keys=(found.platform_key,), rims=skip, rems=(skip,) * REMS, firmware=skip)


def facts(claims: Claims) -> Mapping[str, str]:
    """What an operator wants to see."""
    found = _as_cca(claims)
    return {
        "platform_key": found.platform_key.hex(),
        "implementation_id": found.platform.implementation_id.hex(),
        "lifecycle": f"{found.platform.lifecycle:#06x}",
        "profile": found.platform.profile,
    }


def _as_cca(claims: Claims) -> CcaClaims:
    if not isinstance(claims, CcaClaims):
        raise TypeError(type(claims).__name__)
    return claims
