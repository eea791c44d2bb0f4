"""Arbitrary source text: every input line becomes one output line."""

import io
import json
import sys

import pytest
import torch
from fuzzing import ODD, ROUNDS, blobs, fuzz, limited_memory, one_line, texts
from hypothesis import strategies as st

from seq2seq import Translation, Translator
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.corpora.lines import decoded_lines
from seq2seq.errors import DataError
from seq2seq.inference.member import Member
from seq2seq.model import AttentionKind, ModelConfig, Network
from seq2seq.model.config import DecoderConfig, EncoderConfig
from seq2seq.portable.segmentation import MAX_SEGMENT
from seq2seq.recipes.translate import as_json
from seq2seq.search import SearchConfig
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.vocabulary import build_tokenizers

CORPUS = PairList("pairs", [Pair("the dog sees a cat.", "der Hund sieht eine Katze.")] * 4)
SHORT = SearchConfig(beam_size=2, max_length_ratio=0.01, max_length_offset=3)


def untrained(config: TokenizerConfig) -> Translator:
    tokenizers = build_tokenizers(config, CORPUS)
    model = ModelConfig(
        embedding_size=4, encoder=EncoderConfig(size=2), decoder=DecoderConfig(size=3), attention=AttentionKind.general
    )
    torch.manual_seed(1)
    network = Network(model, tokenizers.source.size, tokenizers.target.size, joint=tokenizers.joint)
    return Translator([Member.prepare(network.eval(), tokenizers, torch.device("cpu"))], SHORT)


@pytest.fixture(scope="module")
def translators() -> list[Translator]:
    """One with subwords and byte fallback, one with words only."""
    tagged = TokenizerConfig(size=285, tags=["<2de>"])
    return [untrained(tagged), untrained(TokenizerConfig(size=12, joint=False, algorithm=Algorithm.word))]


def check_translation(line: str, translation: Translation) -> None:
    """Check what holds for the translation of any line."""
    assert translation.source == line
    assert len(translation.text.splitlines()) <= 1
    translation.text.encode()
    assert bool(translation.source_pieces) == bool(line.replace("\u2581", " ").split())


long = st.builds(lambda text, times: (text * times)[: 3 * MAX_SEGMENT], texts, st.integers(1, 400))
lists = st.lists(st.one_of(texts, texts, texts, st.sampled_from(["", " ", "the dog"])), max_size=5)


@pytest.mark.parametrize("number", ROUNDS)
def test_any_text_is_translated(translators, number):
    cases = st.tuples(st.sampled_from([0, 0, 0, 1]), lists | long.map(lambda text: [text]), st.integers(1, 2))

    def check(case: tuple[int, list[str], int]) -> None:
        number, lines, beam_size = case
        translations = translators[number].translate(lines, beam_size=beam_size, n_best=beam_size)
        assert len(translations) == len(lines)
        for line, translation in zip(lines, translations, strict=True):
            check_translation(line, translation)

    fuzz(cases, check, number, quick=60)


@pytest.mark.parametrize("number", ROUNDS)
def test_any_bytes_become_one_line_per_line_or_an_error_of_one_line(translators, number):
    """With the functions that recipes/translate.py uses to read and write."""
    lines = st.lists(st.one_of(texts.map(lambda text: text.encode("utf-8", "ignore")), blobs), max_size=6)
    cases = st.tuples(lines, st.sampled_from([b"\n", b"\r\n", b"\r", b""]), st.booleans()).map(
        lambda parts: (b"\xef\xbb\xbf" if parts[2] else b"") + parts[1].join(parts[0])
    )

    def check(data: bytes) -> None:
        out = io.StringIO()
        try:
            for translation in translators[0].translate_all(decoded_lines(io.BytesIO(data), "it"), beam_size=1):
                print(translation, file=out)
                assert json.loads(as_json(translation))["source"] == translation.source
        except DataError as error:
            one_line(error)
            with pytest.raises(UnicodeDecodeError):
                data.decode()
            return
        end = b"\n" if b"\n" in data else b"\r"
        unterminated = not data.endswith(end) and data not in (b"", b"\xef\xbb\xbf")
        assert out.getvalue().count("\n") == data.count(end) + unterminated

    fuzz(cases, check, number, quick=60)


# Long inputs


SCRIPTS = {"words": "the dog sees a cat. ", "one word": "dog", "emoji": "\U0001f600", "unknown": "中文ༀ", "nul": "\0"}
SCRIPTS |= {"surrogates": "\ud800", "accents": "\u0301", "separators": "\u2028\x85\v"}
QUICK = {"emoji"}


@pytest.mark.parametrize(
    "script", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in SCRIPTS]
)
def test_a_line_of_a_hundred_thousand_characters_is_translated(translators, script):
    line = (SCRIPTS[script] * 100_000)[:100_000]
    with limited_memory():
        before, translation, after = translators[0].translate(["the dog", line, "a cat"], beam_size=1)
    check_translation(line, translation)
    assert [str(before), str(after)] == list(map(str, translators[0].translate(["the dog", "a cat"], beam_size=1)))


@pytest.mark.slow
def test_a_hundred_thousand_lines_at_once_are_translated(translators):
    lines = [ODD[number % len(ODD)] * (number % 9) + str(number % 7) * (number % 3) for number in range(100_000)]
    with limited_memory():
        translations = translators[0].translate(lines, beam_size=1)
    assert len(translations) == len(lines)
    for line, translation in zip(lines, translations, strict=True):
        check_translation(line, translation)


UNUSUAL_TEXT = (
    "a\rb\n\r\n\u2028\u2029\n\x85\v\f\x1c\n\0\n \n\u200b\ufeff\n\U0010ffff\n<unk> </s> <0x41>\n".encode() + b"end"
)


@pytest.mark.parametrize("options", [[], ["json=true"]])
def test_the_recipe_writes_one_line_per_line(recipe, tiny_run, tmp_path, monkeypatch, options):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(UNUSUAL_TEXT)))
    outcome = recipe("translate", f"run={tiny_run}", "beam_size=1", f"output={tmp_path / 'out'}", *options)
    assert outcome.code == 0
    assert outcome.err.startswith("suspicious translations of ")
    assert outcome.err.count("\n") == 1
    written = (tmp_path / "out").read_bytes().split(b"\n")
    assert len(written) == UNUSUAL_TEXT.count(b"\n") + 2
    assert written[-1] == b""
    if options:
        sources = [json.loads(line)["source"] for line in written[:-1]]
        assert sources == [line.removesuffix("\r") for line in UNUSUAL_TEXT.decode().split("\n")]


def test_the_recipe_names_the_line_with_invalid_utf8(recipe, tiny_run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n\xff\xfe\nb\n")))
    outcome = recipe("translate", f"run={tiny_run}", "beam_size=1")
    assert outcome.code == 1
    assert outcome.err.startswith("error: standard input, line 2: byte 0xff")
    assert outcome.err.count("\n") == 1
