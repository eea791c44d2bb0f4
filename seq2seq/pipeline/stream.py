"""The order in which a run trains on its batches."""

from seq2seq.config.recipes import TrainConfig
from seq2seq.data.batch_sampler import BatchSampler, Curriculum, StreamPosition
from seq2seq.data.stream import BatchStream, BothDirections, Rows, SubwordResampler, batch_stream
from seq2seq.pipeline.text import Batches, Texts, batch_sampler
from seq2seq.system.processes import rank, world_size


def training_sampler(config: TrainConfig, batches: Batches) -> BatchSampler:
    """The sampler of training, which begins with short pairs if that is set."""
    length = config.training.curriculum_updates
    if length == 0:
        return batches.sampler
    curriculum = Curriculum(config.training.curriculum_start, batches_of(config, length))
    return batch_sampler(config, batches.table, curriculum)


def training_stream(config: TrainConfig, texts: Texts, batches: Batches, sampler: BatchSampler) -> BatchStream:
    """The batches of this process: of both directions first, if that is set."""
    tokenizers = batches.tokenizers

    def after(updates: int) -> StreamPosition:
        return sampler.position_after(batches_of(config, updates))

    share, updates = config.tokenizer.sampling_until, config.training.bidirectional_updates
    until = after(round(share * config.training.updates)) if share < 1 else None
    resample = SubwordResampler(tokenizers, texts.tokenizer, config.seed, texts.tags, until)
    tags = tokenizers.source.ids_of_tags(texts.tags) if updates else ()
    both = BothDirections(after(updates), config.seed, tags)

    def transform(rows: tuple[Rows, Rows], position: StreamPosition) -> tuple[Rows, Rows]:
        return resample(both(rows, position), position)

    return batch_stream(batches.table, sampler, transform, rank(), world_size())


def batches_of(config: TrainConfig, updates: int) -> int:
    """Number of batches that all processes together take for some updates."""
    return updates * config.training.accumulate * world_size()
