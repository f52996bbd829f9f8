"""Claims and keyset to verdict: policies, the whole verification, trust on first use, rollback.

Pure: documents, policies, `now`, nonces, roots and rollback state are arguments. Left to others: genuineness of evidence
(`attest`), getting documents and keeping files (`client`), using the verified keys (`seal`, `client`).
"""
