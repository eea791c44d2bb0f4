"""The page's reader of SentencePiece models, compared with the package on many lines and kinds of models."""

import base64
import io
import random
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from node import run_node

ALPHABETS = (
    *("abc xyz", "  ", "äöüß", "日本語テスト", "привет", "שלום", "नमस्ते", "e\u0301 \u0308", "😀👩‍👩‍👧🏽", "ﬁ ½ ①Ａ ｶﾞ", "\u3000\xa0\u200b"),
    *("\t\n\r\x00\x1f\ufeff", "\u2581", "<2de>", "⟨ph1⟩", "<unk>", "<0x41>", "0123.,", "\ufffd\U0010ffff", "漢字かな交じり文"),
)
"""Strings whose parts, mixed, are hard for readers: other scripts, spaces of all kinds, symbols, control characters."""
SYMBOLS = ["<2de>", "<2d", "⟨ph1⟩", "▁und", "日本"]
KINDS: dict[str, dict[str, Any]] = {
    "unigram": {"model_type": "unigram", "byte_fallback": True, "normalization_rule_name": "identity"},
    "unigram, nmt_nfkc": {"model_type": "unigram"},
    "bpe": {"model_type": "bpe", "normalization_rule_name": "identity", "remove_extra_whitespaces": False},
    "bpe, bytes": {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "nfkc"},
    "char": {"model_type": "char", "normalization_rule_name": "nmt_nfkc_cf", "add_dummy_prefix": False},
    "char, bytes": {"model_type": "char", "byte_fallback": True, "normalization_rule_name": "nfkc_cf"},
    "word": {"model_type": "word", "unk_surface": " <unk> "},
    "suffix": {"model_type": "bpe", "treat_whitespace_as_suffix": True, "split_by_whitespace": False},
}


def random_lines(count: int, seed: int) -> list[str]:
    generator = random.Random(seed)
    return [
        "".join(
            part[: generator.randrange(1, len(part) + 1)] if generator.random() < 0.5 else part
            for part in generator.choices(ALPHABETS, k=generator.randrange(1, 12))
        )
        for _ in range(count)
    ]


def corpus() -> list[str]:
    return (Path(__file__).parents[2] / "README.md").read_text("utf-8").splitlines()


def train(**options: Any) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*corpus(), *random_lines(200, 1)]),
        model_writer=model,
        **{"vocab_size": 600, "hard_vocab_limit": False, "user_defined_symbols": SYMBOLS, "minloglevel": 3, **options},
        num_threads=1,
    )
    return model.getvalue()


@pytest.fixture(scope="module")
def models() -> dict[str, bytes]:
    return {kind: train(**options) for kind, options in KINDS.items()}


ENCODE_AND_DECODE = """
return input.models.map((model) => {
  const reader = new SentencePiece(new Uint8Array(Buffer.from(model, "base64")));
  const encoded = input.lines.map((line) => reader.encode(line));
  const given = input.ids.map((ids) => ids.map((id) => id % reader.size));
  const texts = [...encoded, ...given].map((ids) => reader.decode(ids));
  return { encoded, texts, tokens: reader.pieces.map((_, id) => reader.token(id)), size: reader.size };
});
"""


def test_no_line_is_read_or_written_differently(models):
    lines = [*random_lines(1500, 2), *corpus()[:300], "", " ", "   ", "\u2581", "\u2581\u2581a ", " a", "a\u3000 b"]
    generator = random.Random(3)
    ids = [[generator.randrange(10_000) for _ in range(generator.randrange(12))] for _ in range(1000)]
    encoded = [base64.b64encode(model).decode() for model in models.values()]
    results = run_node(["sentencepiece.js"], ENCODE_AND_DECODE, {"models": encoded, "lines": lines, "ids": ids})
    for (kind, model), result in zip(models.items(), results, strict=True):
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        expected = processor.encode(lines)
        differing = [(line, kind) for line, a, b in zip(lines, expected, result["encoded"], strict=True) if a != b]
        assert differing == []
        assert result["size"] == processor.get_piece_size()
        assert result["tokens"] == processor.id_to_piece(list(range(processor.get_piece_size())))
        given = [[number % processor.get_piece_size() for number in row] for row in ids]
        for tokens, text in zip([*expected, *given], result["texts"], strict=True):
            assert text == processor.decode(tokens), (kind, tokens)
