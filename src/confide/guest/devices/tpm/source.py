"""Quotes of a cloud's virtual TPM: the attestation key that the cloud certified, its certificate, PCRs and the log of the boot.

Where a key is (in this order; both make it before the guest starts, and neither gives it a password):

    Azure    persistent 0x81000003; certificate in NV 0x01C101D0 (Microsoft Learn, "Trusted Launch", guest attestation)
    Google   made anew from the template in NV 0x01C10003 (P-256) or 0x01C10001 (RSA), in the endorsement hierarchy; certificate in
             NV 0x01C10002 or 0x01C10000 (google/go-tpm-tools, `client`)

PCR10 takes whatever IMA measures while the machine runs, so it is left out; if another one changes between reading and quoting the
quote is taken again. Left to others: commands (`commands`), what a quote is worth (`attest.tpm`), checking it all (`checked`).
"""

import hashlib
import hmac
import json
import logging
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.eventlog.log import MAX_LOG
from confide.attest.evidence import Evidence, Kind
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.public import ECC, RSA
from confide.attest.tpm.quote import parse_attest
from confide.attest.tpm.validate import TpmConstraints
from confide.attest.tpm.verify import replay_log
from confide.codes import Code
from confide.collateral.files import TPM
from confide.errors import ConfideError, EvidenceError
from confide.guest import GuestError
from confide.guest.devices.reports import BusyError, patiently
from confide.guest.devices.source import Raw, bounded
from confide.guest.devices.tpm import commands
from confide.guest.devices.tpm.commands import Quoted, TpmRefusal
from confide.guest.devices.tpm.device import Exchange, TpmDevice

T = TypeVar("T")
log = logging.getLogger("confide.guest")
SHA256 = 0x000B
PCRS = (*range(10), *range(11, 16))
LOG = "sys/kernel/security/tpm0/binary_bios_measurements"  # Linux drivers/char/tpm/eventlog
AZURE_KEY, AZURE_CERTIFICATE = 0x81000003, 0x01C101D0
GOOGLE = ((0x01C10003, 0x01C10002), (0x01C10001, 0x01C10000))  # template and certificate: P-256, then RSA
TRIES = 4  # quotes, while PCRs change
FILES = TPM


@dataclass(frozen=True)
class Key:
    """An attestation key for the length of one exchange: its handle, and whether it must be removed again."""

    handle: int
    transient: bool
    certificate: bytes | None = field(repr=False)


class TpmSource:
    """Quotes by the key that the cloud certified."""

    kind = Kind.TPM
    name = "tpm"

    def __init__(self, path: Path, *, root: Path, pause: Callable[[float], object] = time.sleep) -> None:
        self._path, self._root, self._pause = path, root, pause
        self._told = False

    def check(self) -> None:
        """Raise `guest.device` unless this process may open the TPM, and there is a key that a cloud made."""

        def look() -> None:
            with TpmDevice(self._path) as tpm:
                key = _found(tpm)
                if key.transient:
                    commands.flush(tpm, key.handle)

        patiently(lambda: explained(look), pause=self._pause)

    def read(self, carried: bytes) -> Raw:
        """A quote whose qualifying data is `carried`, and what goes with it."""
        return patiently(lambda: explained(lambda: self._attempt(carried)), pause=self._pause)

    def _attempt(self, carried: bytes) -> Raw:
        with TpmDevice(self._path) as tpm:
            key = _found(tpm)
            try:
                public = commands.read_public(tpm, key.handle)
                quoted, pcrs = consistent_quote(tpm, key.handle, qualifying_data=carried)
            finally:
                if key.transient:
                    commands.flush(tpm, key.handle)
        items = {"attest": quoted.attest, "signature": quoted.signature, "pcrs": pcrs_json(pcrs), "ak-public": public}
        certificate = {} if key.certificate is None else {"ak-cert": key.certificate}
        return Raw({**items, **self._boot(pcrs)}, certificate)

    def _boot(self, pcrs: Mapping[int, bytes]) -> Mapping[str, bytes]:
        """The log, where it leads to the PCRs: verifiers refuse one that does not."""
        events = boot_log(self._root, pcrs, told=self._told)
        self._told = self._told or events is None
        return {} if not events else {"event-log": events}


def boot_log(root: Path, pcrs: Mapping[int, bytes], *, told: bool) -> bytes | None:
    """The firmware's log; empty where there is none, None where it leads elsewhere."""
    try:
        events = bounded(root / LOG, MAX_LOG, what="the event log")
        replay_log({"event-log": events}, SHA256, pcrs, Checks())
    except OSError:
        return b""
    except ConfideError as error:
        if not told:
            log.warning("the event log of the boot is left out of the evidence: %s", error)
        return None
    return events


