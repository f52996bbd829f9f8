"""The few TPM 2.0 commands that a quote needs (TCG TPM 2.0 Library, part 3; structures in part 2). Integers are big-endian.

    command   tag u16   size u32   code u32   handles   [size of the sessions u32   sessions]   parameters
    answer    tag u16   size u32   code u32   [handle]   [size of the parameters u32]   parameters   [sessions]

All authorisations are passwords (TPM_RS_PW), mostly empty: keys of clouds' TPMs have none. Answers are bounded and read to their
end; what the TPM refuses is a `TpmRefusal` with its code. Left to others: carrying bytes (`device`), which keys there are
(`source`).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from confide.attest.tpm.quote import BANKS
from confide.attest.tpm.reader import Reader
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.reports import BusyError
from confide.guest.devices.tpm.device import Exchange

NO_SESSIONS, SESSIONS = 0x8001, 0x8002  # part 2 section 6.9, TPM_ST
# part 2 section 6.5.2, TPM_CC
CREATE_PRIMARY, NV_READ, QUOTE, FLUSH, NV_READ_PUBLIC, READ_PUBLIC, PCR_READ = 0x131, 0x14E, 0x158, 0x165, 0x169, 0x173, 0x17E
NV_UNDEFINE, NV_DEFINE, NV_WRITE = 0x122, 0x12A, 0x137
NSM_REQUEST = 0x20000001  # AWS's own (aws/NitroTPM-Tools)
NAMES = {
    NV_UNDEFINE: "NV_UndefineSpace",
    NV_DEFINE: "NV_DefineSpace",
    NV_WRITE: "NV_Write",
    NSM_REQUEST: "AWS_NSM_Request",
    CREATE_PRIMARY: "CreatePrimary",
    NV_READ: "NV_Read",
    QUOTE: "Quote",
    FLUSH: "FlushContext",
    NV_READ_PUBLIC: "NV_ReadPublic",
    READ_PUBLIC: "ReadPublic",
    PCR_READ: "PCR_Read",
}
OWNER, ENDORSEMENT, PASSWORD = 0x40000001, 0x4000000B, 0x40000009  # part 2 section 7.4, TPM_RH_OWNER, ..., TPM_RS_PW
BUSY = {0x908: "YIELDED", 0x90A: "TESTING", 0x920: "NV_RATE", 0x922: "RETRY"}  # part 2 section 6.6.3, warnings
TAKEN = 0x14C  # TPM_RC_NV_DEFINED
ABSENT = frozenset({0x18B, 0x14A})  # TPM_RC_HANDLE of the first handle, TPM_RC_NV_UNINITIALIZED
ALG_NULL = 0x0010
NV_CHUNK = 1024  # bytes; every TPM reads as many at once (PC Client Platform TPM Profile, TPM_PT_NV_BUFFER_MAX)
MAX_NV = 16 << 10
AT_ONCE = 8  # PCRs in one answer (part 2 section 10.9.7, TPML_DIGEST)
NV_ATTRIBUTES = 1 << 2 | 1 << 18  # part 2 section 13.4, TPMA_NV: AUTHWRITE, AUTHREAD
SHA256 = 0x000B


class TpmRefusal(Exception):  # noqa: N818 - a refusal is an answer
    """The TPM answered with an error."""

    def __init__(self, command: int, code: int) -> None:
        super().__init__(f"{NAMES[command]} answers {code:#x}")
        self.code = code

    @property
    def absent(self) -> bool:
        """There is no such object or index, or nothing was written to it."""
        return self.code in ABSENT

    @property
    def taken(self) -> bool:
        """There is such an index already."""
        return self.code == TAKEN

    def told(self) -> GuestError:
        """For whoever wanted a quote."""
        return GuestError(Code.GUEST_QUOTE, found=f"the TPM's {self}", wanted="success")


@dataclass(frozen=True)
class Quoted:
    """TPMS_ATTEST and TPMT_SIGNATURE, as they came."""

    attest: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def read_public(tpm: Exchange, handle: int) -> bytes:
    """The TPMT_PUBLIC of a loaded or persistent object (part 3 section 12.4)."""
    return _ask(tpm, READ_PUBLIC, struct.pack(">I", handle)).sized()


def create_primary(tpm: Exchange, template: bytes) -> int:
    """The handle of the endorsement hierarchy's key of this TPMT_PUBLIC: the same one each time (part 3 section 24.1)."""
    sensitive = struct.pack(">HHH", 4, 0, 0)  # TPM2B_SENSITIVE_CREATE: no password, no data
    public = len(template).to_bytes(2) + template
    outside_info, pcrs = bytes(2), bytes(4)
    answer = _answer(tpm, CREATE_PRIMARY, struct.pack(">I", ENDORSEMENT), sensitive + public + outside_info + pcrs)
    return answer.number(4)


