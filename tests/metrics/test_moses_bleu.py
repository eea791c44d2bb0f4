"""BLEU as papers on Multi30k report it."""

import pytest
import sacrebleu

from tests.tools.moses_bleu import moses_bleu, words


def test_words_are_lower_cased_and_separated_from_punctuation():
    lines = ['Ein Mann, der "laut" ruft, läuft.', "Der Müller-Hof & 3,5 % usw. im T-Shirt."]
    assert words(lines, "de") == [
        'ein mann , der " laut " ruft , läuft .',
        "der müller-hof & 3,5 % usw. im t-shirt .",
    ]


def test_the_score_is_that_of_the_separated_words():
    references = ["Ein Mann, der läuft, ruft laut.", "Der Hund ist im Haus, nicht im Garten."]
    hypotheses = ["ein Mann, der läuft, ruft.", "Der Hund ist im Haus, nicht im Hof."]
    separated = [
        [line.lower().replace(",", " ,").replace(".", " .") for line in side] for side in (hypotheses, references)
    ]
    wanted = sacrebleu.corpus_bleu(separated[0], [separated[1]], tokenize="none", force=True)
    assert moses_bleu(hypotheses, references, "de").score == pytest.approx(wanted.score)
    assert "tok:none" in moses_bleu(hypotheses, references, "de").signature


def test_files_of_other_lengths_are_refused(tool, tmp_path):
    (tmp_path / "one").write_text("Ein Hund bellt laut.\nZwei Hunde schlafen.\n")
    (tmp_path / "other").write_text("Eins.\n")
    outcome = tool("moses_bleu", str(tmp_path / "one"), str(tmp_path / "other"))
    assert (outcome.code, outcome.err) == (1, "error: 2 hypotheses and 1 references: align the files\n")
    assert "BLEU 100.00" in tool("moses_bleu", str(tmp_path / "one"), str(tmp_path / "one")).out
