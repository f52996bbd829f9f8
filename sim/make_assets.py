"""Makes the false vendors' keys and certificates under src/confide_sim/assets. Run once; the files are constants ever after.

    python sim/make_assets.py            # only what is missing
    python sim/make_assets.py --check    # re-verify what is there

The keys are published on purpose (see `confide_sim.keys`). RSA 4096 takes seconds to generate, so it is not done at run time, and a
constant root lets tests and policies name the simulated vendor by its bytes.
"""

import argparse
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from confide.attest.snp.layout import Product
from confide.attest.x509 import load_certificate, signed_by
from confide_sim.amd import FalseAmd
from confide_sim.x509 import spki

FOLDER = Path(__file__).parent / "src" / "confide_sim" / "assets" / "amd"


def make() -> None:
    """Keys first, then certificates; nothing that exists is replaced."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    names = [f"{kind}_{product.lower()}" for product in Product for kind in ("ark", "ask", "asvk")]
    for name in names:
        path = FOLDER / f"{name}.key.pem"
        if not path.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=4096)
            path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for product in Product:
        amd = FalseAmd(product)
        for kind, issue in (("ark", amd.issue_ark), ("ask", amd.issue_ask), ("asvk", amd.issue_asvk)):
            path = FOLDER / f"{kind}_{product.lower()}.der"
            if not path.exists():
                path.write_bytes(issue())


def check() -> None:
    """Every certificate holds the key beside it and is signed by its ARK."""
    from confide_sim.keys import false_amd_key  # noqa: PLC0415 - only once the keys exist

    for product in Product:
        ark = load_certificate(FalseAmd(product).ark)
        for kind in ("ark", "ask", "asvk"):
            name = f"{kind}_{product.lower()}"
            certificate = load_certificate((FOLDER / f"{name}.der").read_bytes())
            public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            if public != spki(false_amd_key(name)) or not signed_by(certificate, ark):
                raise SystemExit(f"{name}: certificate and key do not fit")
    print("sim assets: 9 certificates fit their keys and roots")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the false vendors' keys and certificates.")
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        make()
    check()
