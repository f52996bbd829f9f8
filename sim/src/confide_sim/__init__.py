"""False vendors and false devices. The private keys in here are public: nothing signed by them proves anything.

`roots()` are the false vendors' roots, marked simulated; the verifier is the real one. Left to others: the false device of a node
(`device.py`) and the policy that admits simulated evidence (`unsafe_accept_simulated`).
"""

from confide.attest.evidence import Roots
from confide.attest.snp.layout import Product
from confide_sim import arm, aws, intel, nvidia
from confide_sim.amd import root
from confide_sim.tpm import CLOUDS

__all__ = ["roots"]


def roots() -> Roots:
    """Every false vendor root."""
    amd, clouds = (root(product) for product in Product), (cloud.pinned for cloud in CLOUDS)
    return (*amd, *clouds, intel.root(), aws.root(), *nvidia.roots(), arm.root())
