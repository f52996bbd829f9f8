"""What referees and we are asked about: recorded evidence, that of the false vendors, and the same with one bit flipped.

Left to others: the referees (`run`), and expectations of recorded cases (`conformance.recorded`): here only the two opinions count.
"""

import base64
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.attest.accepted import NAMES, accepted
from tests.attest.accepted import NOW as FALSE_NOW

import confide_sim
from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.nvidia.claims import NvidiaClaims
from confide.attest.nvidia.validate import NvidiaConstraints, validate
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.x509 import Revocation
from confide.errors import ConfideError
from conformance.kinds import ADAPTERS
from conformance.recorded import read_case

ROOTS_OF = {Kind.TDX: Kind.SGX, Kind.NITROTPM: Kind.NITRO}  # one root for both
UP_TO_DATE = "UpToDate"  # referees that judge levels refuse others


@dataclass(frozen=True)
class Case:
    """One question."""

    id: str
    evidence: Evidence
    endorsements: Endorsements = field(repr=False)
    now: datetime
    roots: Roots = field(repr=False)

    @property
    def origin(self) -> str:
        """`recorded`, `false` or `flipped`."""
        return self.id.partition("/")[0]

    def line(self) -> str:
        """As referees read it."""
        coded = {
            name: {role: base64.b64encode(data).decode() for role, data in items.items()}
            for name, items in (("evidence", self.evidence.items), ("endorsements", self.endorsements.items))
        }
        kind = ROOTS_OF.get(Kind(self.evidence.kind), self.evidence.kind)
        roots = [base64.b64encode(root.der).decode() for root in self.roots if root.kind == kind]
        now = self.now.astimezone(UTC).isoformat()
        return json.dumps({"id": self.id, "kind": self.evidence.kind, **coded, "now": now, "roots": roots})

    def ours(self) -> str | None:
        """None where this verifier finds it genuine and its firmware up to date, else its code."""
        checks = Checks()
        try:
            claims = verifiers.authenticate(
                self.evidence,
                self.endorsements,
                roots=self.roots,
                now=self.now,
                revocation=Revocation(required=False),
                checks=checks,
            )
            if isinstance(claims, NvidiaClaims) and {"rim-driver", "rim-vbios"} <= self.endorsements.items.keys():
                validate(claims, NvidiaConstraints(), checks=checks)
        except ConfideError as error:
            return str(error.code.value)
        return None if claims.tcb_status in {None, UP_TO_DATE} else f"level {claims.tcb_status}"


def recorded(folder: Path, kinds: frozenset[str]) -> Iterator[Case]:
    """Every recorded case of these kinds, each at its own clock."""
    manifest: dict[str, Any] = json.loads((folder / "MANIFEST.json").read_text("utf-8"))
    for entry in manifest["vectors"]:
        for judge in entry.get("judge", ()) if entry["kind"] in kinds else ():
            case = read_case(folder, entry, judge)
            roots = (*VENDOR_ROOTS, *ADAPTERS[case.kind].roots(case))
            yield Case(f"recorded/{case.name}", case.evidence, case.endorsements, case.as_of, roots)


def false(kinds: frozenset[str]) -> Iterator[Case]:
    """Evidence that is right in all its fields."""
    for name in NAMES:
        one = accepted(name)
        if one.evidence.kind in kinds:
            yield Case(f"false/{name}", one.evidence, one.endorsements, FALSE_NOW, confide_sim.roots())


def flipped(bases: Iterable[Case], *, count: int, seed: int = 1) -> Iterator[Case]:
    """Each of these with one bit of evidence, or of what its vendor says, the other way round: `count` of each."""
    for case in bases:
        chance = random.Random(f"{seed}/{case.id}")  # noqa: S311 - which bit is no secret
        for number in range(count):
            inside = number % 3 != 2 or not case.endorsements.items
            items = dict(case.evidence.items if inside else case.endorsements.items)
            role = chance.choice([role for role, data in sorted(items.items()) if data])
            place, bit = chance.randrange(len(items[role])), 1 << chance.randrange(8)
            items[role] = items[role][:place] + bytes([items[role][place] ^ bit]) + items[role][place + 1 :]
            evidence = Evidence(case.evidence.kind, items) if inside else case.evidence
            endorsements = case.endorsements if inside else Endorsements(items)
            yield Case(f"flipped/{case.id}/{role}/{place}/{number}", evidence, endorsements, case.now, case.roots)


def all_cases(folder: Path | None, kinds: frozenset[str], *, count: int) -> list[Case]:
    """All three; bits are flipped in what is accepted here."""
    whole = [*(recorded(folder, kinds) if folder else ()), *false(kinds)]
    return [*whole, *flipped((case for case in whole if case.ours() is None), count=count)]
