"""What the firmware says of the machine, read from an event log that leads to the quoted PCRs.

An event's own words are believed only where its digest is the hash of them, so that the PCR covers them (TCG PC Client Platform
Firmware Profile 1.06 section 10.4.1), and only before the separator, which ends what the firmware measures (section 2.3.4). They
are as true as whoever made the TPM: on Google Cloud the host. That a machine says AMD_SEV_SNP there proves no SEV-SNP; the TEE's
own report does.
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum

from confide.attest.eventlog import Algorithm, Event, EventLog

EV_SEPARATOR, EV_S_CRTM_VERSION, EV_NONHOST_INFO = 0x04, 0x08, 0x11  # PC Client profile table 27, event types
EV_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001
FIRMWARE, SECURE_BOOT_POLICY = 0, 7  # PC Client profile table 1, PCR usage
NONHOST_INFO = b"GCE NonHostInfo\x00"  # google/go-tpm-tools, `server/policy_constants.go`: 16 bytes, technology, 15 reserved
FIRMWARE_VERSION = "GCE Virtual Firmware v".encode("utf-16-le")
MAX_VERSION_DIGITS = 8
EFI_GLOBAL_VARIABLE = bytes.fromhex(
    "61dfe48bca93d211aa0d00e098032b8c"
)  # UEFI 2.10 section 3.3, 8BE4DF61-93CA-11D2-AA0D-00E098032B8C
SECURE_BOOT = "SecureBoot".encode("utf-16-le")


class Technology(IntEnum):
    """What the memory is protected with, by Google's firmware (go-tpm-tools, `GCEConfidentialTechnology`)."""

    NONE = 0
    AMD_SEV = 1
    AMD_SEV_ES = 2
    INTEL_TDX = 3
    AMD_SEV_SNP = 4


@dataclass(frozen=True)
class Platform:
    """None where the log does not say, says it twice, or says it of a PCR that was not quoted."""

    technology: Technology | None = None
    firmware_version: int | None = None
    secure_boot: bool | None = None


def platform_of(log: EventLog, algorithm: Algorithm, quoted: Collection[int]) -> Platform:
    """Read a log that has been replayed to PCRs of the bank `algorithm`, as far as they were `quoted`."""
    firmware = tuple(_covered(log, algorithm, FIRMWARE)) if FIRMWARE in quoted else ()
    policy = tuple(_covered(log, algorithm, SECURE_BOOT_POLICY)) if SECURE_BOOT_POLICY in quoted else ()
    return Platform(_technology(firmware), _firmware_version(firmware), _secure_boot(policy))


def _covered(log: EventLog, algorithm: Algorithm, register: int) -> Iterator[Event]:
    """The events of a register up to its separator whose digests are hashes of their words."""
    for event in log.events:
        if event.register != register or algorithm not in event.digests:
            continue
        if event.kind == EV_SEPARATOR:
            return
        if hashlib.new(algorithm.name.lower(), event.data).digest() == event.digests[algorithm]:
            yield event


def _only(events: tuple[Event, ...], kind: int, beginning: bytes, at: int = 0) -> bytes | None:
    found = [event.data for event in events if event.kind == kind and event.data[at : at + len(beginning)] == beginning]
    return found[0] if len(found) == 1 else None


def _technology(events: tuple[Event, ...]) -> Technology | None:
    said = _only(events, EV_NONHOST_INFO, NONHOST_INFO)
    if said is None or len(said) != 32:
        return None
    return next((each for each in Technology if each == said[len(NONHOST_INFO)]), None)


def _firmware_version(events: tuple[Event, ...]) -> int | None:
    said = _only(events, EV_S_CRTM_VERSION, FIRMWARE_VERSION)
    text = "" if said is None else said[len(FIRMWARE_VERSION) :].decode("utf-16-le", "replace").removesuffix("\x00")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_VERSION_DIGITS else None


def _secure_boot(events: tuple[Event, ...]) -> bool | None:
    """UEFI_VARIABLE_DATA (PC Client profile section 10.2.6): GUID, length of the name, length of the data, name, data."""
    heading = EFI_GLOBAL_VARIABLE + len("SecureBoot").to_bytes(8, "little") + (1).to_bytes(8, "little") + SECURE_BOOT
    said = _only(events, EV_EFI_VARIABLE_DRIVER_CONFIG, heading)
    if said is None or len(said) != len(heading) + 1 or said[-1] > 1:
        return None
    return said[-1] == 1
