"""Reference values from files of those who build software: what a measurement should be, said by its maker and not by the node.

`corim` reads the IETF's manifests, `plain` our own JSON, `merge` writes them into a policy's `accept` entries. A reference adds
constraints and never loosens one. Left to others: whom a key belongs to, and signing the policy that comes out.
"""
