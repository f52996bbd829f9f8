import pytest

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal.problems import PROBLEM_KEY, PROBLEM_OTHER, problem_type

KEY_CODES = [Code.OHTTP_KEY_ID, Code.OHTTP_SUITE, Code.OHTTP_DECAPSULATION]


@pytest.mark.parametrize("code", KEY_CODES)
def test_each_way_of_not_opening_looks_the_same(code: Code) -> None:
    assert problem_type(ChannelError(code)) == PROBLEM_KEY


@pytest.mark.parametrize("code", [code for code in Code if code.area in {"ohttp", "bhttp", "hpke"} and code not in KEY_CODES])
def test_everything_else_says_nothing(code: Code) -> None:
    assert problem_type(ChannelError(code)) == PROBLEM_OTHER
