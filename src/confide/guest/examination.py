"""What `confide doctor` shows: every TEE interface that is here, and what the one in use gives, would clients take it or not.

Left to others: words on a terminal (`cli`), and every check (`attest`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from confide.attest.evidence import Roots
from confide.attest.roots import VENDOR_ROOTS
from confide.collateral.sources import keeper_of
from confide.collateral.windows import windows
from confide.errors import ConfideError
from confide.formats.fields import format_time
from confide.guest import GuestError
from confide.guest.devices.checked import Checked, unacceptable, utc_now
from confide.guest.devices.platforms import platform_of
from confide.guest.tee import Finding, open_found, survey


@dataclass(frozen=True)
class Examination:
    """Interfaces, and either the facts of good evidence or the first thing that is wrong."""

    interfaces: tuple[Finding, ...]
    interface: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    problem: ConfideError | None = None

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "interfaces": [
                {"name": each.name, "path": each.path, "usable": each.usable, "found": each.found} for each in self.interfaces
            ],
            "in_use": self.interface or None,
            "evidence": dict(self.facts) or None,
            "warnings": list(self.warnings),
            "problem": None if self.problem is None else self.problem.as_dict(),
        }


def examine(
    prefer: str | None = None,
    *,
    root: Path = Path("/"),
    collateral_dir: Path | None = None,
    collateral_source: str = "",
    roots: Roots = VENDOR_ROOTS,
    now: Callable[[], datetime] = utc_now,
) -> Examination:
    """Look at everything once; of one kind, or of what a node would choose. Never raises for what it finds."""
    interfaces, interface = survey(root), ""
    try:
        keeper = keeper_of(collateral_source, now=now)
        tee = open_found(prefer, root=root, collateral_dir=collateral_dir, keeper=keeper, roots=roots, now=now)
        interface = tee.interface
        tee.renew()
        checked = tee.examine()
    except GuestError as error:
        return Examination(interfaces, interface, problem=error)
    return Examination(interfaces, interface, _facts(checked), unacceptable(checked.claims))


def _facts(checked: Checked) -> Mapping[str, str]:
    claims = checked.claims
    platform = platform_of(claims.kind)
    return {
        "kind": f"SIMULATED {platform.title}" if claims.simulated else platform.title,
        "platform_id": claims.platform_id or "hidden by the host",
        **{name: value.hex() for name, value in claims.measurements},
        **platform.facts(claims),
        "collateral": checked.collateral.found,
        "fresh_until": format_time(claims.not_after),
        **{
            f"{each.role}_ends": format_time(each.ends)
            for each in windows(checked.quote.endorsements.items)
            if each.ends is not None
        },
    }
