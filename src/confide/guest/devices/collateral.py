"""The node's own folder of vendor certificates and lists (setting `collateral_dir`): it fills what the host does not give.

Which files there may be is the kind's (`platforms`); DER or PEM in each certificate. Read anew for each quote, so that a new list
counts without a restart. Left to others: fetching them, and whether they are genuine (`attest`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confide.attest.evidence import Endorsements
from confide.codes import Code
from confide.guest import GuestError


@dataclass(frozen=True)
class Collateral:
    """What there is for one piece of evidence, and where each part came from."""

    from_host: Mapping[str, bytes] = field(repr=False)
    from_folder: Mapping[str, bytes] = field(repr=False)
    folder: Path | None = None

    @property
    def endorsements(self) -> Endorsements:
        """The host's, and what it lacks from the folder."""
        return Endorsements({**self.from_folder, **self.from_host})

    @property
    def found(self) -> str:
        """Both, in words."""
        host, own = (", ".join(sorted(items)) or "nothing" for items in (self.from_host, self.from_folder))
        return f"from the host: {host}; from collateral_dir: {own if self.folder else 'not set'}"

    def require_complete(self, missing: Mapping[str, str]) -> None:
        """Raise `guest.collateral`, naming the files to give, where verifiers will miss something."""
        if missing:
            wanted = " and ".join(f"{file}, {what}" for file, what in missing.items())
            hint = f"put {' and '.join(missing)} into a folder and name it: collateral_dir (CONFIDE_COLLATERAL_DIR)"
            raise GuestError(Code.GUEST_COLLATERAL, found=self.found, wanted=wanted, hint=hint)


def read_folder(folder: Path | None, files: Mapping[str, tuple[str, int]]) -> Mapping[str, bytes]:
    """Roles to bytes of the `files` that are there.

    Raises:
        GuestError: `guest.collateral` where the folder or a file in it cannot be read, or is too large.
    """
    if folder is None:
        return {}
    if not folder.is_dir():
        raise GuestError(Code.GUEST_COLLATERAL, found=f"{folder}: no folder", wanted="the folder that collateral_dir names")
    return {role: _read(folder / name, limit) for name, (role, limit) in files.items() if (folder / name).exists()}


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise GuestError(Code.GUEST_COLLATERAL, found=f"{path}: {error.strerror}", wanted="a readable file") from None
    if not 0 < len(data) <= limit:
        raise GuestError(Code.GUEST_COLLATERAL, found=f"{path}: {len(data)} bytes", wanted=f"1 to {limit}")
    return data
