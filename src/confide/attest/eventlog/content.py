"""What a replayed log proves beyond register values. Only digests are bound to registers: types, registers within one bank of the
mapping, and descriptions are the word of whoever handed over the log.

An event's data counts where a digest is over exactly that data (`covers`); even then another event with the same bytes could stand
for it, since the type is not bound. Secure Boot is therefore told by digests alone (`secure_boot`): firmware measures the variable
once, in one spelling, so the digest of "on" must be among the events of its register and that of "off" must not. This rests on the
firmware, which MRTD or PCR 0 names. Left to others: the replay, which must have led to a signed register before any of this counts.
"""

import hmac
from collections.abc import Iterable

from confide.attest.eventlog.log import Algorithm, Event
from confide.attest.eventlog.replay import HASHES

# EFI_GLOBAL_VARIABLE (UEFI 2.10 section 3.3), 8BE4DF61-93CA-11D2-AA0D-00E098032B8C as it lies in memory
GLOBAL_VARIABLE = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")


def covers(event: Event, algorithm: Algorithm) -> bool:
    """Whether the event's digest is over its whole data, as it is for EV_SEPARATOR, EV_EFI_VARIABLE_DRIVER_CONFIG and EV_EFI_ACTION
    (PC Client Platform Firmware Profile 1.06, section 10.4.1, table "Events"), and mostly not for EV_IPL."""
    digest = event.digests.get(algorithm)
    return digest is not None and algorithm in HASHES and hmac.compare_digest(HASHES[algorithm](event.data).digest(), digest)


def variable_data(name: str, value: bytes, vendor: bytes = GLOBAL_VARIABLE) -> bytes:
    """UEFI_VARIABLE_DATA (section 10.2.6): GUID, number of characters u64, number of bytes u64, name in UTF-16, value."""
    return vendor + len(name).to_bytes(8, "little") + len(value).to_bytes(8, "little") + name.encode("utf-16-le") + value


def secure_boot(events: Iterable[bytes], algorithm: Algorithm) -> bool | None:
    """Whether firmware measured SecureBoot as on, from all digests of PCR 7, or of RTMR0 (section 3.3.4.8, "PCR[7] Usage").

    None: the log does not say, or says both. An absent variable is measured with no value, which is off.
    """
    if algorithm not in HASHES:
        return None
    found = frozenset(events)
    on, off, absent = (HASHES[algorithm](variable_data("SecureBoot", value)).digest() in found for value in (b"\x01", b"\x00", b""))
    return None if on == (off or absent) else on
