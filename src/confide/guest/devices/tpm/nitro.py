"""A NitroTPM: attestation documents of an EC2 instance, through the TPM's vendor command (aws/NitroTPM-Tools, `nitro-tpm-attest`).

1. Define an NV index of 8 KiB that only its random password reads and writes.
2. Write a request of the Nitro Secure Module's API into it (`devices.nitro.attestation_request`).
3. Vendor command 0x20000001, the index as handle and as its own authorisation: the response takes the request's place.
4. Read it, and undefine the index whatever happened.

The kernel's resource manager passes on what a TPM lists among its commands; AWS's tool does not rely on it and goes to
`/dev/tpm0`, which one process at a time opens, and so does this. The password travels in clear to the TPM, which is the
hypervisor that makes the document anyway. Left to others: commands (`commands`), what a document means (`attest.nitro`), checking
it all (`checked`).
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from confide.attest import cbor
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Kind
from confide.attest.nitro.validate import NitroTpmConstraints
from confide.codes import Code
from confide.errors import EvidenceError
from confide.guest import GuestError
from confide.guest.devices.nitro import attestation_request, document_in
from confide.guest.devices.reports import patiently
from confide.guest.devices.source import Raw
from confide.guest.devices.tpm import commands
from confide.guest.devices.tpm.commands import TpmRefusal
from confide.guest.devices.tpm.device import Exchange, TpmDevice

SIZE = 8192  # bytes; a document has about 5 KiB
FIRST, LAST = 0x01800000, 0x01BFFFFF  # the owner's indexes (TCG Registry of Reserved TPM 2.0 Handles, table 3)
NO_SUCH_COMMAND = 0x143  # TPM_RC_COMMAND_CODE
PASSWORD_SIZE = 32
TRIES = 8  # indexes


class NitroTpmSource:
    """Documents of this instance."""

    kind = Kind.NITROTPM
    name = "nitrotpm"

    def __init__(self, path: Path, *, pause: Callable[[float], object] = time.sleep) -> None:
        self._path, self._pause = path, pause

    def check(self) -> None:
        """Raise `guest.device` unless this process may open the TPM. Whether it is a NitroTPM shows at the first document."""

        def look() -> None:
            with TpmDevice(self._path):
                pass

        patiently(look, pause=self._pause)

    def read(self, carried: bytes) -> Raw:
        """A document whose `user_data` is `carried`."""
        return Raw({"document": patiently(lambda: self._attempt(carried), pause=self._pause)})

    def _attempt(self, carried: bytes) -> bytes:
        with TpmDevice(self._path) as tpm:
            try:
                return document(tpm, carried)
            except TpmRefusal as refusal:
                if refusal.code == NO_SUCH_COMMAND:
                    found, wanted = "a TPM without requests to the Nitro Secure Module", "a NitroTPM"
                    hint = "choose another kind: --tee tpm"
                    raise GuestError(Code.GUEST_DEVICE, found=found, wanted=wanted, hint=hint) from None
                raise refusal.told() from None


def document(tpm: Exchange, user_data: bytes) -> bytes:
    """Steps 1 to 4.

    Raises:
        TpmRefusal: the TPM refuses a command.
        GuestError: `guest.quote` for a response of another form, or an error of the Nitro Secure Module.
    """
    password = secrets.token_bytes(PASSWORD_SIZE)
    with _buffer(tpm, password) as index:
        commands.nv_write(tpm, index, attestation_request(user_data), password=password)
        commands.nsm_request(tpm, index, password=password)
        response = commands.nv_read(tpm, index, password=password) or b""
    try:
        return document_in(cbor.first(response, limit=SIZE), device="the NitroTPM")
    except EvidenceError:
        raise GuestError(Code.GUEST_QUOTE, found="the NitroTPM, a response of another form", wanted="a document") from None


@contextlib.contextmanager
def _buffer(tpm: Exchange, password: bytes) -> Iterator[int]:
    """An NV index of our own, gone behind the block."""
    index = _defined(tpm, password)
    try:
        yield index
    finally:
        commands.nv_undefine(tpm, index)


def _defined(tpm: Exchange, password: bytes) -> int:
    """At a place that nobody else has taken."""
    for _ in range(TRIES):
        index = FIRST + secrets.randbelow(LAST - FIRST + 1)
        try:
            commands.nv_define(tpm, index, size=SIZE, password=password)
        except TpmRefusal as refusal:
            if not refusal.taken:
                raise
        else:
            return index
    raise GuestError(Code.GUEST_QUOTE, found=f"{TRIES} NV indexes that are taken", wanted="a free one")


def open_constraints(_: Claims) -> NitroTpmConstraints:
    """Strict about the state, open about what runs."""
    return NitroTpmConstraints(pcrs=Ignored.UNSAFE_IGNORED)
