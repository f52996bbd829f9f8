"""Asks `dcap-qvl` about quotes with all of Intel's collateral; the protocol is that of `conformance.oracles`.

It judges levels too, so accepted means up to date, as it does for us. The root comes with the question, the clock too.
"""

import base64
import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dcap_qvl  # type: ignore[import-untyped]

ROLES = ("pck-crl-chain", "root-crl", "pck-crl", "tcb-info-chain", "tcb-info", "qe-identity-chain", "qe-identity")


def opinion(question: Mapping[str, Any]) -> tuple[bool | None, str]:
    """Whether it finds the quote genuine and up to date; None without all collateral."""
    items = {role: base64.b64decode(data) for role, data in question["endorsements"].items()}
    missing = [role for role in ROLES if role not in items]
    if missing:
        return None, f"not judged: no {missing[0]}"
    quote, root = base64.b64decode(question["evidence"]["quote"]), question["roots"]
    now = int(datetime.fromisoformat(question["now"]).timestamp())
    reasons = []
    for each in root:
        try:
            report = dcap_qvl.verify_with_root_ca(quote, collateral_of(items), base64.b64decode(each), now)
        except (ValueError, KeyError) as error:  # its own errors, and those of text that is no collateral
            reasons.append(str(error))
            continue
        return report.status == "UpToDate", f"status {report.status}"
    return False, " / ".join(reasons)[:300]


def collateral_of(items: Mapping[str, bytes]) -> dcap_qvl.QuoteCollateralV3:
    """As it takes them."""
    info, info_signature = split(items["tcb-info"], "tcbInfo")
    identity, identity_signature = split(items["qe-identity"], "enclaveIdentity")
    chains = {role: items[role].decode() for role in ("pck-crl-chain", "tcb-info-chain", "qe-identity-chain")}
    return dcap_qvl.QuoteCollateralV3(
        chains["pck-crl-chain"],
        items["root-crl"],
        items["pck-crl"],
        chains["tcb-info-chain"],
        info,
        info_signature,
        chains["qe-identity-chain"],
        identity,
        identity_signature,
    )


def split(body: bytes, member: str) -> tuple[str, bytes]:
    """The exact inner text, and the signature."""
    text = body.decode()
    start = text.index(f'"{member}":') + len(member) + 3
    return text[start : text.rindex(',"signature"')], bytes.fromhex(json.loads(body)["signature"])


def main() -> None:
    """Line by line."""
    for line in sys.stdin:
        question = json.loads(line)
        accepted, why = opinion(question)
        print(json.dumps({"id": question["id"], "accepted": accepted, "why": why}))


if __name__ == "__main__":
    main()
