"""The false vendors' signing keys. They are published in this package: whoever wants to can sign with them, which is the point."""

import functools
from importlib import resources

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

ASSETS = resources.files("confide_sim") / "assets"


@functools.cache
def false_amd_key(name: str) -> rsa.RSAPrivateKey:
    """The RSA 4096 key of a false ARK, ASK or ASVK, such as `ark_milan`."""
    data = (ASSETS / "amd" / f"{name}.key.pem").read_bytes()
    key = load_pem_private_key(data, None, unsafe_skip_rsa_key_validation=True)  # ours, and checking 4096 bits takes half a second
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(name)
    return key


@functools.cache
def false_amd_certificate(name: str) -> bytes:
    """The certificate of a false ARK, ASK or ASVK, in DER."""
    return (ASSETS / "amd" / f"{name}.der").read_bytes()
