"""Makes the false clouds' keys and certificates under src/confide_sim/assets/tpm. Run once; the files are constants ever after.

    python sim/make_tpm_assets.py            # only what is missing
    python sim/make_tpm_assets.py --check    # re-verify what is there

The keys are published on purpose, as those of `make_assets.py` are.
"""

import argparse
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from confide.attest.x509 import load_certificate, signed_by
from confide_sim.tpm import CLOUDS, asset_key
from confide_sim.x509 import spki

ASSETS = Path(__file__).parent / "src" / "confide_sim" / "assets" / "tpm"
SIZES = {"root": 4096, "signer": 2048}  # as Azure's; Google's intermediates have 4096


def make() -> None:
    """Keys first, then certificates; nothing that exists is replaced."""
    ASSETS.mkdir(parents=True, exist_ok=True)
    for cloud in CLOUDS:
        for which, size in SIZES.items():
            path = ASSETS / f"{cloud.label}_{which}.key.pem"
            if not path.exists():
                key = rsa.generate_private_key(public_exponent=65537, key_size=size)
                path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        for which, issue in (("root", cloud.issue_root), ("signer", cloud.issue_signer)):
            path = ASSETS / f"{cloud.label}_{which}.der"
            if not path.exists():
                path.write_bytes(issue())


def check() -> None:
    """Every certificate holds the key beside it and is signed by its root."""
    for cloud in CLOUDS:
        root = load_certificate(cloud.root)
        for which in SIZES:
            certificate = load_certificate((ASSETS / f"{cloud.label}_{which}.der").read_bytes())
            public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            if public != spki(asset_key(f"{cloud.label}_{which}")) or not signed_by(certificate, root):
                raise SystemExit(f"{cloud.label}_{which}: certificate and key do not fit")
    print("sim assets: 4 certificates fit their keys and roots")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the false clouds' keys and certificates.")
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        make()
    check()
