"""Text cut into pieces at random, anew in each epoch: BPE-dropout and subword regularisation, for training alone.

The table keeps one way to cut each sentence, whose pieces spell its text: so it is cut anew when the batch is made, and
there is no second copy of the corpus. What comes out depends on the seed and the batch's place alone, so that a run
that goes on sees what it would have seen.

Kudo 2018, https://aclanthology.org/P18-1007; Provilkov et al. 2020, https://aclanthology.org/2020.acl-main.170
"""

from collections.abc import Sequence

import numpy as np

from seq2seq.data.batch import Ids
from seq2seq.data.batch_sampler import Place
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.subword_sampling import SubwordSampler
from seq2seq.tokenizer.tokenizer import Tokenizers

GROWTH = 3
"""A sentence gets no longer than so many times the longest of its batch: a bound on memory, seldom met.

Batches are put together by the usual pieces, so this is also how much more than `BatchConfig.tokens` one may hold. They
are not put together by the pieces drawn, for these would have to be drawn for a whole epoch before its first batch.
"""

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
        self.seed = seed
        sides = [(tokenizers.source, [*config.tags, *source_tags]), (tokenizers.target, config.tags)]
        self.samplers = [
            SubwordSampler(tokenizer, config.sampling, tokenizer.ids_of_tags(tags))
            for tokenizer, tags in sides[: 2 if config.sample_target else 1]
            if config.sampling
        ]

    def __call__(self, rows: tuple[Rows, Rows], place: Place) -> tuple[Rows, Rows]:
        """Source and target rows, cut anew.

        Args:
            rows: ids of sources and targets, without marks.
            place: where the stream of batches stands after this one.
        """
        cut = list(rows)
        for side, sampler in enumerate(self.samplers):
            seed = int(np.random.SeedSequence([self.seed, *place, side]).generate_state(1)[0])
            cut[side] = resampled(sampler, rows[side], seed)
        return cut[0], cut[1]


def resampled(sampler: SubwordSampler, rows: Rows, seed: int) -> list[list[int]]:
    """Rows of the same text, each cut at random.

    A row stays as it is where its pieces do not spell out its text (an unknown piece), and where the new one would be
    longer than `GROWTH` times the longest row.
    """
    usual = [row.tolist() if isinstance(row, np.ndarray) else list(row) for row in rows]
    longest = GROWTH * max(map(len, usual), default=0)
    return [new if len(new) <= longest else row for row, new in zip(usual, sampler(usual, seed), strict=True)]
