"""The page's handling of text, compared with Python's: normalization, placeholders, vocabularies, sentences."""

import base64
import random
from pathlib import Path
from typing import Any

import pytest
from hard_lines import PARTS, english_lines, hypothesis_lines, random_lines
from node import run_node

from seq2seq.export.unicode_tables import CODES, unicode_tables
from seq2seq.portable.normalization import Normalization, is_blank, normalize
from seq2seq.portable.placeholders import SYMBOLS, PlaceholderKind, Placeholders
from seq2seq.portable.segmentation import split_document, split_long_text
from seq2seq.portable.text import Text
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizer
from seq2seq.tokenizer.vocabulary import train_tokenizer

SPECIAL = {"pad": 3, "unk": 0, "bos": 1, "eos": 2}
TAGS = ["<2de>", "<2fr>"]
KINDS = ["printf", "braces", "variables", "tags", "urls", "emails", "numbers"]
CASES: dict[str, dict[str, Any]] = {
    "nfc": {"normalization": "nfc"},
    "nfkc, joint, placeholders": {"normalization": "nfkc", "joint": True, "kinds": KINDS},
    "none, characters": {"normalization": "none", "algorithm": Algorithm.char, "kinds": ["numbers", "tags"]},
    "nfc, words, placeholders": {"normalization": "nfc", "algorithm": Algorithm.word, "size": 200, "kinds": KINDS},
}


def export_text(
    folder: Path,
    normalization: str,
    algorithm: Algorithm = Algorithm.unigram,
    size: int = 700,
    *,
    joint: bool = False,
    kinds: list[str] | None = None,
) -> dict[str, Any]:
    """Train vocabularies into a folder; return the content of config.json."""
    form, tags = Normalization(normalization), [*TAGS, *SYMBOLS] if kinds else TAGS
    config: dict[str, Any] = {"special": SPECIAL, "vocabulary": {}}
    config["text"] = {"normalization": normalization, "source_tag": "<2de>"}
    for side, own_tags in (("source", tags), ("target", tags[len(TAGS) :])):
        options = TokenizerConfig(algorithm=algorithm, size=size, tags=own_tags, normalization=form)
        name = "tokenizer.model" if joint else f"tokenizer.{side}.model"
        if not (folder / name).exists():
            tokenizer = train_tokenizer([*english_lines(), *PARTS], options, "the test text")
            (folder / name).write_bytes(tokenizer.to_bytes())
        config["vocabulary"][side] = Tokenizer.load(folder / name, form).size
        word_level = algorithm is Algorithm.word
        config["text"][side] = {"file": name, "algorithm": algorithm.value, "word_level": word_level, "tags": own_tags}
    found = {"kinds": kinds, "tags": TAGS, "whole_words": algorithm is Algorithm.word}
    config["text"]["placeholders"] = found if kinds else None
    return config


