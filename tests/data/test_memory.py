"""Resident memory does not grow with the corpus."""

import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers as Both
from seq2seq.tokenizer.tokenizer import save_tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer

PROGRAM = """
import resource, sys
from pathlib import Path
from seq2seq.data.preparation import encode_corpus
from seq2seq.corpora.filters import FilterConfig
from seq2seq.corpora.files import TextFiles
from seq2seq.tokenizer.tokenizer import load_tokenizers
folder = Path(sys.argv[1])
corpus = TextFiles(folder / f"{sys.argv[2]}.en", folder / f"{sys.argv[2]}.de")
table = encode_corpus(corpus, load_tokenizers(folder), folder / f"{sys.argv[2]}.arrow", FilterConfig())
assert len(table) == int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak(folder: Path, pairs: int) -> int:
    """Peak resident memory in MiB of encoding so many pairs."""
    for language in ("en", "de"):
        with (folder / f"{pairs}.{language}").open("w") as file:
            file.writelines(
                f"sentence number {number} of the {language} side, neither long nor short\n" for number in range(pairs)
            )
    command = [sys.executable, "-c", PROGRAM, str(folder), str(pairs)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.slow
def test_forty_times_the_corpus_takes_no_more_memory(tmp_path):
    sentences = [f"sentence number {number} of the en de side, neither long nor short" for number in range(500)]
    tokenizer = train_tokenizer(sentences, TokenizerConfig(size=300), "these sentences")
    save_tokenizers(Both(tokenizer, tokenizer), tmp_path)
    small, large = peak(tmp_path, 20_000), peak(tmp_path, 800_000)
    written = (tmp_path / "800000.arrow").stat().st_size / 2**20
    # The mapped file counts as resident while it is in the page cache; nothing else may grow.
    assert large - small < written + 30, f"{small} MiB for 20,000 pairs, {large} MiB for 800,000"
