import itertools

import pytest

from confide.seal.padding import COARSE_LIMIT, FLOOR, bucket

SIZES = sorted(
    {*range(1, 5000), *(1 << n | m for n in range(12, 40) for m in (0, 1, 12345 % (1 << n))), *(2**n - 1 for n in range(3, 40))}
)


def test_a_bucket_is_never_smaller_than_its_message_and_never_shrinks() -> None:
    assert all(bucket(size) >= size for size in SIZES)
    assert all(bucket(a) <= bucket(b) for a, b in itertools.pairwise(SIZES))


def test_a_padded_length_is_its_own_bucket() -> None:
    assert all(bucket(bucket(size)) == bucket(size) for size in SIZES)


def test_text_falls_into_29_buckets_up_to_64_kib() -> None:
    assert len({bucket(size) for size in range(COARSE_LIMIT + 1)}) == 29


def test_growth_is_bounded_above_the_floor() -> None:
    assert max(bucket(size) / size for size in SIZES if FLOOR < size <= COARSE_LIMIT) < 1.25
    assert max(bucket(size) / size for size in SIZES if size > COARSE_LIMIT) < 1 + 1 / 31


@pytest.mark.parametrize(
    ("size", "padded"),
    [
        (0, 512),
        (512, 512),
        (513, 640),
        (1024, 1024),
        (1025, 1280),
        (65536, 65536),
        (65537, 67584),
        (1 << 20, 1 << 20),
        ((1 << 20) + 1, 1081344),
    ],
)
def test_buckets_by_example(size: int, padded: int) -> None:
    assert bucket(size) == padded