def page_text(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """What a `ModelText` is made of, as JSON."""
    files = {path.name: base64.b64encode(path.read_bytes()).decode() for path in folder.glob("*.model")}
    return {"config": config, "files": files, "tables": unicode_tables(config["text"]["normalization"])}


OPEN = """
const read = (text) => new Uint8Array(Buffer.from(text, "base64"));
const open = ({ config, files, tables }) =>
  new ModelText(config, Object.fromEntries(Object.entries(files).map(([name, text]) => [name, read(text)])), tables);
"""
TRANSLATE = """
return input.models.map((model) => {
  const text = open(model);
  const encoded = input.lines.map((line) => text.encode(line));
  const decoded = input.ids.map((ids, number) => {
    const own = ids.map((id) => id % text.target.pieces.size);
    return [true, false].map((finished) => text.decode(own, input.lines[number], finished));
  });
  const excluded = encoded.map((ids) => text.excluded(ids));
  const difference = input.lines.map((line, number) => text.difference(line, input.lines[number + 1] || ""));
  return { encoded, decoded, excluded, difference, copies: text.copies() };
});
"""


def test_text_becomes_the_same_tokens_and_tokens_the_same_text(tmp_path):
    lines = [*hypothesis_lines(150), *random_lines(300, 1), *english_lines()[:50]]
    generator = random.Random(2)
    ids = [[generator.randrange(10_000) for _ in range(generator.randrange(10))] for _ in range(len(lines))]
    models, texts = [], []
    for number, case in enumerate(CASES.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        config = export_text(folder, **case)
        models.append(page_text(folder, config))
        texts.append(Text(folder, config))
    results = run_node(
        ["sentencepiece.js", "text.js"], OPEN + TRANSLATE, {"models": models, "lines": lines, "ids": ids}
    )
    for case, text, result in zip(CASES, texts, results, strict=True):
        assert result["copies"] == text.copies()
        for number, line in enumerate(lines):
            tokens = text.encode(line)
            assert result["encoded"][number] == tokens, (case, line)
            assert result["excluded"][number] == text.excluded(tokens), (case, line)
            own = [each % text.target.size for each in ids[number]]
            expected = [text.decode(own, line, finished=finished) for finished in (True, False)]
            assert result["decoded"][number] == expected, (case, line, own)
            following = lines[number + 1] if number + 1 < len(lines) else ""
            lost, added = text.difference(line, following)
            assert result["difference"][number] == {"lost": list(lost), "added": list(added)}, (case, line)


NORMALIZE = """
return ["nfc", "nfkc", "none"].map((form, number) => {
  const text = { ...input.model.config.text, normalization: form };
  const config = { ...input.model.config, text };
  const { normal } = open({ ...input.model, config, tables: input.tables[number] });
  return input.texts.map((text) => [normal.normalize(text), normal.isBlank(text)]);
});
"""


@pytest.mark.parametrize("step", [31, pytest.param(1, marks=pytest.mark.slow)])
def test_characters_are_normalized_as_in_this_python(tmp_path, step):
    """Alone, and between characters that they may combine with, whatever node's version of Unicode."""
    config = export_text(tmp_path, "none", Algorithm.char, 400, joint=True)
    marks = ["\u0301", "\u0323", "\u0f71", "\u1161", "\u11a8", "a", "\u0345", "\u3099"]
    texts = [f"{chr(code)}{marks[code % 8]}{marks[code % 7]}" for codes in CODES for code in codes[::step]]
    texts += [chr(code) for codes in CODES for code in codes[:0x20000:step]]
    tables = [unicode_tables(form) for form in Normalization]
    value = {"model": page_text(tmp_path, config), "tables": tables, "texts": texts}
    results = run_node(["sentencepiece.js", "text.js"], OPEN + NORMALIZE, value)
    for form, result in zip(Normalization, results, strict=True):
        expected = [[normalize(text, form), is_blank(text)] for text in texts]
        assert result == expected or [(a, b) for a, b in zip(result, expected, strict=True) if a != b][:10] == []


SPLIT = """
const text = open(input.model);
return [input.documents.map((line) => text.split(line)), input.long.map((line) => text.segments(line, ""))];
"""


def test_documents_are_split_into_the_same_sentences(tmp_path):
    config = export_text(tmp_path, "nfc", Algorithm.char, 400, joint=True)
    documents = ["\n".join(english_lines()), *random_lines(500, 3), *hypothesis_lines(100)]
    documents = [document for document in documents if "```" not in document and "~~~" not in document]
    generator = random.Random(4)
    words = ["word", "дом", "家", "😀", "end, then", "。", "x" * 30, "\u3000"]
    long = [" ".join(generator.choices(words, k=generator.randrange(100, 600))) for _ in range(50)]
    value = {"model": page_text(tmp_path, config), "documents": documents, "long": long}
    split, segments = run_node(["sentencepiece.js", "text.js"], OPEN + SPLIT, value)
    for document, parts in zip(documents, split, strict=True):
        assert parts == [[part.text, part.is_sentence] for part in split_document(document)], document
    for text, own in zip(long, segments, strict=True):
        if len([part for part in split_document(text) if part.is_sentence]) == 1:
            assert own == split_long_text(text)


@pytest.mark.parametrize("text", [f"a{' ' * 300_000}b. C", f"{'a' * 300_000} b. C", f"a{chr(9) * 300_000}b. C"])
def test_long_runs_are_read_once(tmp_path, text):
    """With the square of their length, this would take a quarter of an hour; node is stopped before."""
    config = export_text(tmp_path, "nfc", Algorithm.char, 400, joint=True)
    value = {"model": page_text(tmp_path, config), "text": text}
    parts = run_node(["sentencepiece.js", "text.js"], OPEN + "return open(input.model).split(input.text);", value)
    assert parts == [[part.text, part.is_sentence] for part in split_document(text)]


def test_long_text_repeats_its_tag_in_every_segment(tmp_path):
    config = export_text(tmp_path, "nfc", Algorithm.char, 400, joint=True)
    value = {"model": page_text(tmp_path, config), "text": "a word " * 500}
    code = OPEN + "return open(input.model).segments(input.text, '<2de>');"
    segments = run_node(["sentencepiece.js", "text.js"], code, value)
    assert len(segments) > 3
    assert all(segment.startswith("<2de> a") and len(segment) <= 1000 for segment in segments)


def test_placeholders_are_not_split(tmp_path):
    config = export_text(tmp_path, "nfc", Algorithm.char, 400, joint=True, kinds=KINDS)
    generator = random.Random(5)
    parts = [
        "{{ a. B }}",
        "x. ",
        "Word ",
        ". ",
        '<a t="O. K">',
        "%s",
        "\t",
        "- ",
        "1. ",
        "{a}",
        "😀",
        "me@a.org",
        "3.5",
        "。",
    ]
    documents = ["".join(generator.choices(parts, k=generator.randrange(12))) for _ in range(500)]
    tag = f'<a title="{"Stop. Go " * 70}">'
    long = [
        "the cat sees {{ a dog or }} and " * 60,
        "x" * 900 + "{{ a. B }}" * 300,
        "x" * 450 + tag * 2,
        "😀" * 495 + f"{tag} {tag}",
    ]
    value = {"model": page_text(tmp_path, config), "documents": documents, "long": long}
    split, segments = run_node(["sentencepiece.js", "text.js"], OPEN + SPLIT, value)
    placeholders = Placeholders([PlaceholderKind(kind) for kind in KINDS], TAGS)
    for document, own in zip(documents, split, strict=True):
        expected = split_document(document, placeholders=placeholders)
        assert own == [[part.text, part.is_sentence] for part in expected], document
    assert segments == [split_long_text(text, placeholders=placeholders) for text in long]


def test_tags_of_a_long_text_are_found_as_python_finds_them(tmp_path):
    config = export_text(tmp_path, "nfc", Algorithm.char, 400, joint=True)
    starts = [
        "<2de> ",
        " <2de> ",
        "<2de>\u3000",
        "\u3000<2de>  ",
        "\ufeff<2de> ",
        "\u2581<2de>\u2581",
        "<2de> <2fr>  ",
        "<2xx> ",
    ]
    texts = [f"{start}{'a word ' * 500}" for start in starts]
    value = {"model": page_text(tmp_path, config), "texts": texts}
    code = OPEN + "const text = open(input.model); return input.texts.map((each) => text.segments(each, ''));"
    assert run_node(["sentencepiece.js", "text.js"], code, value) == [split_long_text(text, TAGS) for text in texts]
    code = OPEN + "const text = open(input.model); return input.texts.map((each) => text.segments(each, '<2fr>'));"
    own = run_node(["sentencepiece.js", "text.js"], code, value)
    assert own[:-1] == [split_long_text(text, TAGS) for text in texts[:-1]]
    assert all(segment.startswith("<2fr> ") for segment in own[-1])
