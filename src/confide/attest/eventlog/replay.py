"""From events to registers: each digest is extended in order, `register = H(register || digest)`.

EV_NO_ACTION events are informational and extend nothing (TCG PC Client Platform Firmware Profile 1.06, section 10.4.5), but one of
them may say at which locality the TPM was started, which decides where PCR 0 begins ("StartupLocality").
"""

import hashlib
from collections.abc import Mapping

from confide.attest.eventlog.log import EV_NO_ACTION, SIZES, Algorithm, EventLog
from confide.codes import Code
from confide.errors import EvidenceError

_HASHES = {
    Algorithm.SHA1: hashlib.sha1,
    Algorithm.SHA256: hashlib.sha256,
    Algorithm.SHA384: hashlib.sha384,
    Algorithm.SHA512: hashlib.sha512,
}
STARTUP_LOCALITY = b"StartupLocality\x00"


def replay(log: EventLog, algorithm: Algorithm) -> Mapping[int, bytes]:
    """Registers that the log extends, by index.

    Raises:
        EvidenceError: `eventlog.algorithm` when the log has no digests of the algorithm.
    """
    if algorithm not in log.algorithms or algorithm not in _HASHES:
        found = ", ".join(each.name for each in log.algorithms)
        raise EvidenceError(Code.EVENTLOG_ALGORITHM, found=found, wanted=algorithm.name)
    digest_of = _HASHES[algorithm]
    registers: dict[int, bytes] = {}
    for event in log.events:
        if event.kind == EV_NO_ACTION:
            if event.register == 0 and event.data[:16] == STARTUP_LOCALITY and len(event.data) == 17:
                registers[0] = event.data[16:].rjust(SIZES[algorithm], b"\x00")
            continue
        before = registers.get(event.register, bytes(SIZES[algorithm]))
        registers[event.register] = digest_of(before + event.digests[algorithm]).digest()
    return registers
