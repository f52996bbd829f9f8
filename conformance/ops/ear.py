"""`ear.check`: a token, a verifier's public key, a time, a nonce and the worst status taken, to what the token says.

`zeros` adds so many characters to the token.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from confide.formats.fields import format_time, parse_time
from confide.policy.ear.keys import verifier_key
from confide.policy.ear.result import check
from confide.policy.ear.vector import Status


def _check(given: dict[str, Any]) -> dict[str, Any]:
    found = check(
        given["token"] + "0" * given.get("zeros", 0),
        verifier_key(given["key"].encode()),
        now=parse_time(given["now"]),
        nonce=given["nonce"],
        wanted=Status(given["accept"]),
        max_age=timedelta(seconds=given["max_age_s"]),
    )
    return {
        "status": found.status.value,
        "submods": {name: status.value for name, status in found.submods.items()},
        "verifier": found.verifier,
        "issued": format_time(found.issued),
        "ends": format_time(found.ends) if found.ends else None,
        "nonce": found.nonce,
    }


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"ear.check": _check}
