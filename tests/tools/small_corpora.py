"""`experiment=auto` on real small corpora, as in RESULTS.md: train, translate the test set once, score as published.

python -m tests.tools.small_corpora DATA RUNS --only guarani ja-en --seed 1

DATA has a folder per corpus with aligned files, one sentence per line, such as my-rk/train.my and my-rk/train.rk
(`CORPORA`). Their sources: github.com/ye-kyaw-thu/myPar (my-rk), github.com/AmericasNLP/americasnlp2021 (americas),
github.com/neubig/nmt-tips (nmttips-jaen), github.com/odashi/small_parallel_enja (enja-50k), LoResMT 2021's shared task
(ga-en), manythings.org/anki (manythings-deu). Each corpus is one run folder in RUNS. The same command resumes an
interrupted training, and repeats nothing that is finished. A row gives the processor time of all training commands in
minutes, and BLEU and chrF of beam search with 95 % intervals.
"""

import argparse
import json
import os
import re
from pathlib import Path
from typing import NamedTuple

from sacrebleu.metrics.bleu import BLEU

from seq2seq.metrics.score import Metric, measure
from tests.tools.runs import evaluate, train

STACKED, ASAT = "\u1039", "\u103a"
BEGINS = re.compile("[\u1023-\u102a\u103f-\u104f!-~]")
"""Burmese independent vowels, great sa, digits and signs; ASCII."""

VALIDATION = 500
"""Pairs that are cut from the training pairs where a corpus has no validation set."""


class Corpus(NamedTuple):
    """Where the parts of a corpus are, and what was published for it."""

    folder: str
    source: str
    """Language code, which is also the ending of the files."""
    target: str
    published: str
    validation: str = "dev"
    """Name of the files; empty: the validation set is cut from the training pairs."""
    test: str = "test"
    """Name of the files; empty: the pairs of all sets are in one file, TARGET.txt.gz."""
    tokenize: str = "13a"
    """sacreBLEU's tokenizer of the published score; ``syllables``: see `syllables`."""


CORPORA = {
    "my-rk": Corpus("my-rk", "my", "rk", "74.95 (LSTM), 59.35 (Transformer)", tokenize="syllables"),
    "rk-my": Corpus("my-rk", "rk", "my", "75.01 (LSTM), 55.68 (Transformer)", tokenize="syllables"),
    "guarani": Corpus("americas/guarani", "es", "gn", "3.26", "", "dev"),
    "nahuatl": Corpus("americas/nahuatl", "es", "nah", "0.33", "", "dev"),
    "aymara": Corpus("americas/aymara", "es", "aym", "0.30", "", "dev"),
    "bribri": Corpus("americas/bribri", "es", "bzd", "0.54", "", "dev"),
    "wixarika": Corpus("americas/wixarika", "es", "hch", "3.18", "", "dev"),
    "nmttips": Corpus("nmttips-jaen", "ja", "en", "10.99 (ensemble), 2.17 (attention)", tokenize="none"),
    "ja-en": Corpus("enja-50k", "ja", "en", "37, direction not given", tokenize="none"),
    "en-ja": Corpus("enja-50k", "en", "ja", "37, direction not given", tokenize="none"),
    "en-ga": Corpus("ga-en", "en", "ga", "9.8", test="test.en2ga"),
    "ga-en": Corpus("ga-en", "ga", "en", "-", test="test.ga2en"),
    "en-deu": Corpus("manythings-deu", "en", "deu", "-", test=""),
}


def data_settings(corpus: Corpus, data: Path, runs: Path) -> list[str]:
    """The settings that name the training and validation pairs."""
    folder = data / corpus.folder
    languages = [f"data.source_language={corpus.source}", f"data.target_language={corpus.target}"]
    if not corpus.test:
        return [*languages, f"data.file={folder}/{corpus.target}.txt.gz"]
    if corpus.validation:
        return [*languages, *split("train", folder, "train", corpus), *split("validation", folder, "dev", corpus)]
    pairs = runs / f"{corpus.source}-{corpus.target}.jsonl"
    sides = (lines(folder / f"train.{language}") for language in (corpus.source, corpus.target))
    with pairs.open("w", encoding="utf-8") as file:
        for source, target in zip(*sides, strict=True):
            print(json.dumps({corpus.source: source, corpus.target: target}, ensure_ascii=False), file=file)
    return [*languages, f"data.file={pairs}", f"data.split=[{VALIDATION},0]"]


def split(name: str, folder: Path, files: str, corpus: Corpus) -> list[str]:
    """The settings that name the two aligned files of a split."""
    sides = {"source": corpus.source, "target": corpus.target}
    return [f"data.{name}.{side}={folder}/{files}.{language}" for side, language in sides.items()]


def lines(path: Path) -> list[str]:
    """The lines of a file, which end at line feeds only."""
    return path.read_text("utf-8").removesuffix("\n").split("\n")


def test(run: Path, corpus: Corpus, data: Path) -> tuple[Metric, Metric]:
    """Translate the test set, unless that is done, and return BLEU and chrF of beam search."""
    folder = data / corpus.folder
    scores = evaluate(run, split("test", folder, corpus.test, corpus) if corpus.test else [])["beam"]
    bleu, chrf = scores["bleu"], scores["chrf"]
    if corpus.tokenize == "13a":
        return bleu, chrf
    normalized = run / "references.test.txt"  # where the run's Unicode form changed any
    references = normalized if normalized.exists() else folder / f"{corpus.test}.{corpus.target}"
    hypotheses, expected = lines(run / "hypotheses.test.beam.txt"), lines(references)
    if corpus.tokenize == "syllables":
        hypotheses, expected = ([syllables(line) for line in text] for text in (hypotheses, expected))
    return measure(BLEU(tokenize="none", force=True), hypotheses, expected, bootstrap=1000), chrf


def syllables(line: str) -> str:
    """Burmese or Rakhine text with a space before each syllable, and no others.

    A syllable begins at a consonant, except one that is stacked below the consonant before it (after U+1039) or that
    ends a syllable (before U+1039 or the asat, U+103A). Independent vowels, digits, signs and ASCII characters begin
    syllables too. Vowel signs, medials and tone marks belong to the consonant before them.
    """
    text = "".join(line.split())
    spaced = []
    for before, character, after in zip(f"\0{text}", text, f"{text[1:]}\0", strict=False):
        consonant = "\u1000" <= character <= "\u1021" and before != STACKED and after not in (STACKED, ASAT)
        spaced.append(f" {character}" if consonant or BEGINS.match(character) else character)
    return "".join(spaced).strip()


def row(name: str, corpus: Corpus, run: Path, seconds: float, scores: tuple[Metric, Metric]) -> str:
    """One line of the table."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    updates = max(record["update"] for record in records if "update" in record)
    bleu, chrf = (f"{each.score:.1f} [{each.ci95[0]:.1f}, {each.ci95[1]:.1f}]" for each in scores if each.ci95)
    return f"| {name} | {updates:,} | {seconds / 60:.0f} | {bleu} | {chrf} | {corpus.published} | {corpus.tokenize} |"


def main() -> None:
    """Print a row per corpus, and the signatures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--only", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        corpus, run = CORPORA[name], arguments.runs / f"{name}.{arguments.seed}"
        settings = data_settings(corpus, arguments.data.resolve(), arguments.runs.resolve())
        seconds = train(run, ["experiment=auto", *settings, f"seed={arguments.seed}"])
        scores = test(run, corpus, arguments.data.resolve())
        print(row(name, corpus, run, seconds, scores), *(f"  {each.signature}" for each in scores), sep="\n")


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()
