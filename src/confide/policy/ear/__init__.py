"""EAT Attestation Results (draft-ietf-rats-ear-04): a verdict as a signed token for others, and others' tokens as typed results.

`vector` says what a verdict is worth in AR4SI's words, `jws` signs and checks compact tokens, `export` and `result` are the two
doors. A result opens no channel: only a verdict of one's own does.
"""
