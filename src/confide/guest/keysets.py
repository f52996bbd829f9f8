"""Makes the keyset of an epoch from its keys, those of the boot, and the frozen configuration (spec/02-keyset.md). Serialised once,
in `build_keyset`.

Left to others: the format and its checks (`attest.keyset`), evidence over it (`guest.documents`), its window (`guest.epochs`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from confide.attest.keyset import Isolation, Keyset, Role, build_keyset
from confide.formats import dsse
from confide.guest.keys import ContentKey, NodeKeys


@dataclass(frozen=True)
class Boot:
    """What every keyset of a boot says beside the keys themselves."""

    software_digest: bytes
    config_digest: bytes
    isolation: Isolation
    models: Mapping[str, bytes]
    authority_key: dsse.PublicKey | None = None
    tpm_ak_spki_sha256: bytes | None = None
    gpu_leaf_key_sha256: tuple[bytes, ...] = ()


def make_keyset(
    boot: Boot, *, signing: NodeKeys, content: Sequence[ContentKey], not_before: datetime, not_after: datetime
) -> Keyset:
    """The keyset of one epoch."""
    return build_keyset(
        node_id=signing.node_id,
        role=Role.NODE,
        ohttp_key_configs=[key.config.raw for key in content],
        receipt_keys=(signing.receipt.public, signing.log.public),
        software_digest=boot.software_digest,
        config_digest=boot.config_digest,
        isolation=boot.isolation,
        authority_key=boot.authority_key,
        models=boot.models,
        tpm_ak_spki_sha256=boot.tpm_ak_spki_sha256,
        gpu_leaf_key_sha256=boot.gpu_leaf_key_sha256,
        not_before=not_before,
        not_after=not_after,
    )
