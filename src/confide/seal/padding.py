"""How long a padded message is: a pure function from length to bucket.

Padding is zero bytes inside the encryption (RFC 9292 section 3.8). Up to 64 KiB (text) there are four buckets per doubling from 512
bytes: an eavesdropper learns one of 29 sizes, under 5 bits, and above the floor a message grows by less than a quarter. Beyond
(tensors, audio) Padmé takes over (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs",
PETS 2019, section 4): growth under 1/31, and O(log log M) bits. What stays visible: the bucket, the time, the number of messages.
"""

FLOOR = 512
COARSE_LIMIT = 1 << 16


def bucket(length: int) -> int:
    """The padded length of a message of `length` bytes; at least `length`, never shrinking as `length` grows."""
    if length <= FLOOR:
        return FLOOR
    exponent = (length - 1).bit_length() - 1  # buckets lie in (2^exponent, 2^(exponent + 1)]
    kept_bits = 2 if length <= COARSE_LIMIT else exponent.bit_length()
    mask = (1 << (exponent - kept_bits)) - 1
    return (length + mask) & ~mask
