"""Cost as work grows: one factor varied at a time from the matched model, each with the floor beside it.

Ids are random and so are weights; the end of sentence is barred, so that every translation has as many pieces as its
source with its end mark, and the arithmetic is known.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

import torch

from seq2seq.benchmark.arithmetic import Work, counted, training_work
from seq2seq.benchmark.clock import timed
from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.machine import Machine, reread_rate
from seq2seq.benchmark.numerals import numerals, random_batches, random_ids
from seq2seq.benchmark.training import training_precision
from seq2seq.benchmark.translation import TranslationFloor, step_bytes
from seq2seq.benchmark.update import Updater
from seq2seq.benchmark.workload import barred
from seq2seq.inference.member import Member
from seq2seq.model import Direction, ModelConfig, Network
from seq2seq.search import SearchConfig
from seq2seq.system.device import DTYPES, choose_device
from seq2seq.translation.translator import Translator

TRAINING = ("vocabulary", "width", "layers", "tokens")
TRANSLATION = ("beam", "batch", "length")


@dataclass(frozen=True)
class Case:
    """One point: what is trained or translated."""

    model: ModelConfig
    vocabulary: int
    tokens: int
    beam: int
    batch: int
    length: int


@dataclass(frozen=True)
class ScaleRow:
    """What one point cost."""

    task: str
    factor: str
    value: int
    pieces_per_second: float
    seconds: float
    """Of one update, or of translating all sentences of the point."""
    floor: float
    growth: float
    """Seconds over those of the factor's first point."""
    excess: float
    """That growth over the floor's: above 1, time grows faster than the arithmetic does."""


def measure_scale(config: BenchmarkConfig, machine: Machine) -> Iterator[ScaleRow]:
    """Every point of every factor, as it is measured."""
    for task, factors in (("training", TRAINING), ("translation", TRANSLATION)):
        for factor in factors:
            first: tuple[float, float] | None = None
            for value in getattr(config.scale, factor):
                case = varied(base(config), factor, value)
                measure = measure_update if task == "training" else measure_search
                took, floor, pieces = measure(case, config, machine)
                first = first or (took, floor)
                growth = took / first[0]
                excess = growth / (floor / first[1])
                yield ScaleRow(task, factor, value, pieces / took, took, floor, growth, excess)


def base(config: BenchmarkConfig) -> Case:
    """The point from which one factor is varied."""
    return Case(
        model=config.model,
        vocabulary=config.tokenizer.size,
        tokens=config.batch.tokens,
        beam=config.search.beam_size,
        batch=config.scale.sentences,
        length=config.scale.pieces,
    )


def varied(case: Case, factor: str, value: int) -> Case:
    """The same case with one factor set."""
    encoder, decoder = case.model.encoder, case.model.decoder
    if factor == "width":
        share = 2 if encoder.direction is Direction.bidirectional else 1
        encoder, decoder = replace(encoder, size=max(1, value // share)), replace(decoder, size=value)
        return replace(case, model=replace(case.model, encoder=encoder, decoder=decoder))
    if factor == "layers":
        # A stack with fewer layers than residual connections begin at has none.
        encoder = replace(encoder, layers=value, residual_from=reached(encoder.residual_from, value))
        decoder = replace(decoder, layers=value, residual_from=reached(decoder.residual_from, value))
        return replace(case, model=replace(case.model, encoder=encoder, decoder=decoder))
    changes: dict[str, int] = {factor: value}
    return replace(case, **changes)  # type: ignore[arg-type]


def reached(layer: int | None, layers: int) -> int | None:
    """The layer (the lowest is 1) where a stack of these is that high, else None."""
    return layer if layer is not None and layer <= layers else None


def build(case: Case, config: BenchmarkConfig) -> Network:
    """The case's network with random weights."""
    torch.manual_seed(config.seed)
    return Network(case.model, case.vocabulary, case.vocabulary, joint=True)


def measure_update(case: Case, config: BenchmarkConfig, machine: Machine) -> tuple[float, float, float]:
    """Seconds of an update, its floor and its target pieces."""
    device, scale = choose_device(config.device), config.scale
    precision = training_precision(config, device)
    update = Updater(
        build(case, config),
        random_batches(case.tokens, scale.pieces, case.vocabulary, config.seed, device),
        config.optimizer,
        clip=config.clip,
        smoothing=config.loss.label_smoothing,
        precision=precision,
        device=device,
    )
    found = timed(update, device, scale.warmup, scale.repetitions)
    counts = counted(found[0][1])
    logit_bytes = DTYPES.get(precision, torch.float32).itemsize
    work = training_work(case.model, case.vocabulary, case.vocabulary, counts, logit_bytes)
    return median(took for took, _ in found), machine.floor(sum(work.values(), Work()), precision), counts.target


def measure_search(case: Case, config: BenchmarkConfig, machine: Machine) -> tuple[float, float, float]:
    """Seconds of translating the case's sentences, their floor and target pieces, end marks included."""
    device, scale = choose_device(config.device), config.scale
    network = build(case, config)
    network.load_state_dict(barred(network))
    search = SearchConfig(beam_size=case.beam, max_length_ratio=1, max_length_offset=0)
    member = Member.prepare(network.eval(), numerals(case.vocabulary), device, config.translation_precision)
    translator = Translator([member], search)
    ids = random_ids(case.batch, max(1, case.length - 1), case.vocabulary, config.seed)
    texts = [" ".join(map(str, sentence)) for sentence in ids]
    found = timed(lambda: translator.translate(texts), device, scale.warmup, scale.repetitions)
    reread = reread_rate(device, step_bytes(case.model, case.vocabulary, member.precision), config.measure)
    floor = TranslationFloor(case.model, case.vocabulary, member.precision, machine, reread=reread, barred=True)
    return median(took for took, _ in found), floor(found[0][1], case.beam), case.batch * case.length
