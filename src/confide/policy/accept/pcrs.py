"""The members about PCRs, which the entries of several kinds share: from a policy file to constraints and back."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from confide.attest.constraints import Ignored
from confide.attest.tpm.quote import BANKS, HASHES
from confide.policy.members import UNSAFE

MAX_LIST = 1024
Skip = Literal["unsafe_ignored"]
Some = Meta(min_length=1, max_length=MAX_LIST)
Pcr = Annotated[str, Meta(pattern=r"\A(?:[0-9]|[12][0-9]|3[01])\Z")]
Digest = Annotated[str, Meta(pattern=r"\A(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})\Z")]
Pcrs = Annotated[dict[Pcr, Annotated[list[Digest], Some]], Meta(min_length=1, max_length=32)]
Bank = Literal["sha256", "sha384", "sha512"]
# What a boot leaves that is the same on each machine of one image: firmware, loader, Secure Boot, kernel, command line, unified
# kernel (TCG PC Client Platform Firmware Profile 1.06 table 1; systemd, "TPM2 PCR Measurements").
SAME_EVERYWHERE = frozenset({0, 4, 7, 8, 9, 11})
_NUMBERS = {name: number for number, (name, _, _) in HASHES.items()}


def pcrs_of(value: Any) -> Any:
    """Index to accepted values, or `Ignored`."""
    if value == UNSAFE:
        return Ignored.UNSAFE_IGNORED
    return {int(index): tuple(bytes.fromhex(each) for each in values) for index, values in value.items()}


def banks_of(names: list[str]) -> tuple[int, ...]:
    """TPM_ALG_IDs."""
    return tuple(_NUMBERS[name] for name in names)


def observed_pcrs(bank: int, pcrs: Mapping[int, bytes]) -> dict[str, Any]:
    """The members that accept exactly these values, of registers that do not differ between machines of one image."""
    kept = {str(index): [value.hex()] for index, value in pcrs.items() if index in SAME_EVERYWHERE and any(value)}
    return {"pcrs": kept or {str(index): [value.hex()] for index, value in pcrs.items()}, "banks": [BANKS[bank][0]]}
