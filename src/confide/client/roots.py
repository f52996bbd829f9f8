"""Which vendor roots a policy may use: the pinned ones, and the false ones of `confide-sim` only when the policy says so aloud."""

from confide.attest.evidence import Roots
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.errors import MisuseError
from confide.policy.model import Policy


def roots_for(policy: Policy) -> Roots:
    """Pinned roots, plus simulated ones under `unsafe_accept_simulated = true`."""
    return (*VENDOR_ROOTS, *simulated_roots()) if policy.unsafe_accept_simulated else VENDOR_ROOTS


def simulated_roots() -> Roots:
    """The false roots of `confide-sim`, which is a distribution of its own; `client.sim_missing` where it is not installed."""
    try:
        import confide_sim  # noqa: PLC0415 - never loaded unless a policy or a person asks for simulated evidence
    except ModuleNotFoundError:
        raise MisuseError(
            Code.CLIENT_SIM_MISSING, found="no confide-sim", wanted="confide-sim", hint="pip install 'confide[sim]'"
        ) from None
    return confide_sim.roots()


def looking_roots() -> Roots:
    """For people who only look (`explain`, `trust`): simulated roots too, where installed. What they sign is marked SIMULATED."""
    try:
        return (*VENDOR_ROOTS, *simulated_roots())
    except MisuseError:
        return VENDOR_ROOTS
