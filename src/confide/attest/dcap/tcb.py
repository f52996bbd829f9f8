"""The status of a platform's TCB by Intel's rules (Intel PCS API, "Get SGX/TDX TCB Info V4", algorithm; TDX DCAP Quoting Library
API, section on TCB level selection; DCAP Quote Verification Library, requirements 4.1.2.4.17).

1. SGX level: the highest whose 16 component SVNs and PCESVN the PCK certificate reaches (`_platform`).
2. TDX: of these, the highest whose TDX component SVNs TEE_TCB_SVN reaches too; components 0 and 1 belong to the TDX module where
   TEE_TCB_SVN[1], its version, is above 0 (`_tdx_level`).
3. TDX: the module's signer and attributes are those of `tdxModule`, or of the module identity of its version, whose level is by
   TEE_TCB_SVN[0] (`_module`). The two are merged.
4. TDX 1.5: where only the module that launched the TD is out of date and the one that runs now (TEE_TCB_SVN2) is not, the TD should
be
   launched anew (`_relaunch`).
5. The quoting enclave's level by its ISVSVN is merged (`_with_qe`).

No level at all is `TCB_NOT_SUPPORTED`, which is not "out of date": Intel says nothing about such a platform.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from confide.attest.dcap.collateral import Identity, Level, Module, SvnLevel, TcbInfo
from confide.attest.dcap.pck import Pck

T = TypeVar("T", Level, SvnLevel)


class TcbStatus(StrEnum):
    """Intel's words, and two of the verification library's for what no level says."""

    UP_TO_DATE = "UpToDate"
    SW_HARDENING_NEEDED = "SWHardeningNeeded"
    CONFIGURATION_NEEDED = "ConfigurationNeeded"
    CONFIGURATION_AND_SW_HARDENING_NEEDED = "ConfigurationAndSWHardeningNeeded"
    TD_RELAUNCH_ADVISED = "TDRelaunchAdvised"
    TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED = "TDRelaunchAdvisedConfigurationNeeded"
    OUT_OF_DATE = "OutOfDate"
    OUT_OF_DATE_CONFIGURATION_NEEDED = "OutOfDateConfigurationNeeded"
    REVOKED = "Revoked"
    NOT_SUPPORTED = "TCBNotSupported"
    MODULE_MISMATCH = "TDXModuleMismatch"


_STATED = frozenset(TcbStatus) - {
    TcbStatus.NOT_SUPPORTED,
    TcbStatus.MODULE_MISMATCH,
    TcbStatus.TD_RELAUNCH_ADVISED,
    TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
}
_CURRENT = frozenset({TcbStatus.UP_TO_DATE, TcbStatus.SW_HARDENING_NEEDED})
_MISCONFIGURED = frozenset({TcbStatus.CONFIGURATION_NEEDED, TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED})
_OUTDATED = frozenset({TcbStatus.OUT_OF_DATE, TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED})
_FINAL = frozenset({TcbStatus.NOT_SUPPORTED, TcbStatus.MODULE_MISMATCH})


@dataclass(frozen=True)
class TdxTcb:
    """What of a TD's report decides its TCB. `running`: TEE_TCB_SVN2, of a TDX 1.5 report."""

    launched: bytes
    running: bytes | None
    mr_signer_seam: bytes
    seam_attributes: bytes


@dataclass(frozen=True)
class Evaluation:
    """The merged status, the advisories of the levels that were matched, and the parts for showing."""

    status: TcbStatus
    advisories: tuple[str, ...]
    platform: TcbStatus
    module: TcbStatus | None
    qe: TcbStatus


def evaluate(info: TcbInfo, pck: Pck, qe_isv_svn: int, identity: Identity, *, tdx: TdxTcb | None) -> Evaluation:
    """Steps 1 to 5. `tdx` is None for an SGX enclave."""
    qe = _svn_level(identity.levels, qe_isv_svn)
    qe_status = _status(qe)
    sgx = next((level for level in info.levels if _reached(level, pck)), None)
    level = sgx if tdx is None else _tdx_level(info.levels, pck, tdx)
    module_status, module_level = (None, None) if tdx is None else _module(info, tdx)
    status = _status(sgx) if level is None or sgx is None else _status(level)
    if sgx is None or level is None:
        status = TcbStatus.NOT_SUPPORTED
    platform = status
    if tdx is not None and status is not TcbStatus.NOT_SUPPORTED and module_status is not None:
        status = _merged(status, module_status)
        if tdx.running is not None and status in _OUTDATED:
            status = _relaunch(info, tdx.running, _status(sgx), status, module_status, qe_status)
    advisories = _advisories((level, module_level, qe))
    return Evaluation(_merged(status, qe_status), advisories, platform, module_status, qe_status)


