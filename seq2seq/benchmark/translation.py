"""Translation: batches, single sentences, loading, cold start and memory, each with its floor."""

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from seq2seq.benchmark.arithmetic import Work, step_weights, translation_work
from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.machine import Machine, reread_rate
from seq2seq.benchmark.measurement import Spread, percentile, seconds, timed
from seq2seq.benchmark.workload import Workload, model_folder
from seq2seq.errors import RunError, program
from seq2seq.model import ModelConfig
from seq2seq.run.folder import MODEL
from seq2seq.system.device import choose_device
from seq2seq.system.workers import last_line, python
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Translation

BYTES = {"float32": 4, "tf32": 4, "bfloat16": 2, "int8": 1}
"""Bytes of a weight, by precision."""


PROGRAM = """
import json, sys, time
import torch
def resident(entry):
    try:
        lines = open("/proc/self/status").read().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(entry))
    except OSError:  # not Linux: the maximum so far replaces both entries
        try:
            import resource
        except ImportError:  # Windows
            return 0
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
imported, base = time.time(), resident("VmRSS:")
task = json.load(sys.stdin)
from seq2seq.translation.translator import Translator
translator = Translator.load(*task["load"])
first = translator.translate(task["sentences"][0], beam_size=task["beam"])
translated = time.time()
translator.translate(task["sentences"], beam_size=task["beam"])
print(json.dumps({"imported": imported, "translated": translated, "memory": resident("VmHWM:") - base}))
"""
"""Translates in a new process. Only torch is imported before the memory of importing it is measured."""


@dataclass(frozen=True)
class Fresh:
    """Cold start and memory of a new process."""

    import_seconds: float
    """From the start of the process until torch is imported: the floor of every program that uses torch."""
    cold_start_seconds: float
    """From the start of the process until the first translation."""
    memory_bytes: int
    """Peak resident memory while it loads and translates, beyond that of importing torch."""


def measure_fresh(load: tuple[Path, str, str, bool], sentences: Sequence[str], beam: int) -> Fresh:
    """Start a process that imports torch, loads a model and translates.

    Args:
        load: arguments of `Translator.load`.
        sentences: to translate.
        beam: the beam size.

    Raises:
        RunError: the process failed; the message has the last line that it printed.
    """
    run, *rest = load
    task = json.dumps({"load": [str(run), *rest], "sentences": list(sentences), "beam": beam})
    start = time.time()
    done = subprocess.run(python(PROGRAM), input=task, capture_output=True, text=True)
    if done.returncode:
        last = last_line(done.stderr)
        raise RunError(f"a new process could not translate with {run}: {last}; try {program('translate')} run={run}")
    figures = json.loads(done.stdout.splitlines()[-1])
    return Fresh(figures["imported"] - start, figures["translated"] - start, figures["memory"])


@dataclass(frozen=True)
class Batched:
    """Many sentences in one call."""

    beam: int
    sentences_per_second: Spread
    tokens_per_second: Spread
    """Target tokens with EOS."""
    floor: float
    """Minimum seconds of a pass."""
    share: float
    """Floor / measured median."""


@dataclass(frozen=True)
class Single:
    """One sentence at a time; times in seconds."""

    beam: int
    median: float
    percentile95: float
    floor: float
    """Median of the sentences' floors."""
    share: float
    """Median floor / measured median."""


@dataclass(frozen=True)
class TranslationResult:
    """Measurements of translation."""

    workload: str
    translated: str
    without_eos: bool
    """Whether EOS is excluded, because weights are random; a translation is then as long as its source."""
    precision: str
    shortlist: bool
    batched_sentences: int
    batched: list[Batched]
    single_sentences: int
    single: list[Single]
    load_seconds: float
    load_floor: float
    """Time to read the weights' file at memory bandwidth."""
    fresh: Fresh
    memory_floor: int
    """Bytes of all weights in this precision."""
    step_bytes: int
    """Bytes of the weights that a search step reads."""
    reread: float
    """Bytes per second when these weights are read repeatedly."""


