"""The figures as aligned text, and as JSON beside it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from seq2seq.benchmark.against import Round
from seq2seq.benchmark.ceiling import CeilingRow
from seq2seq.benchmark.clock import Spread
from seq2seq.benchmark.limited import STEPS
from seq2seq.benchmark.machine import Machine
from seq2seq.benchmark.preparation import PreparationRow
from seq2seq.benchmark.scale import ScaleRow
from seq2seq.benchmark.serving import Serving
from seq2seq.benchmark.threads import ThreadsRow
from seq2seq.benchmark.training import Training
from seq2seq.benchmark.translation import TranslationResult
from seq2seq.report.aligned import aligned
from seq2seq.system.atomic import atomic_write


def rate(spread: Spread) -> str:
    """Median and range of something per second."""
    digits = 0 if spread.median >= 100 else 1
    return f"{spread.median:,.{digits}f} ({spread.least:,.{digits}f}–{spread.most:,.{digits}f})"


def machine_table(machine: Machine) -> str:
    """The machine and its limits."""
    rates = ", ".join(f"{name} {value / 1e9:,.0f}" for name, value in machine.operations.items())
    rows = [
        ("device", f"{machine.device}, {machine.name}"),
        ("cores, threads", f"{machine.cores}, {machine.threads}"),
        ("torch, Python", f"{machine.torch}, {machine.python}"),
        ("kernels", machine.kernels),
        ("matrix product", f"{rates} GFLOP/s"),
        ("memory", f"{machine.bandwidth / 1e9:,.1f} GB/s, read and written"),
    ]
    return f"machine\n{aligned(rows, texts=(0, 1))}"


def threads_table(rows: Sequence[ThreadsRow]) -> str:
    """Training speed by number of threads, and by what they do while they wait."""
    lines = [("threads", "while waiting", "target pieces/s")]
    lines += [(str(row.threads), row.policy, f"{row.pieces_per_second:,.0f}") for row in rows]
    return f"training by threads\n{aligned(lines, texts=(1,))}"


def training_table(found: Training) -> str:
    """Speed, floor and profile of an update."""
    took = found.seconds_per_update
    rows = [
        ("target pieces/s", rate(found.pieces_per_second)),
        ("update", f"{took.median * 1e3:,.1f} ms for {found.pieces_per_update:,.0f} target pieces"),
        (
            "floor",
            f"{found.arithmetic_seconds * 1e3:,.1f} ms of products ({found.operations / 1e9:,.1f} GFLOP), "
            f"{found.memory_seconds * 1e3:,.1f} ms of memory",
        ),
        ("share of the floor", f"{found.share_of_floor:.1%}"),
        ("peak memory", f"{found.peak_bytes / 1e6:,.0f} MB"),
    ]
    profile = [("part", "ms", "share", "floor ms", "floor / measured")]
    profile += [
        (
            row.part,
            f"{row.seconds * 1e3:,.1f}",
            f"{row.share:.1%}",
            f"{row.floor * 1e3:,.1f}" if row.floor else "",
            f"{row.floor / row.seconds:.0%}" if row.floor and row.seconds > 0 else "",
        )
        for row in found.profile
    ]
    total = sum(row.seconds for row in found.profile)
    profile.append(("profiled update", f"{total * 1e3:,.1f}", "100.0%", "", ""))
    return (
        f"training: {found.workload}; {found.parameters:,} parameters, {found.precision}\n"
        f"{aligned(rows, texts=(0, 1))}\n\n{aligned(profile)}"
    )


def precisions_table(found: Sequence[Training]) -> str:
    """A line for each precision."""
    rows = [("precision", "target pieces/s", "update ms", "share of the floor", "peak MB")]
    rows += [
        (
            row.precision,
            rate(row.pieces_per_second),
            f"{row.seconds_per_update.median * 1e3:,.1f}",
            f"{row.share_of_floor:.1%}",
            f"{row.peak_bytes / 1e6:,.0f}",
        )
        for row in found
    ]
    return f"training by precision\n{aligned(rows)}"


def translation_table(found: TranslationResult) -> str:
    """Speed, latency, loading and memory."""
    how = f"{found.precision}{', short-list' if found.shortlist else ''}"
    title = f"translation: {found.workload}; sentences of {found.translated}; {how}"
    if found.barred:
        title += "; end of sentence barred, as many pieces out as in"
    many = [(f"{found.batched_sentences} in batches", "sentences/s", "target pieces/s", "floor s", "floor / measured")]
    many += [
        (
            search_name(row.beam),
            rate(row.sentences_per_second),
            rate(row.pieces_per_second),
            f"{row.floor:,.2f}",
            f"{row.share:.1%}",
        )
        for row in found.batched
    ]
    single = [
        (f"{found.single_sentences} one by one", "median ms", "95th percentile ms", "floor ms", "floor / measured")
    ]
    single += [
        (
            search_name(row.beam),
            f"{row.median * 1e3:,.2f}",
            f"{row.percentile95 * 1e3:,.2f}",
            f"{row.floor * 1e3:,.2f}",
            f"{row.share:.1%}",
        )
        for row in found.single
    ]
    fresh = found.fresh
    rows = [
        ("loading", f"{found.load_seconds:,.3f} s; its floor, the file at memory bandwidth, {found.load_floor:,.3f} s"),
        (
            "cold start",
            f"{fresh.cold_start_seconds:,.2f} s to the first translation; its floor, importing torch, "
            f"{fresh.import_seconds:,.2f} s",
        ),
        ("weights of a step", f"{found.step_bytes / 1e6:,.1f} MB, read again at {found.reread / 1e9:,.1f} GB/s"),
        (
            "peak memory",
            f"{fresh.memory_bytes / 1e6:,.0f} MB beyond importing torch; its floor, the weights, "
            f"{found.memory_floor / 1e6:,.0f} MB",
        ),
    ]
    return f"{title}\n{aligned(many)}\n\n{aligned(single)}\n\n{aligned(rows, texts=(0, 1))}"


def search_name(beam: int) -> str:
    """What a beam of this size is called."""
    return "greedy" if beam == 1 else f"beam {beam}"


def scale_table(found: Sequence[ScaleRow]) -> str:
    """A line for each point."""
    rows = [("task", "factor", "value", "pieces/s", "seconds", "floor s", "floor / measured", "growth", "÷ floor's")]
    rows += [
        (
            row.task,
            row.factor,
            f"{row.value:,}",
            f"{row.pieces_per_second:,.0f}",
            f"{row.seconds:,.4f}",
            f"{row.floor:,.4f}",
            f"{row.floor / row.seconds:.1%}",
            f"{row.growth:,.2f}",
            f"{row.excess:,.2f}",
        )
        for row in found
    ]
    return f"scale: random ids and weights, end of sentence barred\n{aligned(rows)}"


def ceiling_table(found: Sequence[CeilingRow]) -> str:
    """A line for each size."""
    rows = [("size", "parameters", "target pieces/s", "bare loop's", "of the bare loop", "of the product rate")]
    rows += [
        (
            row.size,
            f"{row.parameters:,}",
            f"{row.pieces_per_second:,.0f}",
            f"{row.bare_pieces_per_second:,.0f}",
            f"{row.share_of_bare:.0%}",
            f"{row.share_of_products:.1%}",
        )
        for row in found
    ]
    return f"ceiling: updates against a bare loop of fused LSTMs, output layer and cross entropy\n{aligned(rows)}"


def preparation_table(found: Sequence[PreparationRow]) -> str:
    """A column for each size."""
    rows = [
        ("pairs", [f"{row.pairs:,}" for row in found]),
        ("drawing the text, s", [f"{row.drawing_seconds:,.1f}" for row in found]),
        ("  processor time a pair, µs", [f"{row.drawing_microseconds:,.1f}" for row in found]),
        ("learning the vocabulary, s", [f"{row.vocabulary_seconds:,.1f}" for row in found]),
        ("encoding, s", [f"{row.encoding_seconds:,.1f}" for row in found]),
        ("  processor time a pair, µs", [f"{row.encoding_microseconds:,.1f}" for row in found]),
        ("on disk, MB", [f"{row.disk_bytes / 1e6:,.1f}" for row in found]),
        ("first batch once prepared, s", [f"{row.first_batch_seconds:,.2f}" for row in found]),
        ("ordering an epoch, s", [f"{row.epoch_seconds:,.2f}" for row in found]),
        ("first batch from its middle, s", [f"{row.resumed_seconds:,.2f}" for row in found]),
        ("a batch, ms", [f"{row.batch_seconds * 1e3:,.2f}" for row in found]),
    ]
    for name in ("address_space", "memory"):
        rows += [
            (f"{name.replace('_', ' ')}, MiB: {step}", [f"{getattr(row, name)[step] / 2**20:,.0f}" for row in found])
            for step in STEPS
        ]
    title = "preparation: the built-in corpus; address space beyond imports, resident memory with them"
    return f"{title}\n{aligned([(name, *cells) for name, cells in rows])}"


def serving_table(found: Serving) -> str:
    """What the clients got."""
    rows = [
        ("sentences/s", f"{found.sentences_per_second:,.1f}"),
        ("answer, median ms", f"{found.median * 1e3:,.0f}"),
        ("answer, 95th percentile, ms", f"{found.percentile95 * 1e3:,.0f}"),
        ("answer, 99th percentile, ms", f"{found.percentile99 * 1e3:,.0f}"),
        ("lost", f"{found.lost}{f' ({found.reason})' if found.lost else ''}"),
        ("crossed", f"{found.crossed}"),
        ("other than one by one", f"{found.different}"),
    ]
    title = f"serving: {found.clients} clients at once, {found.questions:,} questions of a sentence each"
    return f"{title}\n{aligned(rows, texts=(0, 1))}"


def against_table(found: Sequence[Round], medians: float) -> str:
    """A line for each pair."""
    rows = [("pair", "ours", "theirs", "times better")]
    rows += [(f"{n}", f"{one.ours:,.6g}", f"{one.theirs:,.6g}", f"{one.ratio:,.2f}") for n, one in enumerate(found, 1)]
    rows.append(("medians", "", "", f"{medians:,.2f}"))
    return f"against\n{aligned(rows)}"


def write_report(path: Path, sections: dict[str, Any]) -> None:
    """All figures and settings as JSON, whole or not at all."""
    with atomic_write(path) as temporary:
        text = json.dumps({name: plain(section) for name, section in sections.items()}, indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def plain(section: Any) -> Any:
    """Dataclasses as mappings, wherever they stand in lists."""
    if isinstance(section, list):
        return [plain(one) for one in section]
    return asdict(section) if is_dataclass(section) and not isinstance(section, type) else section
