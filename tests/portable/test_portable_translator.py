"""Exported models without PyTorch against seq2seq.Translator: the same tokens, texts, scores and attention."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from exported_runs import SEARCH, SUBWORDS, make_run
from networks import EVERY

from seq2seq import Translator
from seq2seq.export.config_json import portable_config
from seq2seq.export.folder import write_json
from seq2seq.model.weights import save_weights
from seq2seq.portable.errors import PortableError
from seq2seq.portable.folder import CONFIG
from seq2seq.portable.translation import Translation
from seq2seq.portable.translator import Translator as PortableTranslator
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.normalization import Normalization

TEXTS = [
    "Wo ist der Mann?",
    "Das alte Haus   ist\tmein Haus.",
    "",
    " \u200b ",
    "cafe\u0301 ﬁnden ２ ½ 😀 \ud800 \ufeffx",
    "<2en> Die Frau ruft %s an, {name}! %(user)s <b>7</b> 7 ⟨ph1⟩",
    "%d {a} {b} {c} {d} {e} {f} {g} {h} {i}",
]
"""Blank, decomposed, full-width, outside the vocabulary, with placeholders and tags."""

LONG = " ".join(f"Der Mann arbeitet {number} Tage." for number in range(40))
"""More than 1,000 characters."""

VOCABULARIES = {
    "unigram": SUBWORDS,
    "bpe": TokenizerConfig(algorithm="bpe", size=300),
    "separate": TokenizerConfig(algorithm="bpe", size=300, joint=False, target_algorithm="char"),
    "words": TokenizerConfig(algorithm="word", size=40),
    "words to subwords": TokenizerConfig(
        algorithm="word", size=40, joint=False, target_algorithm="unigram", target_size=290
    ),
    "characters": TokenizerConfig(algorithm="char", size=300),
    "nfkc": replace(SUBWORDS, normalization=Normalization.nfkc),
    "none": replace(SUBWORDS, normalization=Normalization.none),
    "tags": replace(SUBWORDS, tags=["<2en>"]),
    "placeholders": replace(SUBWORDS, size=320, placeholders=["printf", "braces", "tags"]),
    "numbers": replace(SUBWORDS, size=320, placeholders=["numbers", "variables"], joint=False),
    "placeholders in words": TokenizerConfig(algorithm="word", size=40, placeholders=["printf", "braces"]),
}
SEARCHES = {
    "greedy": replace(SEARCH, beam_size=1),
    "beam": replace(SEARCH, n_best=3),
    "long": replace(SEARCH, beam_size=5, max_length_ratio=2.0, max_length_offset=10, length_penalty=0.0),
    "no repetition": replace(SEARCH, no_repeat_ngram=2, repetition_penalty=1.5, length_penalty=0.6),
    "no n-gram": replace(SEARCH, beam_size=1, no_repeat_ngram=1),
}


def exported(folder, run, search, engine="numpy") -> PortableTranslator:
    """An exported folder with the files that numpy reads, opened."""
    loaded = run.load()
    for file in run.path.iterdir():
        if file.suffix in (".model", ".safetensors"):
            (folder / file.name).write_bytes(file.read_bytes())
    write_json(folder / CONFIG, portable_config(run, loaded, search, "float32"))
    save_weights(loaded.network, folder / "model.safetensors", loaded.metadata)
    return PortableTranslator.load(folder, engine)


def check_equal(found: Translation, wanted) -> None:
    """Compare all fields, and the n-best translations."""
    assert found.text == wanted.text
    for name in ("source", "tokens", "source_tokens", "finished", "lost_placeholders", "added_placeholders"):
        assert getattr(found, name) == getattr(wanted, name), name
    for name in ("score", "log_probability"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-4, atol=1e-4)
    assert (found.attention is None) == (wanted.attention is None)
    if found.attention is not None:
        np.testing.assert_allclose(found.attention, wanted.attention.numpy(), atol=1e-4)
    assert len(found.n_best) == len(wanted.n_best)
    for other, expected in zip(found.n_best, wanted.n_best, strict=True):
        check_equal(replace(other, n_best=()), replace(expected, n_best=()))


@pytest.mark.grid
@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES)
def test_translations_are_those_of_torch(tmp_path, vocabulary, search):
    tag = "<2en>" if vocabulary is VOCABULARIES["numbers"] else None
    run = make_run(tmp_path / "run", tokenizer=vocabulary, search=search, source_tag=tag)
    (tmp_path / "exported").mkdir()
    portable = exported(tmp_path / "exported", run, search)
    reference = Translator.load(run.path, "cpu", "float32")
    for found, wanted in zip(
        portable.translate(TEXTS, attention=True), reference.translate(TEXTS, attention=True), strict=True
    ):
        check_equal(found, wanted)


@pytest.mark.grid
@pytest.mark.parametrize("config", [c for c in EVERY if c.encoder.layers], ids=lambda config: f"{config.attention}")
@pytest.mark.parametrize("shortlist", [False, True])
def test_any_network_translates_as_with_torch(tmp_path, config, shortlist):
    if shortlist and config.copy != "none":
        pytest.skip("refused")
    run = make_run(tmp_path / "run", config)
    (tmp_path / "exported").mkdir()
    exported(tmp_path / "exported", run, SEARCH)
    portable = PortableTranslator.load(tmp_path / "exported", "numpy", shortlist=shortlist)
    reference = Translator.load(run.path, "cpu", "float32", shortlist=shortlist)
    for text in TEXTS[:2]:
        for beam_size in (1, 3):
            options = {"beam_size": beam_size, "n_best": beam_size, "attention": True}
            check_equal(portable.translate(text, **options), reference.translate(text, **options))


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[PortableTranslator, Translator]:
    folder = tmp_path_factory.mktemp("pair")
    run = make_run(folder / "run", ending=0.5)
    (folder / "exported").mkdir()
    return exported(folder / "exported", run, SEARCH), Translator.load(run.path, "cpu", "float32")


@pytest.mark.parametrize(("text", "beam_size"), [(TEXTS[0], 1), (TEXTS[1], 3), (TEXTS[2], 3), (LONG[-1010:], 1)])
def test_streams_are_those_of_torch(pair, text, beam_size):
    found, wanted = (list(each.stream(text, beam_size=beam_size)) for each in pair)
    assert [each.text for each in found] == [each.text for each in wanted]
    assert [math.isnan(each.score) for each in found] == [math.isnan(each.score) for each in wanted]
    check_equal(found[-1], wanted[-1])


def test_long_text_is_translated_sentence_by_sentence(pair):
    found, wanted = (each.translate(LONG, beam_size=2, n_best=2) for each in pair)
    check_equal(found, wanted)


def test_a_stream_of_texts_is_translated_in_order(pair):
    portable, _ = pair
    assert list(portable.translate_all(iter(TEXTS[:3]))) == portable.translate(TEXTS[:3])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda translator: translator.translate(5), "text must be a string or a list of strings, got int"),
        (lambda translator: translator.translate(["a", None]), "text must be a string, got NoneType"),
        (lambda translator: translator.translate_all("a"), "use translate, or pass a list"),
        (lambda translator: translator.translate("a", beam_size=0), "beam_size must be a number of at least 1"),
        (lambda translator: translator.translate("a", n_best=9), "n_best must be at most beam_size = 3, got 9"),
        (lambda translator: list(translator.stream(b"a")), "text must be a string, got bytes"),
    ],
)
def test_bad_arguments_are_refused(pair, call, message):
    with pytest.raises(PortableError, match=message):
        call(pair[0])


def test_the_fields_of_a_translation_are_those_of_torch(pair):
    own, other = ({field.name for field in fields(each.translate("a"))} for each in pair)
    assert own <= other
    assert other - own == {"utility", "token_log_probabilities"}, "of searches that are not exported"
