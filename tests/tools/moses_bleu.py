"""BLEU on the lower-cased words of Moses' tokenizer, as papers on Multi30k report it.

python -m tests.tools.moses_bleu HYPOTHESES REFERENCES --language de

The files have one sentence per line. The German references of test 2016 have 12,103 such words, as in the published
log of Transformer-Tiny (Wu et al. 2021), which has 41.02 BLEU there.
"""

import argparse
import sys
from pathlib import Path

from sacrebleu.metrics.bleu import BLEU
from sacremoses import MosesTokenizer

from seq2seq.metrics.score import Metric, measure


def words(lines: list[str], language: str) -> list[str]:
    """Each line in lower case with spaces between its words; ``&`` and quotation marks stay as they are."""
    tokenizer = MosesTokenizer(language)
    return [tokenizer.tokenize(line.lower(), return_str=True, escape=False) for line in lines]


def moses_bleu(hypotheses: list[str], references: list[str], language: str) -> Metric:
    """BLEU with a 95 % bootstrap interval."""
    return measure(
        BLEU(tokenize="none", force=True), words(hypotheses, language), words(references, language), bootstrap=1000
    )


def main() -> None:
    """Print the score, its interval, the number of words, and the signature."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hypotheses", type=Path)
    parser.add_argument("references", type=Path)
    parser.add_argument("--language", default="de")
    arguments = parser.parse_args()
    hypotheses, references = (
        path.read_text("utf-8").removesuffix("\n").split("\n") for path in (arguments.hypotheses, arguments.references)
    )
    if len(hypotheses) != len(references):
        print(
            f"error: {len(hypotheses):,} hypotheses and {len(references):,} references: align the files",
            file=sys.stderr,
        )
        sys.exit(1)
    found = moses_bleu(hypotheses, references, arguments.language)
    count = sum(len(line.split()) for line in words(references, arguments.language))
    low, high = found.ci95 or (found.score, found.score)
    print(f"BLEU {found.score:.2f} [{low:.2f}, {high:.2f}], {count:,} words in the references\n{found.signature}")


if __name__ == "__main__":
    main()
