"""One set of reference values for one kind of TEE, in the names of its `accept` entry (spec/06-policy.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from confide.attest.evidence import Kind
from confide.codes import Code
from confide.errors import PolicyError

MAX_REFERENCES = 1024  # of one file; as many as a list of a policy holds
# Members that a maker can say something about, the first one being what names the software. Switches and minimum firmware are
# nobody's but the policy's.
MEMBERS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        Kind.SNP: (
            *("measurements", "host_data", "id_key_digests", "author_key_digests"),
            *("family_ids", "image_ids", "minimum_guest_svn"),
        ),
        Kind.TDX: (
            *("mr_tds", "rtmr0", "rtmr1", "rtmr2", "rtmr3"),
            *("rtmr0_events", "rtmr1_events", "rtmr2_events", "rtmr3_events"),
            *("mr_config_ids", "mr_owners", "mr_owner_configs"),
        ),
        Kind.SGX: ("mr_enclaves", "mr_signers", "isv_prod_ids", "minimum_isv_svn", "ext_prod_ids", "family_ids"),
        Kind.NITRO: ("pcrs",),
        Kind.NITROTPM: ("pcrs",),
        Kind.TPM: ("pcrs",),
        Kind.AZ_SNP_VTPM: ("pcrs",),
        Kind.AZ_TDX_VTPM: ("pcrs",),
        Kind.CCA: ("rims", "rem0", "rem1", "rem2", "rem3", "firmware", "firmware_signers", "personalizations"),
        Kind.NVIDIA: ("vbios_versions", "driver_versions"),
    }
)


@dataclass(frozen=True)
class Reference:
    """Values that hold together: a node has one of each list, of the same reference.

    Attributes:
        tee: the kind.
        members: of its `accept` entry; lists of hex, numbers, or a table of PCRs.
    """

    tee: Kind
    members: Mapping[str, Any]


@dataclass(frozen=True)
class References:
    """A file's content.

    Attributes:
        name: what the file calls itself.
        signed: whether a signature was checked.
        found: in the file's order.
        left_out: parts of the file that say something else than what software measures, in words.
    """

    name: str
    signed: bool
    found: tuple[Reference, ...]
    left_out: tuple[str, ...]


def malformed(found: str, wanted: str) -> PolicyError:
    """`reference.malformed`."""
    return PolicyError(Code.REFERENCE_MALFORMED, found=found, wanted=wanted)


def unsupported(found: str, wanted: str) -> PolicyError:
    """`reference.unsupported`: leaving a constraint out would accept what its maker does not vouch for."""
    return PolicyError(Code.REFERENCE_UNSUPPORTED, found=found, wanted=wanted)
