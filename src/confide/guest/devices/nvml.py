"""NVIDIA's management library, as far as confidential computing needs it (NVML API reference, "Confidential Computing").

    nvmlSystemGetConfComputeSettings               what the driver has switched on
    nvmlDeviceGetConfComputeGpuAttestationReport   an SPDM request with our nonce, and the device's signed response
    nvmlDeviceGetConfComputeGpuCertificate         the device's certificates in PEM, leaf first
    nvmlSystemSetConfComputeGpusReadyState         the driver takes no work before somebody says that the GPUs were verified

`nvidia-ml-py` is NVIDIA's own binding; it is an extra, and looked up only here. Sizes are the library's word, bounded by its own
structures. Its failures are told by their number: their texts may be anything. Left to others: whether any of it is genuine
(`attest.nvidia`), and which devices a node speaks for (`gpu`).
"""

import ctypes
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confide.codes import Code
from confide.guest import GuestError

MAX_DEVICES = 32
FEATURE_ON, DEVTOOLS_OFF, PRODUCTION = 1, 0, 2  # nvml.h: NVML_CC_SYSTEM_FEATURE_ENABLED, _DEVTOOLS_MODE_OFF, _ENVIRONMENT_PROD
PROTECTED_PCIE = 1  # nvml.h: NVML_CC_SYSTEM_MULTIGPU_PROTECTED_PCIE
READY = 1  # nvml.h: NVML_CC_ACCEPTING_CLIENT_REQUESTS_TRUE
HOW = "nvidia-smi conf-compute -q shows the mode; the host's operator sets it, and the guest starts anew"


@dataclass(frozen=True)
class Mode:
    """What the driver says of itself, as numbers of nvml.h."""

    environment: int
    feature: int
    devtools: int
    multi_gpu: int

    def require(self) -> None:
        """Raise `guest.device` unless confidential computing is on, for production, without development tools.

        Several GPUs in protected PCIe mode speak through switches in the clear; this version does not ask switches.
        """
        for found, good, title, wanted in (
            (self.feature, self.feature == FEATURE_ON, "confidential computing is off", "on"),
            (self.environment, self.environment == PRODUCTION, f"environment {self.environment}", f"{PRODUCTION}, production"),
            (self.devtools, self.devtools == DEVTOOLS_OFF, "development tools are on", "off"),
            (self.multi_gpu, self.multi_gpu != PROTECTED_PCIE, "protected PCIe", "single GPUs, or encrypted NVLink"),
        ):
            if not good:
                raise GuestError(Code.GUEST_DEVICE, found=f"GPUs: {title} ({found})", wanted=wanted, hint=HOW)


class Nvml:
    """The loaded library. Make it with `load`; safe for several threads, as NVML is."""

    def __init__(self, module: Any) -> None:
        self._nvml = module

    def mode(self) -> Mode:
        """Raises `guest.device`, also for drivers that cannot say."""
        nvml = self._nvml
        settings = nvml.c_nvmlSystemConfComputeSettings_v1_t()
        with self._telling(Code.GUEST_DEVICE, "a driver that tells its mode (550 or later)"):
            code = nvml.nvmlSystemGetConfComputeSettings(ctypes.byref(settings))
            if code:
                raise nvml.NVMLError(code)
        return Mode(settings.environment, settings.ccFeature, settings.devToolsMode, settings.multiGpuMode)

    def count(self) -> int:
        """How many GPUs there are; raises `guest.device`, also for none and for too many."""
        with self._telling(Code.GUEST_DEVICE, "GPUs"):
            found = int(self._nvml.nvmlDeviceGetCount())
        if not 1 <= found <= MAX_DEVICES:
            raise GuestError(Code.GUEST_DEVICE, found=f"{found} GPUs", wanted=f"1 to {MAX_DEVICES}")
        return found

    def report(self, index: int, nonce: bytes) -> bytes:
        """Request and response; raises `guest.quote`."""
        with self._telling(Code.GUEST_QUOTE, "a report of the GPU"):
            answer = self._nvml.nvmlDeviceGetConfComputeGpuAttestationReport(self._device(index), nonce)
        return _cut(answer.attestationReport, answer.attestationReportSize)

    def certificates(self, index: int) -> bytes:
        """In PEM; raises `guest.quote`."""
        with self._telling(Code.GUEST_QUOTE, "the GPU's certificates"):
            answer = self._nvml.nvmlDeviceGetConfComputeGpuCertificate(self._device(index))
        return _cut(answer.attestationCertChain, answer.attestationCertChainSize).rstrip(b"\x00")

    def make_ready(self) -> bool:
        """Let the driver take work for the GPUs; False where this process may not. It stays so until the driver is loaded anew."""
        nvml = self._nvml
        try:
            if nvml.nvmlSystemGetConfComputeGpusReadyState() != READY:
                nvml.nvmlSystemSetConfComputeGpusReadyState(READY)
        except nvml.NVMLError:
            return False
        return True

    def _device(self, index: int) -> Any:
        return self._nvml.nvmlDeviceGetHandleByIndex(index)

    @contextmanager
    def _telling(self, code: Code, wanted: str) -> Iterator[None]:
        try:
            yield
        except self._nvml.NVMLError as error:
            raise GuestError(code, found=f"NVML error {error.value}", wanted=wanted) from None


def load() -> Nvml:
    """The library of this machine's driver, initialised.

    Raises:
        GuestError: `guest.device` where binding or driver are not there.
    """
    try:
        module = importlib.import_module("pynvml")
    except ImportError:
        hint = "pip install 'confide[gpu]'"
        raise GuestError(Code.GUEST_DEVICE, found="no module pynvml", wanted="nvidia-ml-py", hint=hint) from None
    try:
        module.nvmlInit()
    except module.NVMLError as error:
        hint = "install NVIDIA's driver in the guest, and load it"
        raise GuestError(Code.GUEST_DEVICE, found=f"NVML error {error.value}", wanted="NVIDIA's driver", hint=hint) from None
    return Nvml(module)


def _cut(array: Any, size: int) -> bytes:
    if not 0 < size <= len(array):
        raise GuestError(Code.GUEST_QUOTE, found=f"{size} bytes from NVML", wanted=f"1 to {len(array)}")
    return bytes(array[:size])
