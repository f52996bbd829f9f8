import pytest
from tests.seal.fixtures import refused

from confide.codes import Code
from confide.seal import varint

# RFC 9000 appendix A.1
PUBLISHED = {"c2197c5eff14e88c": 151288809941952652, "9d7f3e7d": 494878333, "7bbd": 15293, "25": 37}
BORDERS = [0, 63, 64, 16383, 16384, (1 << 30) - 1, 1 << 30, varint.MAX_VARINT]


@pytest.mark.parametrize(("encoded", "value"), PUBLISHED.items())
def test_the_published_examples(encoded: str, value: int) -> None:
    assert varint.encode(value).hex() == encoded
    assert varint.decode(bytes.fromhex(encoded), 0) == (value, len(encoded) // 2)


@pytest.mark.parametrize("value", BORDERS)
def test_the_shortest_form_is_written_and_read(value: int) -> None:
    encoded = varint.encode(value)
    assert len(encoded) == varint.length_of(encoded[0]) == next(n for n in (1, 2, 4, 8) if value < 1 << (8 * n - 2))
    assert varint.decode(b"?" + encoded + b"?", 1) == (value, 1 + len(encoded))


@pytest.mark.parametrize("longer", ["4025", "80000025", "c000000000000025"])
def test_longer_forms_are_read(longer: str) -> None:
    """RFC 9000 section 16: values need not be encoded on the minimum number of bytes; A.1 gives 4025 for 37."""
    assert varint.decode(bytes.fromhex(longer), 0)[0] == 37


@pytest.mark.parametrize("value", [-1, varint.MAX_VARINT + 1])
def test_what_does_not_fit_is_refused(value: int) -> None:
    with refused(Code.BHTTP_LIMIT):
        varint.encode(value)


@pytest.mark.parametrize("cut", ["", "40", "800000", "c0000000000000"])
def test_a_cut_integer_is_refused(cut: str) -> None:
    with refused(Code.BHTTP_TRUNCATED):
        varint.decode(bytes.fromhex(cut), 0)
