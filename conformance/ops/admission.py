"""`admission.verify`: an envelope against a keyset, an authority key, a platform, a policy's places and a time.

`admission.renew`: one envelope in the place of another.
"""

import base64
from collections.abc import Callable
from typing import Any

from confide.attest.admission import require_newer, signed_admission, verify_admission
from confide.attest.checks import Checks
from confide.attest.keyset import parse_keyset
from confide.formats.dsse import PublicKey, SignatureAlgorithm
from confide.formats.fields import format_time, parse_time


def _verify(given: dict[str, Any]) -> dict[str, Any]:
    key, checks = given["authority_key"], Checks()
    admission = verify_admission(
        bytes.fromhex(given["envelope"]),
        keyset=parse_keyset(bytes.fromhex(given["keyset"])),
        authority_key=PublicKey(SignatureAlgorithm(key["alg"]), base64.b64decode(key["public_key"])),
        now=parse_time(given["now"]),
        platform_id=given["platform_id"],
        places=given["places"],
        checks=checks,
    )
    return {
        "node_id": admission.node_id.hex(),
        "node_key": admission.node_key,
        "platform_id": admission.platform_id,
        "place": admission.place,
        "not_before": format_time(admission.not_before),
        "not_after": format_time(admission.not_after),
        "not_checked": len(checks.not_checked),
    }


def _renew(given: dict[str, Any]) -> dict[str, Any]:
    """What a node shows next: `comes` in the place of `shown` (null: nothing)."""
    key = given["authority_key"]
    authority = PublicKey(SignatureAlgorithm(key["alg"]), base64.b64decode(key["public_key"]))
    comes, shown = (
        None if given[name] is None else signed_admission(bytes.fromhex(given[name]), authority_key=authority)
        for name in ("comes", "shown")
    )
    if comes is None:
        raise ValueError("nothing comes")
    require_newer(comes, shown)
    return {"not_before": format_time(comes.not_before), "not_after": format_time(comes.not_after)}


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"admission.verify": _verify, "admission.renew": _renew}
