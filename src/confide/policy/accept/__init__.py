"""The `accept` entries of a policy, one module for each kind of TEE: from members to constraints, and from claims to members.

A new kind adds its module to `KINDS` in `table.py`. Left to others: comparing constraints with claims (`attest.<kind>.validate`).
"""
