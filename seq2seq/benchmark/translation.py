"""Translation: batches, single sentences, loading, cold start and memory, each beside its floor."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from seq2seq.benchmark.arithmetic import Work, step_weights, translation_work
from seq2seq.benchmark.clock import Spread, percentile, seconds, timed
from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.fresh import Fresh, measure_fresh
from seq2seq.benchmark.machine import Machine, reread_rate
from seq2seq.benchmark.workload import Workload, model_folder
from seq2seq.model import ModelConfig
from seq2seq.run.folder import MODEL
from seq2seq.system.device import choose_device
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Translation

BYTES = {"float32": 4, "tf32": 4, "bfloat16": 2, "int8": 1}
"""Of a weight, by precision."""


@dataclass(frozen=True)
class Batched:
    """Many sentences at once."""

    beam: int
    sentences_per_second: Spread
    pieces_per_second: Spread
    """Target pieces, end marks included."""
    floor: float
    """Seconds of a pass."""
    share: float
    """Floor / median measured."""


@dataclass(frozen=True)
class Single:
    """One sentence at a time, in seconds."""

    beam: int
    median: float
    percentile95: float
    floor: float
    """Of the median sentence."""
    share: float
    """Median floor / median measured."""


@dataclass(frozen=True)
class TranslationResult:
    """What was measured of translation."""

    workload: str
    translated: str
    barred: bool
    """Weights are random, the end of sentence is barred and a translation is as long as its source."""
    precision: str
    shortlist: bool
    batched_sentences: int
    batched: list[Batched]
    single_sentences: int
    single: list[Single]
    load_seconds: float
    load_floor: float
    """The weights' file at memory bandwidth."""
    fresh: Fresh
    memory_floor: int
    """Bytes of the weights in this precision."""
    step_bytes: int
    """Of the weights that a search step reads."""
    reread: float
    """Bytes per second at which these are read again and again."""


class TranslationFloor:
    """Floors of one model: its weights come from a cache where they fit in one.

    With a short-list the output layer is left out, for how many pieces of it are needed depends on the sentence
    (``vocabulary`` is 0 then). Where the end of sentence is barred a translation has no end mark.
    """

    def __init__(
        self, model: ModelConfig, vocabulary: int, precision: str, machine: Machine, *, reread: float, barred: bool
    ) -> None:
        self.model, self.vocabulary = model, vocabulary
        self.precision, self.machine, self.reread = precision, machine, reread
        self.end_marks = 0 if barred else 1

    def pieces(self, translation: Translation) -> int:
        """Steps to a translation: its pieces, and the end mark where it has one."""
        return len(translation.pieces) + self.end_marks

    def __call__(self, translations: Sequence[Translation], beam: int) -> float:
        """Seconds that these translations take at least, in one batch."""
        lengths = [(len(one.source_pieces) + 1, self.pieces(one)) for one in translations if one.source_pieces]
        work = translation_work(self.model, self.vocabulary, lengths, beam, BYTES[self.precision])
        return self.machine.floor(work, self.precision, self.reread)


def step_bytes(model: ModelConfig, vocabulary: int, precision: str) -> int:
    """Bytes of the weights that one search step reads."""
    return int(step_weights(model, vocabulary) * BYTES[precision])


def measure_translation(config: BenchmarkConfig, workload: Workload, machine: Machine) -> TranslationResult:
    """Translate the workload's sentences, greedily and with ``search.beam_size``."""
    device, measure = choose_device(config.device), config.measure
    beams = sorted({1, config.search.beam_size})
    many, few = workload.sentences[: measure.batched], workload.sentences[: measure.sentences]
    with model_folder(workload, config) as folder:
        how = (folder, config.device, config.translation_precision, config.shortlist)
        loading = seconds(lambda: Translator.load(*how), device, 1, measure.passes)
        translator = Translator.load(*how)
        precision = translator.members[0].precision
        vocabulary = 0 if config.shortlist else workload.tokenizers.target.size
        size = step_bytes(workload.model, vocabulary, precision)
        reread = reread_rate(device, size, measure)
        floor = TranslationFloor(
            workload.model, vocabulary, precision, machine, reread=reread, barred=workload.folder is None
        )
        file_size = (folder / MODEL).stat().st_size
        parameters = sum(parameter.numel() for parameter in workload.network.parameters())
        return TranslationResult(
            workload=workload.name,
            translated=workload.translated,
            barred=workload.folder is None,
            precision=precision,
            shortlist=config.shortlist,
            batched_sentences=len(many),
            batched=[batched(translator, many, beam, floor, measure.passes) for beam in beams],
            single_sentences=len(few),
            single=[single(translator, few, beam, floor, measure.warmup) for beam in beams],
            load_seconds=median(loading),
            load_floor=machine.floor(Work(0, file_size), precision),
            fresh=measure_fresh(how, many, config.search.beam_size),
            memory_floor=parameters * BYTES[precision],
            step_bytes=size,
            reread=reread,
        )


def batched(
    translator: Translator, sentences: Sequence[str], beam: int, floor: TranslationFloor, passes: int
) -> Batched:
    """Translate all sentences in one call, ``passes`` times."""
    texts = list(sentences)
    found = timed(lambda: translator.translate(texts, beam_size=beam), translator.device, 1, passes)
    pieces = sum(floor.pieces(one) for one in found[0][1])
    least = floor(found[0][1], beam)
    return Batched(
        beam=beam,
        sentences_per_second=Spread.of([len(texts) / took for took, _ in found]),
        pieces_per_second=Spread.of([pieces / took for took, _ in found]),
        floor=least,
        share=least / median(took for took, _ in found),
    )


def single(translator: Translator, sentences: Sequence[str], beam: int, floor: TranslationFloor, warmup: int) -> Single:
    """Translate one sentence after the other, each in a call of its own."""
    for text in sentences[:warmup]:
        translator.translate(text, beam_size=beam)
    took, floors = [], []
    for text in sentences:
        started = time.perf_counter()
        translation = translator.translate(text, beam_size=beam)
        took.append(time.perf_counter() - started)
        floors.append(floor([translation], beam))
    return Single(beam, median(took), percentile(took, 0.95), median(floors), median(floors) / median(took))
