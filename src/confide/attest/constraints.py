"""What every kind's constraints share: the one value that switches a check off."""

from enum import Enum


class Ignored(Enum):
    """Skips a check that is strict by default. Shows as a relaxation in every verdict (spec/06-policy.md)."""

    UNSAFE_IGNORED = "unsafe_ignored"
