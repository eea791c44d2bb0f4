"""More data for two small corpora, as in RESULTS.md: a dictionary, and text of the target language.

python -m tests.tools.more_data DATA OUTPUT

From the corpora of DATA it writes deu.tsv, 10,000 English–German pairs of Tatoeba. For these (NAME is deu) and for the
Japanese–English pairs of nmt-tips (ja) it writes NAME.dictionary.tsv, words of other pairs of the same languages that
are each other's best translation by IBM Model 1, and NAME.text, 20,000 sentences of the target language. Both are made
without pairs and sentences whose German stands in deu.tsv, or whose English in the validation or test set of nmt-tips.
"""

import argparse
import gzip
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import regex

from seq2seq.corpora.near_copies import normalized
from seq2seq.data.ibm_model1 import ITERATIONS, make_bitext, model1
from tests.tools.small_corpora import lines

PAIRS, SENTENCES = 10_000, 20_000
"""Of the German corpus, and of a text."""

LEAST = 3
"""Occurrences of a word that has an entry."""

Pair = tuple[str, str]
WORD = regex.compile(r"[\p{L}\p{M}]+")
MARK = regex.compile(r"([\p{P}\p{S}--'])", regex.V1)


def dictionary(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs of words, each the other's most probable translation."""
    words = [[WORD.findall(side) for side in pair] for pair in pairs]
    counts = [Counter(word for pair in words for word in pair[side]) for side in (0, 1)]
    names = [list(count) for count in counts]
    ids = [{word: number for number, word in enumerate(side)} for side in names]
    rows = [[np.array([ids[side][word] for word in pair[side]], np.int32) for pair in words] for side in (0, 1)]
    sizes = [len(side) for side in names]
    forward, backward = (best(rows[e], rows[f], sizes[e], sizes[f]) for e, f in ((0, 1), (1, 0)))
    mutual = [(names[0][e], names[1][f]) for e, f in forward.items() if backward.get(f) == e]
    return [pair for pair in mutual if all(count[word] >= LEAST for count, word in zip(counts, pair, strict=True))]


def best(sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], size: int, target_size: int) -> dict[int, int]:
    """The most probable target word of each source word."""
    lexicon, _ = model1(make_bitext(sources, targets, size, target_size), ITERATIONS)
    order = np.argsort(lexicon.probabilities_C)
    return dict(zip(lexicon.sources_C[order].tolist(), lexicon.targets_C[order].tolist(), strict=True))


def write(path: Path, rows: Iterable[str]) -> None:
    """Write lines."""
    path.write_text("".join(f"{row}\n" for row in rows), "utf-8")


def german(data: Path, output: Path) -> list[str]:
    """Write the three German files, and return English sentences in random order."""
    text = gzip.decompress((data / "manythings-deu/deu.txt.gz").read_bytes()).decode("utf-8")
    by_english = dict(line.split("\t") for line in text.splitlines())
    pairs = list(by_english.items())
    random.Random(1).shuffle(pairs)
    own = {normalized(target) for _, target in pairs[:PAIRS]}
    rest = [pair for pair in pairs[PAIRS:] if normalized(pair[1]) not in own]
    write(output / "deu.tsv", map("\t".join, pairs[:PAIRS]))
    write(output / "deu.dictionary.tsv", map("\t".join, dictionary(rest)))
    write(output / "deu.text", [target for _, target in rest[:SENTENCES]])
    return [english for english, _ in pairs]


def japanese(data: Path, output: Path, english: Sequence[str]) -> None:
    """Write the two Japanese files."""
    train, dev, test = (read(data / "nmttips-jaen", part) for part in ("train", "dev", "test"))
    held_out = {normalized(target) for _, target in dev + test}
    tanaka = [pair for pair in read(data / "enja-50k", "train") if normalized(pair[1]) not in held_out]
    write(output / "ja.dictionary.tsv", map("\t".join, dictionary(tanaka)))
    known = held_out | {normalized(target) for _, target in train}
    unseen = [sentence for sentence in english if normalized(sentence) not in known]
    write(output / "ja.text", map(tokenized, unseen[:SENTENCES]))


def read(folder: Path, part: str) -> list[Pair]:
    """Japanese–English pairs of two aligned files."""
    return list(zip(*(lines(folder / f"{part}.{language}") for language in ("ja", "en")), strict=True))


def tokenized(sentence: str) -> str:
    """A sentence as the English of nmt-tips is written: in lower case, with spaces around marks."""
    return " ".join(MARK.sub(r" \1 ", sentence.lower()).replace("'", " &apos;").split())


def main() -> None:
    """Write the five files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    japanese(arguments.data, arguments.output, german(arguments.data, arguments.output))


if __name__ == "__main__":
    main()