class TranslationFloor:
    """Floors of one model's translations. Its weights come from a cache where they fit in one.

    Args:
        model: the model's sizes.
        vocabulary: size of the target vocabulary; 0 with a lexical shortlist, whose size depends on the sentence. The
            output layer is then not counted.
        precision: of the weights.
        machine: the machine's limits.
        reread: bytes per second of a cache (`reread_rate`).
        without_eos: translations end without EOS (`weights_without_eos`).
    """

    def __init__(
        self, model: ModelConfig, vocabulary: int, precision: str, machine: Machine, *, reread: float, without_eos: bool
    ) -> None:
        self.model, self.vocabulary = model, vocabulary
        self.precision, self.machine, self.reread = precision, machine, reread
        self.eos = 0 if without_eos else 1

    def tokens(self, translation: Translation) -> int:
        """Number of search steps of a translation: its tokens, and EOS where it has one."""
        return len(translation.tokens) + self.eos

    def __call__(self, translations: Sequence[Translation], beam: int) -> float:
        """Minimum seconds of these translations in one batch."""
        lengths = [(len(each.source_tokens) + 1, self.tokens(each)) for each in translations if each.source_tokens]
        work = translation_work(self.model, self.vocabulary, lengths, beam, BYTES[self.precision])
        return self.machine.floor(work, self.precision, self.reread)


def step_bytes(model: ModelConfig, vocabulary: int, precision: str) -> int:
    """Bytes of the weights that one search step reads."""
    return int(step_weights(model, vocabulary) * BYTES[precision])


def measure_translation(config: BenchmarkConfig, workload: Workload, machine: Machine) -> TranslationResult:
    """Translate the workload's sentences by greedy search and by beam search of ``search.beam_size``."""
    device, measure = choose_device(config.device), config.measure
    beams = sorted({1, config.search.beam_size})
    many, few = workload.sentences[: measure.batched], workload.sentences[: measure.sentences]
    with model_folder(workload, config) as folder:
        load = (folder, config.device, config.translation_precision, config.shortlist)
        loading = seconds(lambda: Translator.load(*load), device, 1, measure.passes)
        translator = Translator.load(*load)
        precision = translator.members[0].precision
        vocabulary = 0 if config.shortlist else workload.tokenizers.target.size
        size = step_bytes(workload.model, vocabulary, precision)
        reread = reread_rate(device, size, measure)
        floor = TranslationFloor(
            workload.model, vocabulary, precision, machine, reread=reread, without_eos=workload.folder is None
        )
        file_size = (folder / MODEL).stat().st_size
        parameters = sum(parameter.numel() for parameter in workload.network.parameters())
        return TranslationResult(
            workload=workload.name,
            translated=workload.translated,
            without_eos=workload.folder is None,
            precision=precision,
            shortlist=config.shortlist,
            batched_sentences=len(many),
            batched=[measure_batched(translator, many, beam, floor, measure.passes) for beam in beams],
            single_sentences=len(few),
            single=[measure_single(translator, few, beam, floor, measure.warmup) for beam in beams],
            load_seconds=median(loading),
            load_floor=machine.floor(Work(0, file_size), precision),
            fresh=measure_fresh(load, many, config.search.beam_size),
            memory_floor=parameters * BYTES[precision],
            step_bytes=size,
            reread=reread,
        )


def measure_batched(
    translator: Translator, sentences: Sequence[str], beam: int, floor: TranslationFloor, passes: int
) -> Batched:
    """Measure ``passes`` calls that translate all sentences."""
    texts = list(sentences)
    measured = timed(lambda: translator.translate(texts, beam_size=beam), translator.device, 1, passes)
    translations = measured[0][1]
    tokens = sum(map(floor.tokens, translations))
    minimum = floor(translations, beam)
    return Batched(
        beam=beam,
        sentences_per_second=Spread.of([len(texts) / took for took, _ in measured]),
        tokens_per_second=Spread.of([tokens / took for took, _ in measured]),
        floor=minimum,
        share=minimum / median(took for took, _ in measured),
    )


def measure_single(
    translator: Translator, sentences: Sequence[str], beam: int, floor: TranslationFloor, warmup: int
) -> Single:
    """Measure one call per sentence."""
    for text in sentences[:warmup]:
        translator.translate(text, beam_size=beam)
    took, floors = [], []
    for text in sentences:
        start = time.perf_counter()
        translation = translator.translate(text, beam_size=beam)
        took.append(time.perf_counter() - start)
        floors.append(floor([translation], beam))
    return Single(beam, median(took), percentile(took, 0.95), median(floors), median(floors) / median(took))
