"""A real TPM 2.0 in software (Debian's `swtpm`), behind a file with the rules of /dev/tpmrm0.

Its key is made from a template as Google's are, and certified by a false cloud. Without `swtpm` tests skip, or fail where
`CONFIDE_REQUIRE` lists `swtpm`.
"""

import contextlib
import errno
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.guest.devices.doubles import Result, at_path
from tests.guest.devices.fuse import File, Folder, RefusalError, mounted

from confide.attest.checks import Checks
from confide.attest.tpm.public import parse_public
from confide.guest.devices.tpm import commands
from confide_sim import tpm_structures
from confide_sim.tpm import GOOGLE, FalseCloud, boot_events, instance
from confide_sim.tpm_structures import Event

OWNER, PASSWORD = 0x40000001, 0x40000009
NV_DEFINE, NV_WRITE, PCR_EXTEND, EVICT = 0x12A, 0x137, 0x182, 0x120
# TPMA_NV (part 2 section 13.4): owner and auth may read and write, no dictionary attack protection
ATTRIBUTES = 1 << 1 | 1 << 2 | 1 << 17 | 1 << 18 | 1 << 25
SIGNING = 0x00050072  # TPMA_OBJECT: fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign
P256_TEMPLATE = struct.pack(">HHIHHHHHHHH", 0x0023, 0x000B, SIGNING, 0, 0x0010, 0x0018, 0x000B, 0x0003, 0x0010, 0, 0)
RSA_TEMPLATE = struct.pack(">HHIHHHHHIH", 0x0001, 0x000B, SIGNING, 0, 0x0010, 0x0014, 0x000B, 2048, 0, 0)


class Swtpm:
    """One TPM, spoken to over its socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def __call__(self, command: bytes, /) -> bytes:
        self._connection.sendall(command)
        head = self._exactly(10)
        return head + self._exactly(int.from_bytes(head[2:6]) - 10)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._connection.recv(size - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return data

    def authorised(self, code: int, handles: bytes, parameters: bytes) -> None:
        """A command with empty passwords for its first handle that must succeed."""
        session = struct.pack(">IHBH", PASSWORD, 0, 0, 0)
        body = handles + len(session).to_bytes(4) + session + parameters
        answer = self(struct.pack(">HII", 0x8002, 10 + len(body), code) + body)
        assert int.from_bytes(answer[6:10]) == 0, answer[6:10].hex()

    def define(self, index: int, data: bytes) -> None:
        """An NV index that holds `data`, as clouds' provisioning makes them."""
        public = struct.pack(">IHIHH", index, 0x000B, ATTRIBUTES, 0, len(data))
        self.authorised(NV_DEFINE, struct.pack(">I", OWNER), bytes(2) + len(public).to_bytes(2) + public)
        for start in range(0, len(data), 512):
            piece = data[start : start + 512]
            parameters = len(piece).to_bytes(2) + piece + start.to_bytes(2)
            self.authorised(NV_WRITE, struct.pack(">II", OWNER, index), parameters)

    def extend(self, register: int, digest: bytes) -> None:
        """TPM2_PCR_Extend of the bank of SHA-256."""
        self.authorised(PCR_EXTEND, struct.pack(">I", register), struct.pack(">IH", 1, 0x000B) + digest)

    def boot(self, events: tuple[Event, ...]) -> None:
        """What firmware does: measure each event."""
        for event in events:
            self.extend(event.register, event.digest(0x000B))

    def persist(self, template: bytes, handle: int) -> bytes:
        """A persistent key of the template, as Azure's are; its TPMT_PUBLIC."""
        key = commands.create_primary(self, template)
        parameters = struct.pack(">I", handle)
        self.authorised(EVICT, struct.pack(">II", OWNER, key), parameters)
        commands.flush(self, key)
        return commands.read_public(self, handle)


