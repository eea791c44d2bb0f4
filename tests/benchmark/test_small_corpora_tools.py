"""The tools that made the tables about small corpora."""

import json
import random

import pytest
import sacrebleu

from tests.tools import more_data, small_corpora
from tests.tools.small_corpora import CORPORA, Corpus, data_settings


def write(folder, **files):
    folder.mkdir(parents=True)
    for name, lines in files.items():
        (folder / name.replace("_", ".")).write_text("".join(f"{line}\n" for line in lines), "utf-8")


def test_a_corpus_without_validation_set_becomes_one_file_that_is_split(tmp_path):
    sources, targets = ["uno\u2028dos", "tres"], ["peteĩ", "mbohapy"]
    write(tmp_path / "americas/guarani", train_es=sources, train_gn=targets)
    settings = data_settings(CORPORA["guarani"], tmp_path, tmp_path)
    assert settings[2:] == [f"data.file={tmp_path}/es-gn.jsonl", "data.split=[500,0]"]
    rows = (tmp_path / "es-gn.jsonl").read_text("utf-8").removesuffix("\n").split("\n")
    assert [tuple(json.loads(row).values()) for row in rows] == list(zip(sources, targets, strict=True))


def test_other_corpora_are_named_as_they_are(tmp_path):
    settings = data_settings(CORPORA["ga-en"], tmp_path, tmp_path)
    folder = tmp_path / "ga-en"
    assert f"data.validation.source={folder}/dev.ga" in settings
    assert f"data.train.target={folder}/train.en" in settings
    assert data_settings(CORPORA["en-deu"], tmp_path, tmp_path)[2:] == [
        f"data.file={tmp_path}/manythings-deu/deu.txt.gz"
    ]


@pytest.mark.parametrize("tokenize", ["none", "syllables"])
def test_the_tokens_of_the_published_score_are_those_of_the_files(tmp_path, monkeypatch, tokenize):
    references, hypotheses = ["a b , c d", "e f g h i"], ["a b , c e", "e f g h i"]
    monkeypatch.setattr(small_corpora, "evaluate", lambda *_: {"beam": {"bleu": None, "chrf": "chrF"}})
    monkeypatch.setattr(small_corpora, "syllables", lambda line: line.replace(" ", " x "))
    write(tmp_path / "some", test_de=references)
    write(tmp_path / "run", **{"hypotheses_test_beam_txt": hypotheses})
    bleu, chrf = small_corpora.test(tmp_path / "run", Corpus("some", "en", "de", "-", tokenize=tokenize), tmp_path)
    if tokenize == "syllables":
        references, hypotheses = ([line.replace(" ", " x ") for line in side] for side in (references, hypotheses))
    assert chrf == "chrF"
    wanted = sacrebleu.corpus_bleu(hypotheses, [references], tokenize="none", force=True)
    assert bleu.score == pytest.approx(wanted.score)


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("မြန်မာ", ["မြန်", "မာ"]),  # Myanmar: the second consonant ends its syllable
        ("ကျောင်း", ["ကျောင်း"]),  # school: medial, vowel signs, final consonant and tone mark
        ("သတ္တဝါ", ["သတ္တ", "ဝါ"]),  # animal: a stacked consonant
        ("ဥပမာ ၁၂။", ["ဥ", "ပ", "မာ", "၁", "၂", "။"]),  # example 12.: independent vowel, digits, full stop
        ("OK!", ["O", "K", "!"]),
        (" ", []),
    ],
)
def test_burmese_syllables(word, parts):
    assert small_corpora.syllables(word).split(" ") == (parts or [""])


def test_a_dictionary_has_the_words_that_translate_each_other():
    words = {f"xx{letter}": f"yy{letter}" for letter in "abcdefghij"}
    chance = random.Random(1)
    sentences = [chance.sample(sorted(words), 4) for _ in range(200)]
    pairs = [
        (" ".join(sentence), " ".join(chance.sample([words[word] for word in sentence], 4))) for sentence in sentences
    ]
    pairs.append(("rare", "selten"))
    assert dict(more_data.dictionary(pairs)) == words


def test_text_is_written_as_the_corpus_is():
    assert more_data.tokenized("I don't know, Tom.") == "i don &apos;t know , tom ."
