"""What the firmware says of the machine, read from an event log that leads to the quoted PCRs.

Only digests are bound to PCRs; types and descriptions are the word of whoever handed over the log (`attest.eventlog.content`). So
the technology is told by digests alone, as Secure Boot is: the firmware measures one value of it, whose digest cannot be taken
out of the log, and software that later extends another only makes the answer "unknown". The version is a text: it is read where a
digest covers it, before the separator's digest, behind which later software may extend what it likes (TCG PC Client Platform
Firmware Profile 1.06 section 2.3.4). All this is as true as whoever made the TPM: on Google Cloud the host. That a machine says
AMD_SEV_SNP here proves no SEV-SNP; the TEE's own report does.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum

from confide.attest.eventlog import Algorithm, Event, EventLog, covers, secure_boot
from confide.attest.eventlog.replay import HASHES

FIRMWARE, SECURE_BOOT_POLICY = 0, 7  # PC Client profile table 1, PCR usage
SEPARATOR = bytes(4)  # PC Client profile section 10.4.1, EV_SEPARATOR: its data where nothing went wrong
NONHOST_INFO = b"GCE NonHostInfo\x00"  # google/go-tpm-tools, `server/policy_constants.go`: 16 bytes, technology, 15 reserved
RESERVED = bytes(15)
FIRMWARE_VERSION = "GCE Virtual Firmware v".encode("utf-16-le")
MAX_VERSION_DIGITS = 8


class Technology(IntEnum):
    """What the memory is protected with, by Google's firmware (go-tpm-tools, `GCEConfidentialTechnology`)."""

    NONE = 0
    AMD_SEV = 1
    AMD_SEV_ES = 2
    INTEL_TDX = 3
    AMD_SEV_SNP = 4


@dataclass(frozen=True)
class Platform:
    """None where the log does not say, says two things, or says it of a PCR that was not quoted."""

    technology: Technology | None = None
    firmware_version: int | None = None
    secure_boot: bool | None = None


def platform_of(log: EventLog, algorithm: Algorithm, quoted: Collection[int]) -> Platform:
    """Read a log that has been replayed to PCRs of the bank `algorithm`, as far as they were `quoted`."""
    firmware = tuple(_events(log, algorithm, FIRMWARE)) if FIRMWARE in quoted else ()
    policy = tuple(_events(log, algorithm, SECURE_BOOT_POLICY)) if SECURE_BOOT_POLICY in quoted else ()
    return Platform(
        _technology(firmware, algorithm),
        _firmware_version(firmware, algorithm),
        secure_boot((event.digests[algorithm] for event in policy), algorithm),
    )


def _events(log: EventLog, algorithm: Algorithm, register: int) -> Iterator[Event]:
    return (event for event in log.events if event.register == register and algorithm in event.digests)


def _technology(events: tuple[Event, ...], algorithm: Algorithm) -> Technology | None:
    digests = {event.digests[algorithm] for event in events}
    found = [each for each in Technology if HASHES[algorithm](NONHOST_INFO + bytes((each,)) + RESERVED).digest() in digests]
    return found[0] if len(found) == 1 else None


def _firmware_version(events: tuple[Event, ...], algorithm: Algorithm) -> int | None:
    """The one version before the separator (PC Client profile section 10.4.1, EV_S_CRTM_VERSION)."""
    end, said = HASHES[algorithm](SEPARATOR).digest(), []
    for event in events:
        if event.digests[algorithm] == end:
            break
        if event.data.startswith(FIRMWARE_VERSION) and covers(event, algorithm):
            said.append(event.data[len(FIRMWARE_VERSION) :].decode("utf-16-le", "replace").removesuffix("\x00"))
    text = said[0] if len(said) == 1 else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_VERSION_DIGITS else None
