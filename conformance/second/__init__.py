"""A second verifier of receipts and their log, written from `spec/` alone.

It shares no code with the package `confide`, so that where the two disagree either the text of the specification or one of them is
wrong. What it covers: `spec/09-receipt.md` and `spec/10-log.md`, and of the pages they lean on the keyset (02) and the place of the
keyset in an evidence document (04).

What it leaves to others: hardware evidence. It takes the keyset out of a document and believes it, and says so in every answer
(`evidence: not judged`); whether that keyset was born in an enclave is for a verifier of `spec/07-verify.md`. Policies, admissions
and time stamps (LOG-20) are not judged either.

`strict_json` reads texts, `dsse` envelopes, `merkle` trees, `keyset` keys; `receipt` and `check` follow 09, `checkpoint`, `proof`,
`folder` and `whole` follow 10; `__main__` is the command line and `vectors` runs the published cases.
"""
