"""Values without numpy, shapes that are refused, and a repr that shows no content."""

import array
import base64
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from confide.client.answer import Answer, Label, Output, Record, Timing, decode_output, similarity
from confide.codes import Code
from confide.errors import ChannelError, MisuseError

DIGEST = "ab" * 32


def floats(*numbers: float) -> str:
    packed = array.array("f", numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode()


def content(**members: Any) -> bytes:
    return json.dumps(
        {"model": "m", "digest": DIGEST, "task": "sentence-embedding", "outputs": [], "tokens": [], "truncated": []} | members
    ).encode()


def answer(output: Output) -> Answer:
    record = Record(b"bundle", b"version = 1", "policy.toml", b"receipt", b"the question", b"the answer", b"salts")
    return Answer("m", output, None, None, Timing(1, 0.1, 0.2, 0.3, 0.4), record)  # type: ignore[arg-type]


def test_embeddings_are_lists_of_floats() -> None:
    output = decode_output(content(outputs=[floats(0.5, -2.0), floats(1.0, 0.25)]))
    assert output.vectors == [[0.5, -2.0], [1.0, 0.25]]
    assert answer(output).value == answer(output).embeddings == output.vectors


def test_labels_are_ranked_and_named() -> None:
    output = decode_output(
        content(task="text-classification", outputs=[[{"label": "a", "score": 0.75}, {"label": "b", "score": 0.25}]])
    )
    given = answer(output)
    assert given.value == given.ranked == [[Label("a", 0.75), Label("b", 0.25)]]
    assert given.labels[0].label == "a"


def test_what_the_model_did_not_read_is_told() -> None:
    given = answer(decode_output(content(outputs=[floats(1.0), floats(2.0)], tokens=[3, 16], truncated=[False, True])))
    assert given.tokens == (3, 16)
    assert given.truncated == (False, True)


@pytest.mark.parametrize("missing", ["tokens", "truncated"])
def test_an_answer_that_hides_what_was_read_is_refused(missing: str) -> None:
    members = json.loads(content(outputs=[floats(1.0)], tokens=[3], truncated=[False]))
    del members[missing]
    with pytest.raises(ChannelError) as caught:
        decode_output(json.dumps(members).encode())
    assert caught.value.code is Code.CLIENT_ANSWER


@pytest.mark.parametrize(
    "bad",
    [
        content(tokens=[-1]),
        content(tokens=[1.5]),
        content(tokens=[2**53]),
        content(tokens=None),
        content(truncated=[1]),
        content(truncated=["yes"]),
        content(truncated=True),
        b"",
        b"[]",
        content(outputs=[[0.1, 0.2]]),
        content(outputs=["AAA"]),
        content(outputs=["AAAA"]),
        content(outputs=["!"]),
        content(outputs="x"),
        content(task="text-classification", outputs=[[]]),
        content(task="text-classification", outputs=[[{"label": "a"}]]),
        content(task="text-classification", outputs=[["a"]]),
        content(task="text-generation"),
        b'{"digest":"x","digest":"y","task":"t","outputs":[]}',
    ],
)
def test_another_shape_is_refused(bad: bytes) -> None:
    with pytest.raises(ChannelError) as caught:
        decode_output(bad)
    assert caught.value.code is Code.CLIENT_ANSWER


def test_the_wrong_question_to_an_answer_is_misuse() -> None:
    embeddings = answer(Output("sentence-embedding", DIGEST, vectors=[[1.0]]))
    labels = answer(Output("text-classification", DIGEST, ranked=[[Label("a", 1.0)]]))
    for ask in (lambda: embeddings.labels, lambda: embeddings.ranked, lambda: labels.embeddings):
        with pytest.raises(MisuseError) as caught:
            ask()
        assert caught.value.code is Code.CLIENT_INPUT


def test_no_content_shows_in_a_repr() -> None:
    given = answer(Output("text-classification", DIGEST, ranked=[[Label("a secret label", 1.0)]]))
    for shown in (repr(given), repr(given.record), repr(given.output)):
        assert "secret" not in shown
        assert "question" not in shown
        assert "salts" not in shown


def test_the_total_is_the_sum_of_one_request() -> None:
    assert math.isclose(answer(Output("x", DIGEST)).timing.total, 1.0)


def test_a_saved_answer_is_six_private_files(tmp_path: Path) -> None:
    folder = answer(Output("x", DIGEST)).save(tmp_path / "new" / "folder")
    names = {path.name: path for path in folder.iterdir()}
    assert sorted(names) == ["bundle.json", "policy.toml", "receipt.json", "request.bhttp", "response.bhttp", "salts.json"]
    assert names["request.bhttp"].read_bytes() == b"the question"
    assert {path.stat().st_mode & 0o077 for path in names.values()} == {0}


def test_a_saved_answer_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    given = answer(Output("x", DIGEST))
    given.save(tmp_path)
    with pytest.raises(MisuseError) as caught:
        given.save(tmp_path)
    assert caught.value.code is Code.CLIENT_FILE
    given.save(tmp_path, overwrite=True)


def test_similarity_is_the_cosine() -> None:
    assert similarity([1, 0], [0, 2]) == 0
    assert math.isclose(similarity([3, 4], [6, 8]), 1)
    assert math.isclose(similarity([1, 1], [-1, -1]), -1)


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], [1.0, 2.0]), ([0.0, 0.0], [1.0, 0.0])])
def test_similarity_of_what_has_no_direction_is_misuse(a: list[float], b: list[float]) -> None:
    with pytest.raises(MisuseError) as caught:
        similarity(a, b)
    assert caught.value.code is Code.CLIENT_INPUT
