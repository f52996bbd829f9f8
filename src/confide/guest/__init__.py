"""Inside the TEE: find the device, hold the keys of this boot, turn both into evidence documents.

Left to others: what a verifier makes of the documents (`attest`, `policy`), HTTP (`server`), and models (`engine`).
"""

from confide.errors import ConfideError


class GuestError(ConfideError):
    """The TEE, its keys or its evidence are not available."""
