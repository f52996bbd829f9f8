"""What `confide doctor` shows: every TEE interface that is here, and what those in use give, would clients take it or not.

Left to others: words on a terminal (`cli`), and every check (`attest`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from confide.attest.evidence import Roots
from confide.attest.roots import VENDOR_ROOTS
from confide.collateral.sources import keeper_of
from confide.collateral.windows import windows
from confide.errors import ConfideError
from confide.formats.fields import format_time
from confide.guest import GuestError
from confide.guest.devices.cca import with_platform_key
from confide.guest.devices.checked import Checked, CheckedTee, unacceptable, utc_now
from confide.guest.devices.platforms import platform_of
from confide.guest.devices.source import Finding, Source
from confide.guest.gpus import NONE, sources
from confide.guest.tee import TPM, found_source, survey, usable_source

SHOWN = 24  # measurements: as many as a TPM has PCRs; a GPU's 64 mean nothing by themselves


@dataclass(frozen=True)
class Part:
    """One piece of evidence: the facts of a good one, or the first thing that is wrong."""

    facts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    problem: ConfideError | None = None

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        problem = None if self.problem is None else self.problem.as_dict()
        return {"evidence": dict(self.facts) or None, "warnings": list(self.warnings), "problem": problem}


@dataclass(frozen=True)
class Examination:
    """Interfaces, the TEE, and what was asked for beside it, by name."""

    interfaces: tuple[Finding, ...]
    interface: str = ""
    own: Part = field(default_factory=Part)
    beside: Mapping[str, Part] = field(default_factory=dict)

    @property
    def problem(self) -> ConfideError | None:
        """The first, of any part."""
        return next((part.problem for part in (self.own, *self.beside.values()) if part.problem is not None), None)

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "interfaces": [
                {"name": each.name, "path": each.path, "usable": each.usable, "found": each.found} for each in self.interfaces
            ],
            "in_use": self.interface or None,
            **self.own.as_dict(),
            "beside": {name: part.as_dict() for name, part in self.beside.items()},
        }


def examine(
    prefer: str | None = None,
    *,
    gpus: str = NONE,
    vtpm: bool = False,
    root: Path = Path("/"),
    collateral_dir: Path | None = None,
    collateral_source: str = "",
    roots: Roots = VENDOR_ROOTS,
    now: Callable[[], datetime] = utc_now,
) -> Examination:
    """Look at everything once; of one kind, or of what a node would choose. Never raises for what it finds.

    Args:
        gpus, vtpm: as the node's settings.
    """
    interface = ""

    def asked(source: Source, index: int = 0) -> Part:
        keeper = keeper_of(collateral_source, now=now)
        pinned = with_platform_key(source.kind, roots, collateral_dir)
        tee = CheckedTee(source, roots=pinned, collateral_dir=collateral_dir, keeper=keeper, now=now, index=index)
        tee.renew()
        checked = tee.examine()
        return Part(_facts(checked), unacceptable(checked.claims))

    def own() -> Part:
        nonlocal interface
        source = found_source(prefer, root=root)
        interface = source.name
        return asked(source)

    beside: dict[str, Part] = {}
    found = _part(own)
    if vtpm:
        beside["vtpm"] = _part(lambda: asked(usable_source(root, TPM)))
    try:
        for index, source in enumerate(sources(gpus)):
            beside[f"gpu {index}"] = _part(partial(asked, source, index))
    except GuestError as error:
        beside["gpus"] = Part(problem=error)
    return Examination(survey(root), interface, found, beside)


def _part(look: Callable[[], Part]) -> Part:
    try:
        return look()
    except GuestError as error:
        return Part(problem=error)


def _facts(checked: Checked) -> Mapping[str, str]:
    claims = checked.claims
    platform = platform_of(claims.kind)
    measured = {name: value.hex() for name, value in claims.measurements}
    return {
        "kind": f"SIMULATED {platform.title}" if claims.simulated else platform.title,
        "platform_id": claims.platform_id or "hidden by the host",
        **(measured if len(measured) <= SHOWN else {"measurements": f"{len(measured)}, among them all that reference values name"}),
        **platform.facts(claims),
        "collateral": checked.collateral.found,
        "fresh_until": format_time(claims.not_after),
        **{
            f"{each.role}_ends": format_time(each.ends)
            for each in windows(checked.quote.endorsements.items)
            if each.ends is not None
        },
    }
