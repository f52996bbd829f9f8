"""Vendor certificates and lists: the host's, what it lacks from the node's own folder (setting `collateral_dir`), and what both
lack from the vendor's service (`collateral_source`).

Which files there may be is the kind's (`platforms`); DER or PEM in each certificate. Read anew for each quote, so that a new list
counts without a restart. Left to others: asking services (`collateral`), and whether they are genuine (`attest`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confide.attest.evidence import Endorsements
from confide.codes import Code
from confide.collateral.files import Files
from confide.collateral.files import read_folder as files_of
from confide.errors import MisuseError
from confide.guest import GuestError


@dataclass(frozen=True)
class Collateral:
    """What there is for one piece of evidence, and where each part came from."""

    from_host: Mapping[str, bytes] = field(repr=False)
    from_folder: Mapping[str, bytes] = field(repr=False)
    folder: Path | None = None
    from_service: Mapping[str, bytes] | None = field(repr=False, default=None)

    @property
    def endorsements(self) -> Endorsements:
        """The host's, and what it lacks from the folder, then from the vendor's service."""
        return Endorsements({**(self.from_service or {}), **self.from_folder, **self.from_host})

    @property
    def found(self) -> str:
        """All of it, in words."""
        host, own, asked = (
            ", ".join(sorted(each or ())) or "nothing" for each in (self.from_host, self.from_folder, self.from_service)
        )
        told = f"from the host: {host}; from collateral_dir: {own if self.folder else 'not set'}"
        return told if self.from_service is None else f"{told}; from collateral_source: {asked}"

    def require_complete(self, missing: Mapping[str, str]) -> None:
        """Raise `guest.collateral`, naming the files to give, where verifiers will miss something."""
        if missing:
            wanted = " and ".join(f"{file}, {what}" for file, what in missing.items())
            files = " and ".join(missing)
            hint = f"put {files} into a folder and name it: collateral_dir; or name a service to ask: collateral_source"
            raise GuestError(Code.GUEST_COLLATERAL, found=self.found, wanted=wanted, hint=hint)


def read_folder(folder: Path | None, files: Files) -> Mapping[str, bytes]:
    """Roles to bytes of the `files` that are there.

    Raises:
        GuestError: `guest.collateral` where the folder or a file in it cannot be read, or is too large.
    """
    try:
        return {} if folder is None else files_of(folder, files)
    except MisuseError as error:
        raise GuestError(Code.GUEST_COLLATERAL, found=error.found, wanted=error.wanted) from None
