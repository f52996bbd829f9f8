"""The node's own folder of vendor certificates and lists (setting `collateral_dir`): it fills what the host does not give.

    vcek.der         the chip's certificate for its present firmware        vlek.der   or the provider's, where it uses VLEKs
    cert-chain.pem   ASK or ASVK, and ARK                                   crl.der    the revocation list of the ARK

DER or PEM in each. Read anew for each quote, so that a new list counts without a restart. Left to others: fetching them, and
whether they are genuine (`attest`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confide.attest.evidence import Endorsements
from confide.attest.snp.layout import Report, SigningKey, product_of_cpuid
from confide.attest.x509 import MAX_BUNDLE, MAX_CRL
from confide.codes import Code
from confide.guest import GuestError

FILES = {  # file -> role in `Endorsements`, and its bound in bytes
    "vcek.der": ("vcek", MAX_BUNDLE),
    "vlek.der": ("vlek", MAX_BUNDLE),
    "cert-chain.pem": ("cert-chain", MAX_BUNDLE),
    "crl.der": ("crl", MAX_CRL),
}
LEAVES = {SigningKey.VCEK: "vcek", SigningKey.VLEK: "vlek"}


@dataclass(frozen=True)
class Collateral:
    """What there is for one report, and where each part came from."""

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

    def require_complete(self, report: Report) -> None:
        """Raise `guest.collateral`, naming the file to give, where verifiers will miss something. Intermediates are shipped."""
        leaf, product = LEAVES.get(report.signing_key), _product(report)
        if leaf is None:
            return  # the verifier says what is wrong with such a report
        there = self.endorsements.items
        missing = {f"{leaf}.der": f"of this chip and firmware (AMD KDS: /{leaf}/v1/{product}/...)"} if leaf not in there else {}
        if "crl" not in there:
            missing["crl.der"] = f"the revocation list (AMD KDS: /{leaf}/v1/{product}/crl)"
        if missing:
            wanted = " and ".join(f"{file}, {what}" for file, what in missing.items())
            hint = f"put {' and '.join(missing)} into a folder and name it: collateral_dir (CONFIDE_COLLATERAL_DIR)"
            raise GuestError(Code.GUEST_COLLATERAL, found=self.found, wanted=wanted, hint=hint)


def read_folder(folder: Path | None) -> Mapping[str, bytes]:
    """Roles to bytes of the files that are there.

    Raises:
        GuestError: `guest.collateral` where the folder or a file in it cannot be read, or is too large.
    """
    if folder is None:
        return {}
    if not folder.is_dir():
        raise GuestError(Code.GUEST_COLLATERAL, found=f"{folder}: no folder", wanted="the folder that collateral_dir names")
    return {role: _read(folder / name, limit) for name, (role, limit) in FILES.items() if (folder / name).exists()}


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise GuestError(Code.GUEST_COLLATERAL, found=f"{path}: {error.strerror}", wanted="a readable file") from None
    if not 0 < len(data) <= limit:
        raise GuestError(Code.GUEST_COLLATERAL, found=f"{path}: {len(data)} bytes", wanted=f"1 to {limit}")
    return data


def _product(report: Report) -> str:
    """For the hint only; reports of version 2 do not say."""
    product = product_of_cpuid(*report.cpuid[:2]) if report.cpuid else None
    return product.value if product else "<product>"