def flush(tpm: Exchange, handle: int) -> None:
    """Remove a transient object (part 3 section 28.4)."""
    _ask(tpm, FLUSH, b"", struct.pack(">I", handle))


def quote(tpm: Exchange, key: int, *, qualifying_data: bytes, bank: int, pcrs: tuple[int, ...]) -> Quoted:
    """A quote of these PCRs (part 3 section 18.4), by the scheme that the key has."""
    parameters = len(qualifying_data).to_bytes(2) + qualifying_data + ALG_NULL.to_bytes(2) + _selection(bank, pcrs)
    answer = _ask(tpm, QUOTE, struct.pack(">I", key), parameters, authorised=True)
    attest = answer.sized()
    return Quoted(attest, answer.rest())


def pcr_read(tpm: Exchange, *, bank: int, pcrs: tuple[int, ...]) -> Mapping[int, bytes]:
    """Values of these PCRs (part 3 section 22.4). A TPM without the bank gives none."""
    found: dict[int, bytes] = {}
    for start in range(0, len(pcrs), AT_ONCE):
        wanted = pcrs[start : start + AT_ONCE]
        answer = _ask(tpm, PCR_READ, b"", _selection(bank, wanted))
        answer.number(4)  # pcrUpdateCounter
        if _selected(answer) != (bank, wanted):
            return MappingProxyType({})
        count = answer.number(4)
        values = [answer.sized() for _ in range(min(count, AT_ONCE))]
        if count != len(wanted) or any(len(value) != BANKS[bank][1] for value in values):
            raise _malformed(PCR_READ)
        found |= zip(wanted, values, strict=True)
    return MappingProxyType(found)


def nv_define(tpm: Exchange, index: int, *, size: int, password: bytes) -> None:
    """A new NV index that its password reads and writes (part 3 section 31.3), owned by an owner without a password."""
    public = struct.pack(">IHIHH", index, SHA256, NV_ATTRIBUTES, 0, size)
    parameters = len(password).to_bytes(2) + password + len(public).to_bytes(2) + public
    _ask(tpm, NV_DEFINE, struct.pack(">I", OWNER), parameters, authorised=True)


def nv_undefine(tpm: Exchange, index: int) -> None:
    """Remove an NV index (part 3 section 31.4)."""
    _ask(tpm, NV_UNDEFINE, struct.pack(">II", OWNER, index), authorised=True)


def nv_write(tpm: Exchange, index: int, data: bytes, *, password: bytes) -> None:
    """Write the beginning of an NV index (part 3 section 31.7)."""
    for start in range(0, len(data), NV_CHUNK):
        piece = data[start : start + NV_CHUNK]
        parameters = len(piece).to_bytes(2) + piece + start.to_bytes(2)
        _ask(tpm, NV_WRITE, struct.pack(">II", index, index), parameters, authorised=True, password=password)


def nsm_request(tpm: Exchange, index: int, *, password: bytes) -> None:
    """Have the request in an NV index answered in its place."""
    _ask(tpm, NSM_REQUEST, struct.pack(">II", index, index), authorised=True, password=password)


