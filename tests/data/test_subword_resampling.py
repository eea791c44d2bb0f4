import signal
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.data.batch import make_batch
from seq2seq.data.batch_sampler import BatchSampler, StreamPosition
from seq2seq.data.config import BatchConfig
from seq2seq.data.stream import MAX_GROWTH, SubwordResampler, resample_rows
from seq2seq.errors import DataError
from seq2seq.settings import walk
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.subword_sampling import SubwordSampler
from seq2seq.tokenizer.tokenizer import UNK, Tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers

SOURCES = ["the small dog sees a cat", "a cat sees the small dogs", "the dogs see cats <2de>", "日本 the"]
TARGETS = ["der kleine Hund sieht eine Katze", "eine Katze sieht die kleinen Hunde", "die Hunde sehen Katzen", "x"]
CORPUS = PairList("pairs", [Pair(*pair) for pair in zip(SOURCES, TARGETS, strict=True)] * 5)


def settings(algorithm: Algorithm = Algorithm.bpe, **changes: object) -> TokenizerConfig:
    usual = {"algorithm": algorithm, "size": 330, "sampling": 0.1, "tags": ["<2de>"]}
    return TokenizerConfig(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=[Algorithm.bpe, Algorithm.unigram])
def tokenizers(request: pytest.FixtureRequest) -> Tokenizers:
    return build_tokenizers(settings(request.param), CORPUS)


def rows_of(tokenizers: Tokenizers) -> tuple[list[list[int]], list[list[int]]]:
    return tokenizers.source.encode_all(SOURCES), tokenizers.target.encode_all(TARGETS)


def test_the_text_stays_and_the_tokens_change_with_seed_and_position(tokenizers: Tokenizers) -> None:
    rows = rows_of(tokenizers)
    seen = []
    for seed, place in (
        (1, StreamPosition(0, 1)),
        (1, StreamPosition(0, 2)),
        (1, StreamPosition(1, 1)),
        (2, StreamPosition(0, 1)),
    ):
        sources, targets = SubwordResampler(tokenizers, settings(), seed)(rows, place)
        assert [tokenizers.source.decode(row) for row in sources] == SOURCES
        assert [tokenizers.target.decode(row) for row in targets] == TARGETS
        assert SubwordResampler(tokenizers, settings(), seed)(rows, place) == (sources, targets)
        seen.append((sources, targets))
    assert all(one != other for place, one in enumerate(seen) for other in [rows, *seen[:place]])
    assert rows == rows_of(tokenizers)


def test_resampling_can_be_off_for_the_target_or_both_sides(tokenizers: Tokenizers) -> None:
    rows, place = rows_of(tokenizers), StreamPosition(3, 4)
    sources, targets = SubwordResampler(tokenizers, settings(sample_target=False), 1)(rows, place)
    assert sources != rows[0]
    assert targets == rows[1]
    assert SubwordResampler(tokenizers, settings(sampling=0.0), 1)(rows, place) == rows


def test_a_resumed_stream_has_the_same_segmentations(tokenizers: Tokenizers) -> None:
    lengths = np.array([len(row) for row in rows_of(tokenizers)[0]], dtype=np.int32)
    order = BatchSampler(lengths, lengths, BatchConfig(tokens=30), seed=1)

    def stream(place: StreamPosition) -> list[tuple[object, StreamPosition]]:
        resample = SubwordResampler(tokenizers, settings(), 1)
        sources, targets = rows_of(tokenizers)
        return [
            (resample(([sources[row] for row in rows], [targets[row] for row in rows]), after), after)
            for rows, after in islice(order.stream(place), 9)
        ]

    through = stream(StreamPosition(0, 0))
    assert through[-1][1].epoch >= 2
    assert stream(through[3][1])[:5] == through[4:]


def test_rows_that_do_not_spell_their_text_stay(tokenizers: Tokenizers) -> None:
    row = tokenizers.source.encode("the small dog sees a cat")
    odd = [[*row, UNK, *row], [], row]
    sampler = SubwordSampler(tokenizers.source, 0.3)
    for seed in range(20):
        unknown, empty, usual = resample_rows(sampler, odd, seed)
        assert (unknown, empty) == (odd[0], [])
        assert tokenizers.source.decode(usual) == "the small dog sees a cat"
    assert resample_rows(sampler, [], seed=1) == []