def consistent_quote(tpm: Exchange, key: int, *, qualifying_data: bytes) -> tuple[Quoted, Mapping[int, bytes]]:
    """A quote, and the values that it is about."""
    for _ in range(TRIES):
        pcrs = commands.pcr_read(tpm, bank=SHA256, pcrs=PCRS)
        if not pcrs:
            raise GuestError(Code.GUEST_DEVICE, found="a TPM without PCRs of SHA-256", wanted="the bank sha256")
        quoted = commands.quote(tpm, key, qualifying_data=qualifying_data, bank=SHA256, pcrs=PCRS)
        digest = hashlib.sha256(b"".join(pcrs.values())).digest()
        if hmac.compare_digest(parse_attest(quoted.attest).pcr_digest, digest):
            return quoted, pcrs
    raise BusyError("PCRs change faster than they can be quoted")


def pcrs_json(pcrs: Mapping[int, bytes]) -> bytes:
    """As evidence carries them (spec/04-document.md)."""
    return json.dumps({str(index): value.hex() for index, value in pcrs.items()}, separators=(",", ":")).encode()


def _found(tpm: Exchange) -> Key:
    """The key that a cloud made: where it is persistent, or from its template."""
    try:
        commands.read_public(tpm, AZURE_KEY)
        return Key(AZURE_KEY, transient=False, certificate=commands.nv_read(tpm, AZURE_CERTIFICATE))
    except TpmRefusal as refusal:
        if not refusal.absent:
            raise
    for template_index, certificate_index in GOOGLE:
        template = commands.nv_read(tpm, template_index)
        if template:
            certificate = commands.nv_read(tpm, certificate_index)
            return Key(commands.create_primary(tpm, plain_public(template)), transient=True, certificate=certificate)
    places = ", ".join(f"{place:#010x}" for place in (AZURE_KEY, *(template for template, _ in GOOGLE)))
    hint = "a TPM's evidence is worth something on Google Cloud and Azure, whose authorities certify a key in it"
    raise GuestError(Code.GUEST_DEVICE, found=f"no key at {places}", wanted="an attestation key of a cloud", hint=hint)


def plain_public(template: bytes) -> bytes:
    """A TPMT_PUBLIC, out of its TPM2B_PUBLIC where it has one, without zeros that fill the index."""
    size, kind = int.from_bytes(template[:2]), int.from_bytes(template[2:4])
    wrapped = kind in {RSA, ECC} and size + 2 <= len(template) and not any(template[size + 2 :])
    return template[2 : size + 2] if wrapped else template  # the second field of a TPMT_PUBLIC is a hash, never one of these


def explained(attempt: Callable[[], T]) -> T:
    """What the TPM said, as an error of ours."""
    try:
        return attempt()
    except TpmRefusal as refusal:
        raise refusal.told() from None
    except (EvidenceError, struct.error) as error:
        raise GuestError(
            Code.GUEST_QUOTE, found=f"an answer of another form ({type(error).__name__})", wanted="the TPM's"
        ) from None


def missing(_: Evidence, there: Mapping[str, bytes]) -> Mapping[str, str]:
    """Files that verifiers will miss. Intermediates are shipped, as far as they are known."""
    known = {
        "ak-cert.der": "the attestation key's certificate, which the cloud's NV index did not give",
        "ak-crl.der": "the revocation list of the authority that the certificate names (CRL distribution point)",
    }
    return {file: what for file, what in known.items() if FILES[file][0] not in there}


def open_constraints(_: Claims) -> TpmConstraints:
    """Open about what was booted, and about the host, which must be trusted here by name."""
    return TpmConstraints(pcrs=Ignored.UNSAFE_IGNORED, allow_host_trusted=Ignored.UNSAFE_IGNORED)


def facts(claims: Claims) -> Mapping[str, str]:
    """What an operator wants to see."""
    if not isinstance(claims, TpmClaims):
        raise TypeError(type(claims).__name__)
    return {
        "authority": claims.authority.value,
        "ak_spki_sha256": claims.ak_spki_sha256.hex(),
        "event_log": "leads to the PCRs" if claims.event_log_replayed else "none",
        "worth": "as much as the host is trusted",
    }


__all__: Sequence[str] = [
    "FILES",
    "TpmSource",
    "boot_log",
    "consistent_quote",
    "explained",
    "facts",
    "missing",
    "open_constraints",
    "pcrs_json",
]
