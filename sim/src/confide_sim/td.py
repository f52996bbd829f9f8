"""Reports and event logs of a false trust domain, written from Intel's tables by offset: a second reading, apart from the
verifier's.

Left to others: quotes around the reports, which a quoting enclave signs (`intel`), and the log's records (`tpm_structures`).
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from confide_sim import tpm_structures
from confide_sim.tpm_structures import Event

TD_10, TD_15, TD_15_EX = 584, 648, 885
SHA384 = 0x000C
RTMRS = 4

# field: offset, size, value when nothing is said (TDX DCAP Quoting Library API, appendix A.3.2). Integers are little-endian.
FIELDS: Final[Mapping[str, tuple[int, int, int | bytes]]] = {
    "tee_tcb_svn": (0, 16, bytes((5, 1, 2)) + bytes(13)),
    "mr_seam": (16, 48, b"\x5e" * 48),
    "mr_signer_seam": (64, 48, 0),
    "seam_attributes": (112, 8, 0),
    "td_attributes": (120, 8, 1 << 28),
    "xfam": (128, 8, 0x602E7),
    "mr_td": (136, 48, b"\x7d" * 48),
    "mr_config_id": (184, 48, 0),
    "mr_owner": (232, 48, 0),
    "mr_owner_config": (280, 48, 0),
    "rtmr0": (328, 48, 0),
    "rtmr1": (376, 48, 0),
    "rtmr2": (424, 48, 0),
    "rtmr3": (472, 48, 0),
    "report_data": (520, 64, 0),
    "tee_tcb_svn2": (584, 16, bytes((5, 1, 2)) + bytes(13)),
    "mr_service_td": (600, 48, 0),
    "vmid": (648, 1, 0),
    "td_id": (649, 32, b"\x1d" * 32),
    "dev_info": (681, 48, 0),
    "init_servtd_hash": (729, 48, 0),
    "init_servtd_attr": (777, 8, 0),
    "init_cpu_svn": (785, 16, 0),
    "init_tee_tcb_svn": (801, 16, bytes((5, 1, 2)) + bytes(13)),
    "init_tee_fmspc": (817, 12, 0),
    "curr_servtd_hash": (829, 48, 0),
    "curr_servtd_attr": (877, 8, 0),
}


def body(fields: Mapping[str, Any] | None = None, size: int = TD_10) -> bytes:
    """A TD report; fields that are not named take their default, as far as the size has them."""
    data = bytearray(size)
    given = dict(fields or {})
    for name, (offset, width, default) in FIELDS.items():
        value = given.pop(name, default)
        if offset < size:
            raw = value if isinstance(value, bytes) else value.to_bytes(width, "little")
            if len(raw) != width:
                raise ValueError(f"{name} takes {width} bytes")
            data[offset : offset + width] = raw
    if given:
        raise ValueError(f"no such field: {', '.join(given)}")
    return bytes(data)


def boot_events(*, secure_boot: bool = True, kernel: bytes = b"kernel", workload: bytes | None = None) -> tuple[Event, ...]:
    """What TD firmware and boot loader measure, in short; registers are CC measurement registers, 1 for RTMR0."""
    events = (
        Event(1, 0x8000000B, b"TdxTable: where the hand-off block lies", said=b"TD hand-off block"),
        Event(1, 0x80000001, tpm_structures.efi_variable("SecureBoot", bytes((secure_boot,)))),
        Event(1, 0x04, bytes(4)),
        Event(1, 0x0A, b"ACPI DATA", said=b"ACPI tables"),
        Event(2, 0x80000003, b"boot loader, by its path", said=b"boot loader"),
        Event(2, 0x04, bytes(4)),
        Event(3, 0x0D, b"kernel_cmdline: quiet", said=b"quiet"),
        Event(3, 0x0D, b"/boot/vmlinuz", said=kernel),
    )
    return events if workload is None else (*events, Event(4, 0x0D, workload))


def event_log(events: Sequence[Event], area: int = 0) -> bytes:
    """A CCEL log: SHA-384 alone, its header in register 1, FF behind it up to `area` bytes."""
    log = tpm_structures.event_log(events, (SHA384,))
    return (struct.pack("<I", 1) + log[4:]).ljust(area, b"\xff")


def rtmrs(events: Sequence[Event]) -> dict[str, bytes]:
    """The fields that the events lead to."""
    found = tpm_structures.replay(events, SHA384)
    return {f"rtmr{index}": found.get(index + 1, bytes(48)) for index in range(RTMRS)}


def ccel_table(**overrides: Any) -> bytes:
    """The ACPI table that says where the log lies, its checksum right unless `checksum` is given."""
    fields: dict[str, Any] = {
        "signature": b"CCEL",
        "revision": 1,
        "cc_type": 2,
        "cc_subtype": 0,
        "length": 1 << 18,
        "address": 1 << 30,
        **overrides,
    }
    table = bytes(fields["signature"]) + struct.pack("<IBB", fields.get("size", 56), fields["revision"], 0)
    table += b"SIMUL8" + b"SIMULATE" + struct.pack("<I4sI", 1, b"SIMU", 1)
    table += struct.pack("<BBHQQ", fields["cc_type"], fields["cc_subtype"], 0, fields["length"], fields["address"])
    checksum = fields.get("checksum", -sum(table) & 0xFF)
    return table[:9] + bytes((checksum,)) + table[10:]