def _reached(level: Level, pck: Pck) -> bool:
    """Step 1. Every component counts; one below makes the platform lower."""
    return pck.pce_svn >= level.pce_svn and all(have >= least for have, least in zip(pck.components, level.sgx, strict=True))


def _tdx_level(levels: Iterable[Level], pck: Pck, tdx: TdxTcb) -> Level | None:
    """Step 2."""
    first = 2 if tdx.launched[1] > 0 else 0
    for level in levels:
        if level.tdx is None or not _reached(level, pck):
            continue
        if all(have >= least for have, least in zip(tdx.launched[first:], level.tdx[first:], strict=True)):
            return level
    return None


def _module(info: TcbInfo, tdx: TdxTcb) -> tuple[TcbStatus | None, SvnLevel | None]:
    """Step 3. None: version 0 has no level of its own. A module of another signer or other attributes does not match."""
    version = tdx.launched[1]
    expected = info.module if version == 0 else _identity_of(info, version)
    if expected is None or not _is(expected, tdx):
        return TcbStatus.MODULE_MISMATCH, None
    if version == 0:
        return None, None
    level = _svn_level(expected.levels, tdx.launched[0])
    return _status(level), level


def _identity_of(info: TcbInfo, version: int) -> Module | None:
    """`TDX_` and the version in two hex digits (PCS API, `tdxModuleIdentities`)."""
    return next((each for each in info.module_identities if each.id.upper() == f"TDX_{version:02X}"), None)


def _is(module: Module, tdx: TdxTcb) -> bool:
    mask = int.from_bytes(module.attributes_mask)
    attributes = int.from_bytes(tdx.seam_attributes)
    return module.mr_signer == tdx.mr_signer_seam and attributes & mask == int.from_bytes(module.attributes) & mask


def _relaunch(info: TcbInfo, running: bytes, sgx: TcbStatus, status: TcbStatus, module: TcbStatus, qe: TcbStatus) -> TcbStatus:
    """Step 4: launched on an old module, and now on one that reaches the latest levels."""
    if qe not in _CURRENT or sgx not in _CURRENT | _MISCONFIGURED or module is not TcbStatus.OUT_OF_DATE:
        return status
    latest = info.levels[0]
    if latest.tdx is None:
        return status
    least = latest.tdx[0]
    if running[1] > 0:
        identity = _identity_of(info, running[1])
        if identity is None:
            return TcbStatus.MODULE_MISMATCH
        least = identity.levels[0].isv_svn
    if running[0] < least or running[2] < latest.tdx[2]:
        return status
    configuration = sgx in _MISCONFIGURED or status is TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED
    return TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED if configuration else TcbStatus.TD_RELAUNCH_ADVISED


def _merged(status: TcbStatus, part: TcbStatus) -> TcbStatus:
    """The platform's status and that of a part of it (TDX module, QE): the part can only make it worse."""
    if status in _FINAL or part in _FINAL:
        return status if status in _FINAL else part
    if TcbStatus.REVOKED in (status, part):
        return TcbStatus.REVOKED
    if part not in _CURRENT:  # OutOfDate, or a word that no part should have: never taken for good
        if status in _CURRENT:
            return TcbStatus.OUT_OF_DATE
        if status in _MISCONFIGURED:
            return TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED
    return status


def _svn_level(levels: Sequence[SvnLevel], svn: int) -> SvnLevel | None:
    return next((level for level in levels if svn >= level.isv_svn), None)


def _status(level: Level | SvnLevel | None) -> TcbStatus:
    """The word of a level; a word that Intel does not define supports nothing."""
    known = {status.value: status for status in _STATED}
    return TcbStatus.NOT_SUPPORTED if level is None else known.get(level.status, TcbStatus.NOT_SUPPORTED)


def _advisories(levels: Iterable[Level | SvnLevel | None]) -> tuple[str, ...]:
    found = (advisory for level in levels if level is not None for advisory in level.advisories)
    return tuple(dict.fromkeys(found))