@contextlib.contextmanager
def swtpm() -> Iterator[Swtpm]:
    """A new TPM, started up; gone afterwards."""
    program = shutil.which("swtpm")
    if program is None:
        reason = "no swtpm: apt-get install swtpm"
        if "swtpm" in os.environ.get("CONFIDE_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="confide-swtpm-") as state:
        place = f"{state}/socket"
        words = ["socket", "--tpm2", "--tpmstate", f"dir={state}", "--server", f"type=unixio,path={place}"]
        process = subprocess.Popen([program, *words, "--flags", "not-need-init,startup-clear"], stderr=subprocess.DEVNULL)
        try:
            with _connected(place) as connection:
                yield Swtpm(connection)
        finally:
            process.terminate()
            process.wait(timeout=10)


@contextlib.contextmanager
def _connected(place: str) -> Iterator[socket.socket]:
    connection = socket.socket(socket.AF_UNIX)
    for _ in range(200):
        try:
            connection.connect(place)
            break
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(0.02)
    try:
        yield connection
    finally:
        connection.close()


@dataclass(eq=False)
class Tpmrm(File):
    """`/dev/tpmrm0`: a command is written whole, its answer read whole.

    Attributes:
        answers: instead of the TPM's, first to last: bytes, or an errno.
        between: called before each command.
    """

    tpm: Swtpm
    answers: list[bytes | int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    answer: bytes = b""

    def write(self, offset: int, data: bytes) -> None:  # noqa: ARG002 - a device has no place
        self.codes.append(int.from_bytes(data[6:10]))
        found = self.answers.pop(0) if self.answers else self.tpm(data)
        if isinstance(found, int):
            raise RefusalError(found)
        self.answer = found

    def read(self, offset: int, size: int) -> bytes:  # noqa: ARG002
        if not self.answer:
            raise RefusalError(errno.EIO)
        found, self.answer = self.answer[:size], b""
        return found


@dataclass
class Provisioned:
    """A TPM as a cloud hands it to a guest, booted."""

    tpm: Swtpm
    cloud: FalseCloud
    certificate: bytes
    events: tuple[Event, ...]
    device: Tpmrm

    def files(self, folder: Path, *without: str, at: datetime | None = None) -> Path:
        """`collateral_dir`, as an operator fills it: what the NV index does not give."""
        moment = at or datetime.now(UTC)
        found = {"ak-chain.pem": self.cloud.signer, "ak-crl.der": self.cloud.crl(at=moment)}
        for name, data in found.items():
            if name not in without:
                (folder / name).write_bytes(data)
        return folder

    @contextlib.contextmanager
    def root(self, *, log: bytes | None = None) -> Iterator[Path]:
        """A root with the device, and the firmware's log."""
        events = tpm_structures.event_log(self.events) if log is None else log
        tree = {"dev": Folder({"tpmrm0": self.device})}
        if events:
            tree["sys"] = at_path(Result(lambda: events), "kernel", "security", "tpm0", "binary_bios_measurements")
        with mounted(Folder(dict(tree))) as root:
            yield root


@contextlib.contextmanager
def provisioned(
    cloud: FalseCloud = GOOGLE, *, template: bytes = P256_TEMPLATE, at: datetime | None = None
) -> Iterator[Provisioned]:
    """Google's way: templates and certificates in NV indexes, the key made from one of them."""
    with swtpm() as tpm:
        key = commands.create_primary(tpm, template)
        public = parse_public(commands.read_public(tpm, key), checks=Checks()).key
        commands.flush(tpm, key)
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        certificate = cloud.issue_ak(spki, at=at or datetime.now(UTC), extensions=(instance(),))
        first = 0x01C10000 if template is RSA_TEMPLATE else 0x01C10002
        tpm.define(first, certificate)
        tpm.define(first + 1, template)
        events = boot_events()
        tpm.boot(events)
        yield Provisioned(tpm, cloud, certificate, events, Tpmrm(tpm))
