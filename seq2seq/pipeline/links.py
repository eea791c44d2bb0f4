"""The lexicon of a run, for its shortlist and for the links of guided attention."""

from pathlib import Path

import torch

from seq2seq.config.recipes import TrainConfig
from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.data.ibm_model1 import Bitext, Change, Lexicon, learn_lexicon
from seq2seq.data.stream import Rows, SubwordResampler, without_tags
from seq2seq.model import AttentionKind
from seq2seq.pipeline.text import Batches, Texts
from seq2seq.run.vocabulary import learn_shortlist
from seq2seq.system.processes import is_first
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.training.guided_attention import Links


def lexicon(config: TrainConfig, batches: Batches, change: Change = lambda rows: rows) -> tuple[Bitext, Lexicon]:
    """The translation probabilities of tokens, learned from the training pairs after a change of them."""
    sizes = batches.tokenizers.source.size, batches.tokenizers.target.size
    return learn_lexicon(batches.table, *sizes, config.shortlist.pairs, config.seed, change)


def _as_trained(config: TrainConfig, texts: Texts, tokenizers: Tokenizers) -> Change:
    """The change of pairs to those that training reads: in both directions, and segmented at random."""
    resample = SubwordResampler(tokenizers, texts.tokenizer, config.seed, texts.tags)
    tags = tokenizers.source.ids_of_tags(texts.tags)

    def change(rows: tuple[Rows, Rows]) -> tuple[Rows, Rows]:
        sources, targets = rows
        if config.training.bidirectional_updates:
            sources, targets = [*sources, *targets], [*targets, *(without_tags(row, tags) for row in sources)]
        return resample((sources, targets), StreamPosition(0, 0))

    return change


def guiding_links(
    config: TrainConfig, folder: Path, texts: Texts, batches: Batches, device: torch.device
) -> Links | None:
    """The links of guided attention; None without it. The shortlist has the same lexicon, and is saved here too.

    The shortlist is for text as it is translated, so reversed and resegmented pairs need a lexicon of their own.
    """
    if config.loss.guided_attention == 0 or config.model.attention is AttentionKind.none:
        return None
    learned, tokenizers = lexicon(config, batches), batches.tokenizers
    if is_first():
        learn_shortlist(folder, config.shortlist, learned, tokenizers)
    if config.training.bidirectional_updates or config.tokenizer.sampling:
        learned = lexicon(config, batches, _as_trained(config, texts, tokenizers))
    return Links(learned[1], tokenizers.source.size, tokenizers.target.size, device)
