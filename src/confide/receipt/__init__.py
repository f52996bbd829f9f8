"""Receipts: what an answer is proven with (spec/09-receipt.md), and the per-boot log of them (spec/10-log.md).

`issue` signs, `check` is the client's check on a live answer, `verify` judges a saved receipt against bundle and policy, `log` and
`checkpoint` keep and prove the log. Left to others: keysets and evidence (`attest`), policies (`policy`), keys (`guest`).
"""