def nv_read(tpm: Exchange, index: int, *, password: bytes | None = None) -> bytes | None:
    """What an NV index holds (part 3 sections 31.6 and 31.13), read by its password, or as the owner, or else by an empty one.

    None where there is none.
    """
    try:
        size = _nv_size(_ask(tpm, NV_READ_PUBLIC, struct.pack(">I", index)).sized())
        if password is not None:
            return _nv_data(tpm, index, index, size, password)
        try:
            return _nv_data(tpm, OWNER, index, size)
        except TpmRefusal as refusal:
            if refusal.absent:
                return None
            return _nv_data(tpm, index, index, size)
    except TpmRefusal as refusal:
        if refusal.absent:
            return None
        raise


def _nv_data(tpm: Exchange, by: int, index: int, size: int, password: bytes = b"") -> bytes:
    data = bytearray()
    while len(data) < size:
        parameters = struct.pack(">HH", min(NV_CHUNK, size - len(data)), len(data))
        piece = _ask(tpm, NV_READ, struct.pack(">II", by, index), parameters, authorised=True, password=password).sized()
        if not 0 < len(piece) <= size - len(data):
            raise _malformed(NV_READ)
        data += piece
    return bytes(data)


def _nv_size(public: bytes) -> int:
    """TPMS_NV_PUBLIC (part 2 section 13.5): index, nameAlg, attributes, authPolicy, dataSize."""
    reader = Reader(public)
    reader.take(4 + 2 + 4)
    reader.sized()
    size = reader.number(2)
    if size > MAX_NV:
        raise GuestError(Code.GUEST_QUOTE, found=f"an NV index of {size} bytes", wanted=f"at most {MAX_NV}")
    return size


def _selection(bank: int, pcrs: tuple[int, ...]) -> bytes:
    """TPML_PCR_SELECTION of one bank (part 2 section 10.9.7)."""
    bits = sum(1 << index for index in pcrs)
    return struct.pack(">IHB", 1, bank, 3) + bits.to_bytes(3, "little")


def _selected(answer: Reader) -> tuple[int, tuple[int, ...]]:
    """The bank and PCRs that a TPM_PCR_Read was about; nothing where the TPM has no such bank."""
    if answer.number(4) != 1:
        return 0, ()
    bank, size = answer.number(2), answer.number(1)
    bits = int.from_bytes(answer.take(min(size, 4)), "little")
    return bank, tuple(index for index in range(32) if bits >> index & 1)


def _ask(
    tpm: Exchange, code: int, handles: bytes, parameters: bytes = b"", *, authorised: bool = False, password: bytes = b""
) -> Reader:
    """The parameters of an answer, for commands whose answer has no handle."""
    answer = _answer(tpm, code, handles, parameters, password) if authorised else _plain(tpm, code, handles + parameters)
    if not authorised:
        return answer
    return Reader(answer.take(answer.number(4)))


def _plain(tpm: Exchange, code: int, body: bytes) -> Reader:
    return _exchanged(tpm, code, NO_SESSIONS, body)


def _answer(tpm: Exchange, code: int, handles: bytes, parameters: bytes, password: bytes = b"") -> Reader:
    """With one password, for the first handle (part 1 section 19.4, password authorizations)."""
    session = struct.pack(">IHBH", PASSWORD, 0, 0, len(password)) + password
    return _exchanged(tpm, code, SESSIONS, handles + len(session).to_bytes(4) + session + parameters)


def _exchanged(tpm: Exchange, code: int, tag: int, body: bytes) -> Reader:
    """Behind the header of a good answer (part 3 section 5).

    Raises:
        TpmRefusal: the TPM refuses.
        BusyError: it may not, next time.
        GuestError: `guest.quote`, an answer of another form.
    """
    data = tpm(struct.pack(">HII", tag, 10 + len(body), code) + body)
    if len(data) < 10 or int.from_bytes(data[2:6]) != len(data):
        raise _malformed(code)
    answered, status = int.from_bytes(data[:2]), int.from_bytes(data[6:10])
    if status in BUSY:
        raise BusyError(f"the TPM answers {BUSY[status]}")
    if status:
        raise TpmRefusal(code, status)
    if answered != tag:
        raise _malformed(code)
    return Reader(data[10:])


def _malformed(code: int) -> GuestError:
    return GuestError(Code.GUEST_QUOTE, found=f"{NAMES[code]}, an answer of another form", wanted="the TPM's")
