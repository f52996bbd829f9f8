"""NVIDIA's driver with false GPUs behind it, at the C interface of NVML: what `nvidia-ml-py` calls through ctypes, with structures
of nvml.h. What is above that interface is NVIDIA's own binding.
"""

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from ctypes import CFUNCTYPE, POINTER, c_int, c_uint
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pynvml  # type: ignore[import-untyped]

from confide_sim.nvidia import FalseGpu

OK, INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION, GPU_IS_LOST = 0, 2, 3, 4, 15  # nvml.h: nvmlReturn_t
Handle = pynvml.c_nvmlDevice_t
Settings = pynvml.c_nvmlSystemConfComputeSettings_v1_t
Report = pynvml.c_nvmlConfComputeGpuAttestationReport_t
Certificate = pynvml.c_nvmlConfComputeGpuCertificate_t


@dataclass(eq=False)
class Driver:
    """The driver of a guest.

    Attributes:
        fails: C functions that answer with this number.
        absent: C functions that this driver does not have yet.
        report, chain: what a GPU gives.
        sizes: what the library says instead of the size of a report, of a chain.
        asked: numbers of GPUs and nonces, in the order in which they were asked for.
    """

    gpus: list[FalseGpu]
    environment: int = pynvml.NVML_CC_SYSTEM_ENVIRONMENT_PROD
    feature: int = pynvml.NVML_CC_SYSTEM_FEATURE_ENABLED
    devtools: int = pynvml.NVML_CC_SYSTEM_DEVTOOLS_MODE_OFF
    multi_gpu: int = pynvml.NVML_CC_SYSTEM_MULTIGPU_NONE
    ready: int = pynvml.NVML_CC_ACCEPTING_CLIENT_REQUESTS_FALSE
    fails: dict[str, int] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    report: Callable[[FalseGpu, bytes], bytes] = lambda gpu, nonce: gpu.report(nonce=nonce)
    chain: Callable[[FalseGpu], bytes] = lambda gpu: gpu.chain()
    sizes: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[int, bytes]] = field(default_factory=list)

    def init(self, _: int) -> int:
        return OK

    def settings(self, settings: Any) -> int:
        found = settings.contents
        if found.version != pynvml.nvmlSystemConfComputeSettings_v1:
            return INVALID_ARGUMENT
        found.environment, found.ccFeature, found.devToolsMode = self.environment, self.feature, self.devtools
        found.multiGpuMode = self.multi_gpu
        return OK

    def count(self, found: Any) -> int:
        found[0] = len(self.gpus)
        return OK

    def handle(self, index: int, handle: Any) -> int:
        if index >= len(self.gpus):
            return INVALID_ARGUMENT
        handle[0] = ctypes.cast(ctypes.c_void_p(index + 1), Handle)  # opaque to whoever holds it
        return OK

    def attestation_report(self, handle: Any, answer: Any) -> int:
        index, found = self._index(handle), answer.contents
        nonce = bytes(found.nonce)
        self.asked.append((index, nonce))
        data = self.report(self.gpus[index], nonce)
        ctypes.memmove(found.attestationReport, data, len(data))
        found.attestationReportSize = self.sizes.get("report", len(data))
        return OK

    def certificate(self, handle: Any, answer: Any) -> int:
        found, data = answer.contents, self.chain(self.gpus[self._index(handle)])
        ctypes.memmove(found.attestationCertChain, data, len(data))
        found.attestationCertChainSize = self.sizes.get("chain", len(data))
        return OK

    def get_ready(self, found: Any) -> int:
        found[0] = self.ready
        return OK

    def set_ready(self, state: int) -> int:
        self.ready = state
        return OK

    @staticmethod
    def _index(handle: Any) -> int:
        return int(ctypes.cast(handle, ctypes.c_void_p).value or 0) - 1


class Library:
    """What `dlopen` would give: functions by their C names."""

    def __init__(self, driver: Driver) -> None:
        for name, function, arguments in (
            ("nvmlInitWithFlags", driver.init, (c_uint,)),
            ("nvmlSystemGetConfComputeSettings", driver.settings, (POINTER(Settings),)),
            ("nvmlDeviceGetCount_v2", driver.count, (POINTER(c_uint),)),
            ("nvmlDeviceGetHandleByIndex_v2", driver.handle, (c_uint, POINTER(Handle))),
            ("nvmlDeviceGetConfComputeGpuAttestationReport", driver.attestation_report, (Handle, POINTER(Report))),
            ("nvmlDeviceGetConfComputeGpuCertificate", driver.certificate, (Handle, POINTER(Certificate))),
            ("nvmlSystemGetConfComputeGpusReadyState", driver.get_ready, (POINTER(c_uint),)),
            ("nvmlSystemSetConfComputeGpusReadyState", driver.set_ready, (c_uint,)),
        ):
            if name not in driver.absent:
                setattr(self, name, CFUNCTYPE(c_int, *arguments)(self._failing(driver, name, function)))

    @staticmethod
    def _failing(driver: Driver, name: str, function: Callable[..., int]) -> Callable[..., int]:
        return lambda *arguments: driver.fails.get(name, OK) or function(*arguments)


@contextlib.contextmanager
def installed(driver: Driver) -> Iterator[Driver]:
    """The driver is loaded."""
    cache: dict[str, Any] = {}
    with mock.patch.multiple(pynvml, nvmlLib=Library(driver), _nvmlGetFunctionPointer_cache=cache):
        yield driver


def give_manifests(folder: Path, *gpus: FalseGpu) -> Path:
    """The folder with NVIDIA's manifests and statuses of each GPU, as an operator gets them."""
    for index, gpu in enumerate(gpus):
        items = gpu.endorsements().items
        for role, name in (("rim-driver", "rim-driver.xml"), ("rim-vbios", "rim-vbios.xml"), ("ocsp", "ocsp.der")):
            (folder / f"gpu-{index}-{name}").write_bytes(items[role])
    return folder
