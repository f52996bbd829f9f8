"""TCG event logs: what was measured, and whether it leads to the registers that a TPM or a TDX module signed."""

from confide.attest.eventlog.ccel import Ccel, parse_ccel
from confide.attest.eventlog.content import covers, secure_boot
from confide.attest.eventlog.log import Algorithm, Event, EventLog, parse_event_log
from confide.attest.eventlog.replay import replay

__all__ = ["Algorithm", "Ccel", "Event", "EventLog", "covers", "parse_ccel", "parse_event_log", "replay", "secure_boot"]
