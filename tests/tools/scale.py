"""Cost as sizes grow: one factor at a time, starting from the configured model, each with its floor.

    python -m tests.tools.scale scale.layers=[1,2] scale.width=[]

Ids and weights are random. EOS is excluded, so each translation has as many tokens as its source with EOS, and its
arithmetic can be counted. ``scale.png`` shows each factor's measured seconds and floor.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from seq2seq.benchmark.arithmetic import Work, count_tokens, training_work
from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.machine import Machine, reread_rate
from seq2seq.benchmark.measurement import timed
from seq2seq.benchmark.training import training_precision
from seq2seq.benchmark.translation import TranslationFloor, step_bytes
from seq2seq.benchmark.update import Updater
from seq2seq.benchmark.workload import weights_without_eos
from seq2seq.errors import ConfigError
from seq2seq.inference.member import Member
from seq2seq.model import Direction, ModelConfig, Network
from seq2seq.report.aligned import aligned
from seq2seq.search import SearchConfig
from seq2seq.settings import Settings, setting
from seq2seq.system.atomic import atomic_write
from seq2seq.system.device import DTYPES, choose_device
from seq2seq.translation.translator import Translator
from tests.tools.random_text import id_tokenizers, random_batches, random_ids
from tests.tools.settings import run_tool

TRAINING = ("vocabulary", "width", "layers", "tokens")
TRANSLATION = ("beam", "batch", "length")


@dataclass(kw_only=True)
class ScaleConfig(Settings):
    """Values of each factor; the other factors keep their base value."""

    vocabulary: list[int] = setting(help="training: target vocabulary", factory=lambda: [8000, 32000])
    width: list[int] = setting(
        help="training: units of the decoder, and of the encoder's directions together",
        factory=lambda: [256, 512, 1024],
    )
    layers: list[int] = setting(help="training: layers of encoder and decoder", factory=lambda: [1, 2, 4, 8])
    tokens: list[int] = setting(help="training: target tokens per batch", factory=lambda: [1024, 4096, 8192])
    beam: list[int] = setting(help="translation: beam size", factory=lambda: [1, 2, 4, 8, 16])
    batch: list[int] = setting(help="translation: sentences per batch", factory=lambda: [1, 4, 16, 64, 256])
    length: list[int] = setting(help="translation: tokens per sentence", factory=lambda: [10, 25, 50, 100, 200])
    base_length: int = setting(25, "tokens per sentence where length is not varied", at_least=1)
    base_batch: int = setting(16, "sentences per batch where batch is not varied", at_least=1)
    warmup: int = setting(1, "repetitions before measurement starts", at_least=0)
    repetitions: int = setting(3, "measured repetitions; the median is reported", at_least=1)

    def check(self) -> None:
        """Check that every value of a factor is at least 1.

        Raises:
            ConfigError: names the factor and its smallest value.
        """
        for name in (*TRAINING, *TRANSLATION):
            if any(value < 1 for value in getattr(self, name)):
                raise ConfigError(f"scale.{name} must hold numbers of at least 1, got {min(getattr(self, name))}")


@dataclass(frozen=True)
class Case:
    """One point: the model and the data that are trained or translated."""

    model: ModelConfig
    vocabulary: int
    tokens: int
    beam: int
    batch: int
    length: int


@dataclass(frozen=True)
class ScaleRow:
    """Cost of one point."""

    task: str
    factor: str
    value: int
    tokens_per_second: float
    seconds: float
    """Time of one update, or of translating all sentences of the point."""
    floor: float
    growth: float
    """Seconds relative to those of the factor's first point."""
    excess: float
    """Growth relative to that of the floor: above 1, time grows faster than the counted work."""


def measure_scale(scale: ScaleConfig, config: BenchmarkConfig, machine: Machine) -> Iterator[ScaleRow]:
    """Measure every point of every factor."""
    for task, factors in (("training", TRAINING), ("translation", TRANSLATION)):
        for factor in factors:
            first: tuple[float, float] | None = None
            for value in getattr(scale, factor):
                case = varied(base(scale, config), factor, value)
                measure_case = measure_update if task == "training" else measure_search
                took, floor, tokens = measure_case(case, scale, config, machine)
                first = first or (took, floor)
                growth = took / first[0]
                excess = growth / (floor / first[1])
                yield ScaleRow(task, factor, value, tokens / took, took, floor, growth, excess)


def base(scale: ScaleConfig, config: BenchmarkConfig) -> Case:
    """The point whose factors are varied."""
    return Case(
        model=config.model,
        vocabulary=config.tokenizer.size,
        tokens=config.batch.tokens,
        beam=config.search.beam_size,
        batch=scale.base_batch,
        length=scale.base_length,
    )


