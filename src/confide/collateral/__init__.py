"""Vendor collateral: fetch it, keep it, know when it ends. The only networked part of verification (DESIGN section 3).

Nothing here decides anything: what a service answers goes into `Endorsements`, and the verifier of the kind checks every byte of
it. Clients never need this room to verify; nodes, and people who make bundles, do.
"""
