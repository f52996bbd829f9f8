"""What a stranger is told when a sealed request fails: two answers, whatever the cause (RFC 9458 sections 5.3 and 6.4).

Which step of decapsulation or parsing failed stays with the verifier and its counters. A client may re-attest and retry once on
`ohttp-key`. Once a request was opened, answer inside instead (`OpenedError.sealer`, `ChunkedRequestOpener.sealer`).
"""

from dataclasses import dataclass

from confide.codes import Code
from confide.errors import ConfideError

PROBLEM_TYPE_KEY = "https://iana.org/assignments/http-problem-types#ohttp-key"
PROBLEM_MEDIA_TYPE = "application/problem+json"  # RFC 9457


@dataclass(frozen=True, slots=True)
class Problem:
    """An HTTP status and the exact body of an unsealed error answer."""

    status: int
    body: bytes


KEY_PROBLEM = Problem(400, b'{"type":"' + PROBLEM_TYPE_KEY.encode() + b'","title":"key identifier or encapsulation not usable"}')
OTHER_PROBLEM = Problem(400, b'{"type":"about:blank","title":"Bad Request","status":400}')

_KEY_CODES = frozenset((Code.OHTTP_KEY_ID, Code.OHTTP_SUITE, Code.OHTTP_DECAPSULATION))


def problem_for(error: ConfideError) -> Problem:
    """The coarse answer to any error from opening a request."""
    return KEY_PROBLEM if error.code in _KEY_CODES else OTHER_PROBLEM
