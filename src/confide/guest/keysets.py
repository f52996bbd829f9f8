"""Makes the keyset of a boot from its keys and its frozen configuration (spec/02-keyset.md). Serialised once, in `build_keyset`.

Left to others: the format and its checks (`attest.keyset`), evidence over it (`guest.documents`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from confide.attest.keyset import Isolation, Keyset, Role, build_keyset
from confide.formats import dsse
from confide.guest.keys import NodeKeys

CLOCK_SKEW = timedelta(minutes=5)  # hosts own clocks (DESIGN section 4): a client slightly behind must not refuse a fresh boot


@dataclass(frozen=True)
class Boot:
    """What a keyset says beside the keys themselves."""

    software_digest: bytes
    config_digest: bytes
    isolation: Isolation
    models: Mapping[str, bytes]
    lifetime: timedelta
    authority_key: dsse.PublicKey | None = None


def make_keyset(keys: NodeKeys, boot: Boot, *, now: datetime) -> Keyset:
    """The keyset of this boot, valid from a little before `now`."""
    start = now.replace(microsecond=0)
    return build_keyset(
        node_id=keys.node_id,
        role=Role.NODE,
        ohttp_key_configs=[pair.config.raw for pair in keys.ohttp],
        receipt_keys=(keys.receipt.public, keys.log.public),
        software_digest=boot.software_digest,
        config_digest=boot.config_digest,
        isolation=boot.isolation,
        authority_key=boot.authority_key,
        models=boot.models,
        not_before=start - CLOCK_SKEW,
        not_after=start + boot.lifetime,
    )
