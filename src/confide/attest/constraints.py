"""What every kind's constraints share: their base, and the one value that switches a check off."""

from dataclasses import dataclass, fields
from enum import Enum


class Ignored(Enum):
    """Skips a check that is strict by default. Shows as a relaxation in every verdict (spec/06-policy.md)."""

    UNSAFE_IGNORED = "unsafe_ignored"


@dataclass(frozen=True)
class Constraints:
    """Base of every kind's constraints. A subclass names the kind's fields in the vendor's words."""

    @property
    def platforms(self) -> int | None:
        """How many machines (chips, hosts, projects) these list; custody then rests on the list. None: any machine."""
        return None

    @property
    def references(self) -> int | None:
        """How many measurements of software these list. None: any software."""
        return None

    @property
    def ignored(self) -> tuple[str, ...]:
        """The members that are switched off."""
        return tuple(each.name for each in fields(self) if isinstance(getattr(self, each.name), Ignored))
