"""The order in which a run trains on its batches."""

from seq2seq.config.recipes import TrainConfig
from seq2seq.data.batch_sampler import BatchSampler, Curriculum, StreamPosition
from seq2seq.data.stream import BatchStream, BothDirections, Rows, SubwordResampler, batch_stream
from seq2seq.pipeline.text import Batches, Texts, batch_sampler
from seq2seq.system.processes import rank, world_size
from seq2seq.training.batch_counts import BatchCounts
from seq2seq.training.progress import Progress


def batch_counts(config: TrainConfig, saved: Progress) -> BatchCounts:
    """How many batches the updates of a run have taken until its saved state, and each one after it takes."""
    count = config.training.accumulate * world_size()
    return saved.batch_counts(count).resumed(saved.update, count)


def training_sampler(config: TrainConfig, batches: Batches, counts: BatchCounts) -> BatchSampler:
    """The sampler of training, which begins with short pairs if that is set."""
    length = config.training.curriculum_updates
    if length == 0:
        return batches.sampler
    curriculum = Curriculum(config.training.curriculum_start, counts.taken(length))
    return batch_sampler(config, batches.table, curriculum)


def training_stream(
    config: TrainConfig, texts: Texts, batches: Batches, sampler: BatchSampler, counts: BatchCounts
) -> BatchStream:
    """The batches of this process: of both directions first, if that is set."""
    tokenizers = batches.tokenizers

    def after(updates: int) -> StreamPosition:
        return sampler.position_after(counts.taken(updates))

    share, updates = config.tokenizer.sampling_until, config.training.bidirectional_updates
    until = after(round(share * config.training.updates)) if share < 1 else None
    resample = SubwordResampler(tokenizers, texts.tokenizer, config.seed, texts.tags, until)
    tags = tokenizers.source.ids_of_tags(texts.tags) if updates else ()
    both = BothDirections(after(updates), config.seed, tags)

    def transform(rows: tuple[Rows, Rows], position: StreamPosition) -> tuple[Rows, Rows]:
        return resample(both(rows, position), position)

    return batch_stream(batches.table, sampler, transform, rank(), world_size())
