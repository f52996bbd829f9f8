"""An Azure confidential VM in parts that are real or speak the same: a TPM 2.0 in software with the paravisor's key and HCL report,
a metadata service on the loopback, false AMD or false Intel behind both.

`swtpm` has indexes of at most 2048 bytes, so runtime data are short here; the whole 2600 bytes are `Paravisor`'s.
"""

import base64
import contextlib
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from tests.collateral.doubles import Said, Service, serving
from tests.guest.devices.intel_doubles import give
from tests.guest.devices.swtpm import RSA_TEMPLATE, Provisioned, Swtpm, Tpmrm, swtpm

from confide.attest.checks import Checks
from confide.attest.tpm.public import parse_public
from confide.guest.devices.azure import HCL_REPORT, AzureSnpSource, AzureSource, AzureTdxSource
from confide.guest.devices.imds import MetadataService
from confide.guest.devices.tpm import commands
from confide.guest.devices.tpm.source import AZURE_KEY
from confide_sim import azure
from confide_sim.azure import FalseTdVm, FalseVm, hcl_report, jwk, runtime
from confide_sim.intel import pem
from confide_sim.tpm import AZURE, asset_key, boot_events

THIM, TD_QUOTE = "/metadata/THIM/amd/certification", "/acc/tdquote"
Vm = FalseVm | FalseTdVm
Edit = Callable[[bytes], bytes]


@dataclass(eq=False)
class Paravisor(Tpmrm):
    """The TPM, but for the HCL report: read from an index of its whole size."""

    report: bytes = b""

    def write(self, offset: int, data: bytes) -> None:
        code, handles = int.from_bytes(data[6:10]), data[10:18]
        index = HCL_REPORT.to_bytes(4)
        if code == commands.NV_READ_PUBLIC and handles[:4] == index:
            public = struct.pack(">IHIHH", HCL_REPORT, 0x000B, 0, 0, len(self.report))
            self.answer = self._answer(0x8001, len(public).to_bytes(2) + public + bytes(2))
        elif code == commands.NV_READ and handles[4:] == index:
            size, place = struct.unpack(">HH", data[-4:])
            piece = self.report[place : place + size]
            self.answer = self._answer(0x8002, (len(piece) + 2).to_bytes(4) + len(piece).to_bytes(2) + piece + bytes(5))
        else:
            super().write(offset, data)

    @staticmethod
    def _answer(tag: int, body: bytes) -> bytes:
        return struct.pack(">HII", tag, 10 + len(body), 0) + body


@dataclass
class Azure:
    """One VM, provisioned and booted.

    Attributes:
        key: the paravisor's, which the TPM holds.
    """

    vm: Vm
    one: Provisioned
    key: rsa.RSAPublicKey
    service: Service = field(default_factory=Service)
    without: tuple[str, ...] = ()

    @property
    def tpm(self) -> Swtpm:
        return self.one.tpm

    def files(self, folder: Path, *without: str) -> Path:
        """`collateral_dir` with what neither TPM nor host gives."""
        now = datetime.now(UTC)
        if isinstance(self.vm, FalseTdVm):
            return give(folder, self.vm.platform, *without, at=now)
        if "crl.der" not in without:
            (folder / "crl.der").write_bytes(self.vm.chip.endorsements().items["crl"])
        return folder

    @contextlib.contextmanager
    def source(self, **more: Any) -> Iterator[AzureSource]:
        """What asks this VM, as long as it runs."""
        make = AzureTdxSource if isinstance(self.vm, FalseTdVm) else AzureSnpSource
        with self.one.root() as root, serving(self.service) as host:
            service = MetadataService(host.url, pause=lambda _: None)
            yield make(root / "dev/tpmrm0", root=root, host=service, pause=lambda _: None, **more)


def thim(vm: FalseVm, **members: Any) -> Said:
    """What THIM says; members replace, None leaves out."""
    items = vm.chip.endorsements().items
    said: dict[str, Any] = {
        "vcekCert": pem(items["vcek"]).decode(),
        "tcbm": "DB16000000000004",
        "certificateChain": pem(items["ask"], items["ark"]).decode(),
        "cacheControl": "86400",
        **members,
    }
    return Said(json.dumps({name: value for name, value in said.items() if value is not None}).encode())


def quoting(vm: FalseTdVm, **fields: Any) -> Callable[[bytes], Said]:
    """The host's quoting enclave behind the metadata service."""

    def answer(body: bytes) -> Said:
        report = base64.urlsafe_b64decode(json.loads(body)["report"] + "==")
        if len(report) != 1024:
            return Said(status=400)
        quote = base64.urlsafe_b64encode(vm.quote_of(report, **fields)).rstrip(b"=").decode()
        return Said(json.dumps({"quote": quote}).encode())

    return answer


def host_of(vm: Vm, **fields: Any) -> Service:
    """The metadata service of a VM."""
    if isinstance(vm, FalseTdVm):
        return Service({TD_QUOTE: quoting(vm, **fields)})
    return Service({THIM: thim(vm)})


@contextlib.contextmanager
def azure_machine(
    vm: Vm,
    *,
    named: rsa.RSAPublicKey | None = None,
    said: Mapping[str, Any] | None = None,
    hardware: Mapping[str, Any] | None = None,
    edited: Edit = lambda report: report,
    whole: bool = False,
) -> Iterator[Azure]:
    """A VM whose TPM is `swtpm`.

    Args:
        named: the key in the runtime data, in place of the TPM's own.
        said: members of the runtime data.
        hardware: fields of the chip's report, or of the host's quote on TDX.
        edited: applied to the HCL report before it is stored.
        whole: an HCL report of the real size, which the paravisor keeps.
    """
    fields = dict(hardware or {})
    with swtpm() as tpm:
        key = parse_public(tpm.persist(RSA_TEMPLATE, AZURE_KEY), checks=Checks()).key
        assert isinstance(key, rsa.RSAPublicKey)
        shown = named or key
        data = runtime(shown, **{**({} if whole else {"keys": [jwk("HCLAkPub", shown)], "user_data": None}), **(said or {})})
        report, _ = vm.hardware(azure.covered(data), **({} if isinstance(vm, FalseTdVm) else fields))
        stored = edited(hcl_report(report, data, report_type=vm.report_type, size=azure.SIZE if whole else 0))
        device: Tpmrm = Paravisor(tpm, report=stored) if whole else Tpmrm(tpm)
        if not whole:
            tpm.define(HCL_REPORT, stored)
        events = boot_events()
        tpm.boot(events)
        one = Provisioned(tpm, AZURE, b"", events, device)
        yield Azure(vm, one, key, host_of(vm, **(fields if isinstance(vm, FalseTdVm) else {})))


def another_key() -> rsa.RSAPublicKey:
    """Of another machine."""
    return asset_key("azure_signer").public_key()
