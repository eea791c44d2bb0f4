"""Random segmentation: the same text, the published probabilities, the same tokens in every process."""

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig, Split
from seq2seq.errors import DataError
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.normalization import normalize
from seq2seq.tokenizer.sentencepiece_model import read_pieces
from seq2seq.tokenizer.subword_sampling import MergeDropout, SubwordSampler
from seq2seq.tokenizer.tokenizer import EOS, UNK, Tokenizer
from seq2seq.tokenizer.vocabulary import train_tokenizer

TEXT = [
    "the small dog sees a cat and the cat sees the small dog",
    "die kleine Katze sieht den kleinen Hund <2de>",
    "ein Hund und eine Katze, ein Mann und eine Frau",
]
LINES = ["the small dog sees the cat", "", "die kleine Katze 日本"] * 10
any_text = st.text(st.one_of(st.sampled_from("thecadogs K\u2581é日"), st.characters()), max_size=30)


def trained(algorithm: Algorithm) -> Tokenizer:
    return train_tokenizer(TEXT * 5, TokenizerConfig(algorithm=algorithm, size=330, tags=["<2de>"]), "the text")


@pytest.fixture(scope="module", params=[Algorithm.unigram, Algorithm.bpe])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return trained(request.param)


def test_segmentations_are_a_function_of_rate_and_seed_in_every_process(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = tokenizer.encode_all(LINES)
    (tmp_path / "tokenizer.model").write_bytes(tokenizer.to_bytes())
    program = (
        "import json, sys; from pathlib import Path\n"
        "from seq2seq.tokenizer.subword_sampling import SubwordSampler\n"
        "from seq2seq.tokenizer.tokenizer import Tokenizer\n"
        "sampler = SubwordSampler(Tokenizer.load(Path(sys.argv[1])), 0.3)\n"
        "print(json.dumps([sampler(json.loads(sys.argv[2]), seed) for seed in (1, 2)]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "tokenizer.model"), json.dumps(rows)]
    elsewhere = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    sampler = SubwordSampler(tokenizer, 0.3)
    sampler(rows, 77)  # earlier calls have no effect
    assert elsewhere == [sampler(rows, 1), sampler(rows, 2)]
    assert elsewhere[0] != elsewhere[1]


@given(st.lists(any_text, max_size=4), st.sampled_from([0.1, 0.5, 1.0]), st.integers(0, 2**32 - 1))
def test_segmentations_spell_the_same_text(tokenizer: Tokenizer, texts: list[str], rate: float, seed: int) -> None:
    result = SubwordSampler(tokenizer, rate)(tokenizer.encode_all(texts), seed)
    assert [tokenizer.decode(ids) for ids in result] == [normalize(text) for text in texts]


@pytest.mark.parametrize(("algorithm", "rates"), [(Algorithm.bpe, (0.01, 0.3, 1)), (Algorithm.unigram, (1, 0.3, 0.01))])
def test_the_rate_controls_the_randomness(algorithm: Algorithm, rates: tuple[float, ...]) -> None:
    """Dropped merges give more tokens, as does an exponent near 0, which makes all segmentations equally likely."""
    one = trained(algorithm)
    rows = one.encode_all(LINES)
    lengths = [sum(map(len, SubwordSampler(one, rate)(rows, seed=1))) for rate in rates]
    assert lengths == sorted(set(lengths))
    assert lengths[0] < 1.1 * sum(map(len, rows))
    assert lengths[-1] > 1.15 * lengths[0]


def all_ways(text: str, pieces: set[str]) -> Iterator[tuple[str, ...]]:
    if not text:
        yield ()
    for end in range(1, len(text) + 1):
        if text[:end] in pieces:
            yield from ((text[:end], *rest) for rest in all_ways(text[end:], pieces))


@pytest.mark.parametrize("rate", [0.2, 1.0])
def test_unigram_segmentations_have_the_published_probabilities(rate: float) -> None:
    """P(segmentation) is proportional to the product of its tokens' probabilities to the power of the rate."""
    corpus = list(BuiltinCorpus(BuiltinConfig(train_size=300), Split.train))
    one = train_tokenizer([pair.target for pair in corpus], TokenizerConfig(size=450), "the text")
    scores = {piece.text: piece.score for piece in read_pieces(one.to_bytes())[1]}
    weights = {way: math.exp(rate * sum(map(scores.__getitem__, way))) for way in all_ways("▁denen", set(scores))}
    segmentations = SubwordSampler(one, rate)([one.encode("denen")] * 4000, seed=3)
    result = Counter(tuple(one.tokens(row)) for row in segmentations)
    assert len(weights) > 4
    assert result.keys() <= weights.keys()
    for way, weight in weights.items():  # 0.03 is at least four standard deviations
        assert result[way] / 4000 == pytest.approx(weight / sum(weights.values()), abs=0.033)


def test_merges_are_dropped_with_the_given_probability() -> None:
    """A word of k merges stays whole with probability (1 - rate) ** k; at rate 1 only characters remain."""
    one = trained(Algorithm.bpe)
    row = one.encode("small")
    merges = len("▁small") - len(row)
    assert merges >= 4
    segmentations = SubwordSampler(one, 0.1)([row] * 4000, seed=3)
    assert sum(cut == row for cut in segmentations) / 4000 == pytest.approx(0.9**merges, abs=0.033)
    assert [one.tokens(cut) for cut in SubwordSampler(one, 1.0)([row], seed=3)] == [list("▁small")]
    rows = one.encode_all(LINES)
    assert SubwordSampler(one, 1e-12)(rows, seed=3) == rows  # without dropout, the result equals SentencePiece's


def test_single_decisions_and_decisions_for_whole_words_agree() -> None:
    numbers = iter([0.5, 0.0, 0.9, 0.2] * 50)
    one = MergeDropout(0.25, lambda: next(numbers))
    decisions = [one() for _ in range(40)]
    numbers = iter([0.5, 0.0, 0.9, 0.2] * 50)
    other = MergeDropout(0.25, lambda: next(numbers))
    decided: list[bool] = []
    while len(decided) < 40:
        decided += [False] * 3 if other.keeps_all(3) else [other() for _ in range(3)]
    assert decided[:40] == decisions
    assert decisions[:5] == [False, False, True, True, False]  # log(1 - 0.5) / log(1 - 0.25) is 2.4


def test_tags_stay_whole_and_rows_with_special_tokens_are_unchanged(tokenizer: Tokenizer) -> None:
    row = tokenizer.encode("the small <2de> dog <2de>")
    [tag] = tokenizer.ids_of_tags(["<2de>"])
    [whole] = tokenizer.encode("the")[:1]
    for seed in range(20):
        free = SubwordSampler(tokenizer, 0.9, {whole})([row, [*row, UNK], [*row, EOS], []], seed)
        assert [one for one in free[0] if one in (tag, whole)] == [one for one in row if one in (tag, whole)]
        assert free[1:] == [[*row, UNK], [*row, EOS], []]


def test_words_and_characters_cannot_be_sampled() -> None:
    for algorithm, size in ((Algorithm.word, 12), (Algorithm.char, 300)):
        one = train_tokenizer(TEXT, TokenizerConfig(algorithm=algorithm, size=size), "the text")
        with pytest.raises(DataError, match=r"only one segmentation of a text: set tokenizer\.sampling=0"):
            SubwordSampler(one, 0.1)


def test_long_texts_without_spaces_are_not_cached(tokenizer: Tokenizer) -> None:
    sampler = SubwordSampler(tokenizer, 0.3)
    rows = tokenizer.encode_all(["thesmalldogseesacatandthecatseesthesmalldog" * 5, "日本" * 40, "the cat"])
    result = sampler(rows, seed=1)
    assert [tokenizer.decode(row) for row in result] == [tokenizer.decode(row) for row in rows]
    assert sampler._cached_lattice.cache_info().currsize + sampler._cached_merges.cache_info().currsize == 2
