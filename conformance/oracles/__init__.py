"""Other people's verifiers as referees. Each is a program of its own around a third party's library.

One JSON object a line in: `id`, `kind`, `evidence` and `endorsements` (roles of `confide.attest` to base 64), `now` (RFC 3339),
`roots` (DER in base 64). One a line out: `id`, `accepted` (null where it cannot judge such evidence), `why`.
"""
