"""Differences between the node's tokenization and Hugging Face's own library, on strings that break tokenizers."""

import random
import unicodedata

from tokenizers import Tokenizer

from bench.cpu import Figure
from bench.models import minilm
from bench.raw import load
from confide.engine.package import open_package

STRINGS = 2000
_POOLS = (
    "abcdefghijklmnopqrstuvwxyz ABC 0123456789",
    "äöüßéèñçÅøœ\u0301\u0308\u200d",
    "漢字かなカナ한국어 ",
    "العربية עברית हिन्दी ไทย",
    "😀👩\u200d⚕️🇩🇪 \t\n\u00a0\u2028\ufeff",
    ".,;:!?'\"()[]{}<>@#$%^&*-_=+/\\|~`",
    "".join(chr(c) for c in range(0x20, 0x3000, 7) if unicodedata.category(chr(c)) not in {"Cs", "Cn"}),
)


def figures() -> dict[str, Figure]:
    """`tokenizer_differences`: strings whose ids differ from a fresh `tokenizers.Tokenizer` of the same file."""
    path = minilm()
    pipeline = load(path)
    reference = Tokenizer.from_buffer(open_package(path).read("tokenizer.json"))
    reference.no_padding()
    reference.enable_truncation(max_length=pipeline.manifest.pre.max_tokens)
    texts = list(_texts())
    differences = sum(
        tokens.ids != reference.encode(text).ids
        for text, tokens in zip(texts, pipeline.tokenize(texts, refuse_truncation=False), strict=True)
    )
    return {"tokenizer_differences": Figure.exact(differences, "strings", len(texts))}


def _texts() -> list[str]:
    source = random.Random(20261125)
    return ["".join(source.choice(source.choice(_POOLS)) for _ in range(source.randint(1, 200))) for _ in range(STRINGS)]