def test_tags_stay_whole_and_lengths_within_bounds(tokenizers: Tokenizers) -> None:
    [tag] = tags = tokenizers.source.ids_of_tags(["<2de>"])
    long, short = ["the small dogs see <2de> the cats"] * 50, ["the"] * 50
    for texts in (long, short):
        rows = tokenizers.source.encode_all(texts)
        for rate in (0.001, 0.9):  # one is a high rate for a unigram model, the other for merges
            cut = resample_rows(SubwordSampler(tokenizers.source, rate, tags), rows, seed=1)
            assert [list(row).count(tag) for row in cut] == [row.count(tag) for row in rows]
            assert max(map(len, cut)) <= MAX_GROWTH * max(map(len, rows))


def test_rows_can_be_arrays_of_a_table(tokenizers: Tokenizers) -> None:
    rows = tokenizers.source.encode_all(SOURCES)
    arrays = [np.array(row, dtype=np.int32) for row in rows]
    sampler = SubwordSampler(tokenizers.source, 0.3)
    cut, again = (resample_rows(sampler, form, seed=5) for form in (rows, arrays))
    assert [list(row) for row in cut] == [list(row) for row in again]


def test_a_tokenizer_that_cannot_be_sampled_is_refused(tokenizers: Tokenizers) -> None:
    words = build_tokenizers(settings(Algorithm.word, sampling=0.0, size=30), CORPUS)
    with pytest.raises(DataError, match=r"set tokenizer\.sampling=0"):
        SubwordResampler(words, settings(), 1)
    with pytest.raises(DataError, match="no token <bt>"):
        SubwordResampler(tokenizers, settings(), 1, ["<bt>"])
    SubwordResampler(words, settings(sampling=0.0), 1)


def test_a_resumed_run_ends_with_the_same_bits(recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted in the middle of an epoch, between two validations."""
    from seq2seq.training.trainer import Trainer

    for name, texts in (("en", SOURCES), ("de", TARGETS)):
        (tmp_path / f"text.{name}").write_text("".join(f"{text}\n" for text in texts))
    sides = [(split, *side) for split in ("train", "validation") for side in (("source", "en"), ("target", "de"))]
    named = [f"data.{split}.{side}={tmp_path / 'text'}.{language}" for split, side, language in sides]
    steps = ["training.updates=8", "training.validate_every=4", "training.log_every=1", "batch.tokens=40"]
    options = [*TINY, *named, *steps, "tokenizer=bpe", "tokenizer.sampling=0.2"]
    whole, parts, plain = tmp_path / "whole", tmp_path / "parts", tmp_path / "plain"
    outcome = recipe("train", f"run={whole}", *options)
    assert outcome.code == 0, outcome.err
    update, stopped = Trainer._update, []

    def stopping(self, *arguments):  # type: ignore[no-untyped-def]
        result = update(self, *arguments)
        if self.progress.update == 5 and not stopped:
            stopped.append(True)
            signal.raise_signal(signal.SIGTERM)
        return result

    monkeypatch.setattr(Trainer, "_update", stopping)
    outcome = recipe("train", f"run={parts}", *options)
    assert outcome.code == 128 + signal.SIGTERM
    assert "stopped at update 5" in outcome.err
    assert recipe("train", f"run={parts}", *options).code == 0
    assert recipe("train", f"run={plain}", *options, "tokenizer.sampling=0").code == 0
    weights = [(run / "model.safetensors").read_bytes() for run in (whole, parts, plain)]
    assert weights[0] == weights[1] != weights[2]


def test_a_resegmented_batch_stays_within_the_documented_size(tokenizers: Tokenizers) -> None:
    sources, targets = (rows * 10 for rows in rows_of(tokenizers))
    lengths = [np.array([len(row) for row in rows], dtype=np.int32) for rows in (sources, targets)]
    config = BatchConfig(tokens=1 + max(len(row) for row in sources + targets))  # the longest pair fills a batch
    resample = SubwordResampler(tokenizers, settings(sampling=0.5, tags=[]), 1)
    filled = []
    for rows, after in islice(BatchSampler(*lengths, config, seed=1).stream(StreamPosition(0, 0)), 60):
        batch = make_batch(*resample(([sources[row] for row in rows], [targets[row] for row in rows]), after))
        filled.append(max(batch.source_BS.numel(), batch.target_BT.numel()) / config.tokens)
    assert 1 < max(filled) <= MAX_GROWTH
    [reported] = [item.metadata["help"] for path, item, _ in walk(config) if path == "tokens"]
    assert f"up to {MAX_GROWTH} times as many with tokenizer.sampling" in reported
