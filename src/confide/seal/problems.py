"""What a stranger may learn when a sealed request is refused: one of two problem types (RFC 9458 section 5.3, RFC 9457).

Which step failed stays inside. On `ohttp-key` a client may re-attest and seal anew, once. When a request
was opened, answer inside: `OpenedError.sealer`, `ChunkedRequestOpener.sealer`. Left to others: the answer's body (`server`).
"""

from confide.codes import Code
from confide.errors import ConfideError

PROBLEM_KEY = "https://iana.org/assignments/http-problem-types#ohttp-key"
PROBLEM_OTHER = "about:blank"  # RFC 9457 section 4.2.1

_KEY_CODES = frozenset((Code.OHTTP_KEY_ID, Code.OHTTP_SUITE, Code.OHTTP_DECAPSULATION))


def problem_type(error: ConfideError) -> str:
    """The coarse problem type of any error from opening a request."""
    return PROBLEM_KEY if error.code in _KEY_CODES else PROBLEM_OTHER
