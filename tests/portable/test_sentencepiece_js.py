"""The page's reader of SentencePiece models, compared with the package on many lines and kinds of models."""

import base64
import io
import random
import re
from typing import Any

import pytest
import sentencepiece
from hard_lines import english_lines, hypothesis_lines, random_lines
from node import run_node

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


def train(**options: Any) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*english_lines(), *random_lines(200, 1)]),
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
    lines = [re.sub("[\ud800-\udfff]", "", line) for line in hypothesis_lines(300)]
    lines += [
        *random_lines(1000, 2),
        *english_lines()[:300],
        "",
        " ",
        "   ",
        "\u2581",
        "\u2581\u2581a ",
        " a",
        "a\u3000 b",
    ]
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