def varied(case: Case, factor: str, value: int) -> Case:
    """The case with one factor changed."""
    encoder, decoder = case.model.encoder, case.model.decoder
    if factor == "width":
        share = 2 if encoder.direction is Direction.bidirectional else 1
        encoder, decoder = replace(encoder, size=max(1, value // share)), replace(decoder, size=value)
        return replace(case, model=replace(case.model, encoder=encoder, decoder=decoder))
    if factor == "layers":
        # A stack too shallow for its first residual connection has none.
        encoder = replace(encoder, layers=value, residual_from=layer_within(encoder.residual_from, value))
        decoder = replace(decoder, layers=value, residual_from=layer_within(decoder.residual_from, value))
        return replace(case, model=replace(case.model, encoder=encoder, decoder=decoder))
    changes: dict[str, int] = {factor: value}
    return replace(case, **changes)  # type: ignore[arg-type]


def layer_within(layer: int | None, layers: int) -> int | None:
    """The layer (from 1) if a stack of so many layers has it, else None."""
    return layer if layer is not None and layer <= layers else None


def build(case: Case, config: BenchmarkConfig) -> Network:
    """The case's network with random weights."""
    torch.manual_seed(config.seed)
    return Network(case.model, case.vocabulary, case.vocabulary, joint=True)


def measure_update(
    case: Case, scale: ScaleConfig, config: BenchmarkConfig, machine: Machine
) -> tuple[float, float, float]:
    """Seconds of an update, its floor and its target tokens."""
    device = choose_device(config.device)
    precision = training_precision(config, device)
    update = Updater(
        build(case, config),
        random_batches(case.tokens, scale.base_length, case.vocabulary, config.seed, device),
        config.optimizer,
        clip=config.clip,
        smoothing=config.loss.label_smoothing,
        precision=precision,
        device=device,
    )
    measured = timed(update, device, scale.warmup, scale.repetitions)
    counts = count_tokens(measured[0][1])
    logit_bytes = DTYPES.get(precision, torch.float32).itemsize
    work = training_work(case.model, case.vocabulary, case.vocabulary, counts, logit_bytes)
    return median(took for took, _ in measured), machine.floor(sum(work.values(), Work()), precision), counts.target


def measure_search(
    case: Case, scale: ScaleConfig, config: BenchmarkConfig, machine: Machine
) -> tuple[float, float, float]:
    """Seconds of translating the case's sentences, their floor and target tokens with EOS."""
    device = choose_device(config.device)
    network = build(case, config)
    network.load_state_dict(weights_without_eos(network))
    search = SearchConfig(beam_size=case.beam, max_length_ratio=1, max_length_offset=0)
    member = Member.prepare(network.eval(), id_tokenizers(case.vocabulary), device, config.translation_precision)
    translator = Translator([member], search)
    ids = random_ids(case.batch, max(1, case.length - 1), case.vocabulary, config.seed)
    texts = [" ".join(map(str, sentence)) for sentence in ids]
    measured = timed(lambda: translator.translate(texts), device, scale.warmup, scale.repetitions)
    reread = reread_rate(device, step_bytes(case.model, case.vocabulary, member.precision), config.measure)
    floor = TranslationFloor(case.model, case.vocabulary, member.precision, machine, reread=reread, without_eos=True)
    return median(took for took, _ in measured), floor(measured[0][1], case.beam), case.batch * case.length


def scale_table(points: Sequence[ScaleRow]) -> str:
    """One line per point."""
    rows = [("task", "factor", "value", "tokens/s", "seconds", "floor s", "floor / measured", "growth", "÷ floor's")]
    rows += [
        (
            row.task,
            row.factor,
            f"{row.value:,}",
            f"{row.tokens_per_second:,.0f}",
            f"{row.seconds:,.4f}",
            f"{row.floor:,.4f}",
            f"{row.floor / row.seconds:.1%}",
            f"{row.growth:,.2f}",
            f"{row.excess:,.2f}",
        )
        for row in points
    ]
    return f"scale: random ids and weights, EOS excluded\n{aligned(rows)}"


def draw_scale(rows: Sequence[ScaleRow], path: Path) -> Figure:
    """Draw one small plot per factor, measured seconds and floor on logarithmic axes, and save it as PNG."""
    factors = list(dict.fromkeys((row.task, row.factor) for row in rows))
    columns = min(4, len(factors))
    lines = -(-len(factors) // columns)
    figure = Figure(figsize=(3 * columns, 2.8 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (task, factor) in enumerate(factors, 1):
        points = [row for row in rows if (row.task, row.factor) == (task, factor)]
        values = [row.value for row in points]
        axes = figure.add_subplot(lines, columns, number)
        axes.loglog(values, [row.seconds for row in points], "o-", color="tab:blue", label="measured")
        axes.loglog(values, [row.floor for row in points], "s--", color="tab:gray", label="floor")
        axes.set_title(f"{task}: {factor}", fontsize="medium")
        axes.set(ylabel="seconds" if (number - 1) % columns == 0 else "")
        axes.set_xticks(values, [f"{value:,}" for value in values], minor=False)
        axes.set_xticks([], minor=True)
    figure.axes[0].legend()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    return figure


def measure(scale: ScaleConfig, config: BenchmarkConfig, machine: Machine) -> tuple[list[ScaleRow], str]:
    """Figures and table of all points, which are also drawn."""
    scale.check()
    rows = list(measure_scale(scale, config, machine))
    draw_scale(rows, Path(config.output).expanduser() / "scale.png")
    return rows, scale_table(rows)


def main() -> None:
    """Run the tool."""
    run_tool("scale", ScaleConfig, measure, __doc__ or "")


if __name__ == "__main__":
    main()
