"""From events to registers: each digest is extended in order, `register = H(register || digest)`.

EV_NO_ACTION events are informational and extend nothing (TCG PC Client Platform Firmware Profile 1.06, section 10.4.5), but one of
them may say at which locality the TPM was started, which decides where PCR 0 begins (section 10.4.5.3, "StartupLocality"). It
counts only before PCR 0 is extended: behind that it would make everything before it vanish from the replay.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from confide.attest.eventlog.log import EV_NO_ACTION, SIZES, Algorithm, Event, EventLog
from confide.codes import Code
from confide.errors import EvidenceError

HASHES = {
    Algorithm.SHA1: hashlib.sha1,
    Algorithm.SHA256: hashlib.sha256,
    Algorithm.SHA384: hashlib.sha384,
    Algorithm.SHA512: hashlib.sha512,
}
STARTUP_LOCALITY = b"StartupLocality\x00"
LOCALITIES = frozenset({0, 3, 4})  # 4: an H-CRTM sequence went before (TPM 2.0 Library part 1, "Initializing PCR")


def replay(log: EventLog, algorithm: Algorithm) -> Mapping[int, bytes]:
    """Registers that the log extends, by index.

    Raises:
        EvidenceError: `eventlog.algorithm` when the log has no digests of the algorithm, or nothing here computes it;
            `eventlog.malformed` for a startup locality that is none, or that comes late.
    """
    require_bank(log, algorithm)
    digest_of = HASHES[algorithm]
    registers: dict[int, bytes] = {}
    for event in log.events:
        if event.kind == EV_NO_ACTION:
            if event.register == 0 and event.data[:16] == STARTUP_LOCALITY:
                registers[0] = _startup(event, registers, SIZES[algorithm])
            continue
        before = registers.get(event.register, bytes(SIZES[algorithm]))
        registers[event.register] = digest_of(before + event.digests[algorithm]).digest()
    return MappingProxyType(registers)


def require_bank(log: EventLog, algorithm: Algorithm) -> None:
    """The log has digests of an algorithm that can be computed here; `eventlog.algorithm` otherwise."""
    if algorithm not in log.algorithms or algorithm not in HASHES:
        found = ", ".join(each.name for each in log.algorithms)
        raise EvidenceError(Code.EVENTLOG_ALGORITHM, found=found, wanted=algorithm.name)


def _startup(event: Event, registers: Mapping[int, bytes], size: int) -> bytes:
    """PCR 0 begins as zeros with the locality in its last byte (TPM 2.0 Library part 3, TPM2_Startup)."""
    locality = event.data[16:]
    if 0 in registers or len(locality) != 1 or locality[0] not in LOCALITIES:
        found = f"startup locality {locality[:4].hex()}{' behind an event of PCR 0' if 0 in registers else ''}"
        raise EvidenceError(Code.EVENTLOG_MALFORMED, found=found, wanted="one of 0, 3 and 4, before PCR 0 is extended")
    return locality.rjust(size, b"\x00")
