"""Text cut into pieces at random, anew in each epoch: BPE-dropout and subword regularisation, for training alone.

The table keeps one way to cut each sentence, and pieces can be put together again: so a batch's text is decoded and
encoded anew when the batch is made, and there is no second copy of the corpus. What comes out depends on the seed and
the batch's place alone, so that a run that goes on sees what it would have seen.

Kudo 2018, https://aclanthology.org/P18-1007; Provilkov et al. 2020, https://aclanthology.org/2020.acl-main.170
"""

from collections.abc import Collection, Sequence

import numpy as np

from seq2seq.data.batch import Ids
from seq2seq.data.order import Place
from seq2seq.text.tokenizer import PAD, Tokenizer, Tokenizers
from seq2seq.text.vocabulary import TokenizerConfig

GROWTH = 3
"""A sentence gets no longer than so many times the longest of its batch: a bound on memory, seldom met."""

Rows = Sequence[Ids]


class Resampler:
    """Cuts the sentences of a batch anew; hands them back as they are where ``tokenizer.sampling`` is 0.

    Args:
        tokenizers: of both sides.
        config: the rate, and whether it holds for the target too.
        seed: of all that is random.
        source_tags: further pieces of the source that are never split, besides the config's.

    Raises:
        DataError: a tokenizer has only one way to cut a text, or lacks a tag.
    """

    def __init__(
        self, tokenizers: Tokenizers, config: TokenizerConfig, seed: int, source_tags: Sequence[str] = ()
    ) -> None:
        self.rate = config.sampling
        self.seed = seed
        sides = [(tokenizers.source, [*config.tags, *source_tags]), (tokenizers.target, config.tags)]
        self.sides = [(tokenizer, tokenizer.ids_of_tags(tags)) for tokenizer, tags in sides] if self.rate else []
        if not config.sample_target:
            self.sides = self.sides[:1]
        for tokenizer, _ in self.sides:
            tokenizer.sample(["a"], self.rate, seed=0)

    def __call__(self, rows: tuple[Rows, Rows], place: Place) -> tuple[Rows, Rows]:
        """Source and target rows, cut anew.

        Args:
            rows: ids of sources and targets, without marks.
            place: where the stream of batches stands after this one.
        """
        cut = list(rows)
        for side, (tokenizer, tags) in enumerate(self.sides):
            seed = int(np.random.SeedSequence([self.seed, *place, side]).generate_state(1)[0])
            cut[side] = resampled(tokenizer, rows[side], self.rate, seed, tags)
        return cut[0], cut[1]


def resampled(tokenizer: Tokenizer, rows: Rows, rate: float, seed: int, tags: Collection[int] = ()) -> list[list[int]]:
    """Rows of the same text, each cut at random.

    A row stays as it is where its pieces do not spell out its text (an unknown piece), and where the new one would
    split a tag or be longer than `GROWTH` times the longest row. ``rate`` and ``seed`` are those of `Tokenizer.sample`.
    """
    usual = [row.tolist() if isinstance(row, np.ndarray) else list(row) for row in rows]
    sampled = tokenizer.sample([tokenizer.decode(row) for row in usual], rate, seed)
    longest = GROWTH * max(map(len, rows), default=0)

    def fits(row: list[int], new: list[int]) -> bool:
        known = min(row, default=PAD) > PAD and min(new, default=PAD) > PAD
        return known and len(new) <= longest and _only(row, tags) == _only(new, tags)

    return [new if fits(row, new) else row for row, new in zip(usual, sampled, strict=True)]


def _only(row: list[int], pieces: Collection[int]) -> list[int]:
    return [piece for piece in row if piece in pieces] if pieces else []
