"""Small encodings that every room shares: strict JSON, DSSE envelopes, RFC 9162 Merkle trees.

Left to others: what the bytes mean (`attest`, `policy`, `receipt`), and all networking.
"""
