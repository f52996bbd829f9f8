"""Tokenisation: the ids of a packaged tokenizer are those of Hugging Face's library on the original file, on whatever text."""

import random
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.helpers import with_engine
from tests.support_models import minilm_original, minilm_package, tiny_tokenizer
from tokenizers import Tokenizer

from confide.engine import Engine, LoadedModel, open_package
from confide.engine.steps import TokenizerFault, load_tokenizer

EDGES = [
    "", " ", "\x00", "\t\n\r", "\ufeffbom", "\u200bzero\u200dwidth", "e\u0301 vs \u00e9", "ﬁ ligature", "ŉ",
    "İstanbul ısı", "ß ẞ SS", "東京都の人口", "한국어 문장", "नमस्ते दुनिया", "العربية مرحبا",
    "שלום", "ไทยไม่มีเว้นวรรค", "🙂👩‍👩‍👧‍👦🏳️‍🌈", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "Ⅷ ½ ²",
    "\u2028line\u2029", "[CLS] [SEP] [MASK] [PAD] [UNK]", "[cls]", "##ing", "a" * 99, "a" * 100, "a" * 101, "don't",
    "U.S.A.", "3.14159e-10", "http://x.y/z?a=b", "\u0300\u0301\u0302", "\u202eright to left", "\ud7ff\ue000",
    "\U0010ffff", "soft\u00adhyphen", "—–-−‐", "“curly” ‘quotes’", "\x7f\x80\x9f",
]  # fmt: skip


def fuzz(seed: int, count: int) -> list[str]:
    """Strings of mixed scripts, marks, controls and words; never a lone surrogate."""
    chosen = random.Random(seed)
    blocks = [(0x20, 0x7F), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x900, 0xDFF), (0x2000, 0x2BFF), (0x3000, 0x30FF)]
    blocks += [(0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFFFF), (0x1F300, 0x1FAFF), (0, 0x20), (0x10000, sys.maxunicode)]
    texts = []
    for _ in range(count):
        parts = []
        for _ in range(chosen.randint(1, 40)):
            low, high = chosen.choice(blocks)
            parts.append(
                chr(chosen.randint(low, high)) if chosen.random() < 0.7 else chosen.choice([" ", "the", "ing", "[SEP]", "Doctor"])
            )
        texts.append("".join(parts))
    return [text for text in texts if not any(unicodedata.category(char) == "Cs" for char in text)]


def check(texts: list[str]) -> None:
    """Zero differences between a fresh tokenizer from the original file and ours, and between its lengths and the engine's."""
    original = minilm_original("tokenizer.json")
    package = open_package(minilm_package())
    assert package.read("tokenizer.json") == original
    fresh = Tokenizer.from_buffer(original)
    fresh.no_padding()
    fresh.no_truncation()
    ours = load_tokenizer(package.read("tokenizer.json"), 256)
    differing = [i for i, text in enumerate(texts) if _limited(fresh.encode(text).ids, 256) != ours.encode(text).ids]
    assert not differing

    async def body(engine: Engine, model: LoadedModel) -> None:
        for start in range(0, len(texts), 40):
            part = texts[start : start + 40]
            result = await engine.run(model.digest, part)
            full = [len(fresh.encode(text).ids) for text in part]
            assert list(result.tokens) == [min(length, 256) for length in full]
            assert list(result.truncated) == [length > 256 for length in full]

    with_engine(body, package)


def _limited(ids: list[int], limit: int) -> list[int]:
    """Truncation as BERT means it: text pieces go, the final [SEP] stays."""
    return ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]


@pytest.mark.real_model
def test_ids_are_hugging_faces_on_edge_cases_and_200_fuzzed_strings() -> None:
    check([*EDGES, *fuzz(1, 200), "long " * 300])


@pytest.mark.real_model
@pytest.mark.deep
def test_ids_are_hugging_faces_on_2000_fuzzed_strings() -> None:
    check([*EDGES, *fuzz(2, 2000)])


@pytest.mark.real_model
def test_the_original_file_pads_and_truncates_to_128_and_ours_does_not() -> None:
    original = minilm_original("tokenizer.json")
    assert len(Tokenizer.from_buffer(original).encode("two words").ids) == 128
    ours = load_tokenizer(original, 256)
    assert len(ours.encode("two words").ids) == 4
    assert len(ours.encode("long " * 300).ids) == 256


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_gives_the_same_ids_as_a_fresh_tokenizer(text: str) -> None:
    fresh = Tokenizer.from_buffer(tiny_tokenizer())
    assert _limited(fresh.encode(text).ids, 16) == load_tokenizer(tiny_tokenizer(), 16).encode(text).ids


PADDED: dict[str, Any] = {
    "padding": {
        "strategy": {"Fixed": 12},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    },
    "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
}


def test_padding_and_truncation_of_a_file_are_overridden() -> None:
    assert len(Tokenizer.from_buffer(tiny_tokenizer(**PADDED)).encode("the word is hot").ids) == 12
    assert len(load_tokenizer(tiny_tokenizer(**PADDED), 8).encode("the word is hot").ids) == 6


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"null", b"\xff\xfe", b"[" * 10000, tiny_tokenizer(model={"type": "Nope"}), tiny_tokenizer()[:-5]]
)
def test_a_malformed_tokenizer_is_a_fault_and_nothing_else(data: bytes) -> None:
    with pytest.raises(TokenizerFault):
        load_tokenizer(data, 8)
