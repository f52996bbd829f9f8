"""Evidence to claims. Pure: bytes, endorsements, roots, expectations and `now` are arguments.

No function here reads a clock, a socket, a file or the environment. Left to others: getting evidence (`guest`), getting vendor
collateral (`collateral`), and deciding which claims are good enough (`policy`).
"""
