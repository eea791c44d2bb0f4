"""Tables of a benchmark's figures, and the same figures as JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq.benchmark.machine import Machine
from seq2seq.benchmark.measurement import Spread
from seq2seq.benchmark.preparation import STEPS, PreparationRow
from seq2seq.benchmark.serving import Serving
from seq2seq.benchmark.training import Training
from seq2seq.benchmark.translation import TranslationResult
from seq2seq.errors import counted
from seq2seq.report.aligned import aligned
from seq2seq.settings import plain_value
from seq2seq.system.atomic import atomic_write


def rate(spread: Spread) -> str:
    """Median and range of a number per second."""
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


def training_table(training: Training) -> str:
    """Speed, floor and profile of an update."""
    took = training.seconds_per_update
    rows = [
        ("target tokens/s", rate(training.tokens_per_second)),
        ("update", f"{took.median * 1e3:,.1f} ms for {training.tokens_per_update:,.0f} target tokens"),
        (
            "floor",
            f"{training.arithmetic_seconds * 1e3:,.1f} ms of products ({training.operations / 1e9:,.1f} GFLOP), "
            f"{training.memory_seconds * 1e3:,.1f} ms of memory",
        ),
        ("share of the floor", f"{training.share_of_floor:.1%}"),
        ("peak memory", f"{training.peak_bytes / 1e6:,.0f} MB"),
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
        for row in training.profile
    ]
    total = sum(row.seconds for row in training.profile)
    profile.append(("profiled update", f"{total * 1e3:,.1f}", "100.0%", "", ""))
    return (
        f"training: {training.workload}; {training.parameters:,} parameters, {training.precision}\n"
        f"{aligned(rows, texts=(0, 1))}\n\n{aligned(profile)}"
    )


def precisions_table(measured: Sequence[Training]) -> str:
    """One line per precision."""
    rows = [("precision", "target tokens/s", "update ms", "share of the floor", "peak MB")]
    rows += [
        (
            row.precision,
            rate(row.tokens_per_second),
            f"{row.seconds_per_update.median * 1e3:,.1f}",
            f"{row.share_of_floor:.1%}",
            f"{row.peak_bytes / 1e6:,.0f}",
        )
        for row in measured
    ]
    return f"training by precision\n{aligned(rows)}"


def translation_table(result: TranslationResult) -> str:
    """Speed, latency, loading and memory of translation."""
    precision = f"{result.precision}{', shortlist' if result.shortlist else ''}"
    title = f"translation: {result.workload}; sentences of {result.translated}; {precision}"
    if result.without_eos:
        title += "; EOS excluded, so translations are as long as their sources"
    many = [(f"{result.batched_sentences} in batches", "sentences/s", "target tokens/s", "floor s", "floor / measured")]
    many += [
        (
            search_name(row.beam),
            rate(row.sentences_per_second),
            rate(row.tokens_per_second),
            f"{row.floor:,.2f}",
            f"{row.share:.1%}",
        )
        for row in result.batched
    ]
    single = [
        (f"{result.single_sentences} one by one", "median ms", "95th percentile ms", "floor ms", "floor / measured")
    ]
    single += [
        (
            search_name(row.beam),
            f"{row.median * 1e3:,.2f}",
            f"{row.percentile95 * 1e3:,.2f}",
            f"{row.floor * 1e3:,.2f}",
            f"{row.share:.1%}",
        )
        for row in result.single
    ]
    fresh = result.fresh
    rows = [
        (
            "loading",
            f"{result.load_seconds:,.3f} s; floor (the file at memory bandwidth) {result.load_floor:,.3f} s",
        ),
        (
            "cold start",
            f"{fresh.cold_start_seconds:,.2f} s to the first translation; floor (importing torch) "
            f"{fresh.import_seconds:,.2f} s",
        ),
        ("weights of a step", f"{result.step_bytes / 1e6:,.1f} MB, read again at {result.reread / 1e9:,.1f} GB/s"),
        (
            "peak memory",
            f"{fresh.memory_bytes / 1e6:,.0f} MB beyond importing torch; floor (the weights) "
            f"{result.memory_floor / 1e6:,.0f} MB",
        ),
    ]
    return f"{title}\n{aligned(many)}\n\n{aligned(single)}\n\n{aligned(rows, texts=(0, 1))}"


def search_name(beam: int) -> str:
    """Name of the search with a beam of this size."""
    return "greedy" if beam == 1 else f"beam {beam}"


def preparation_table(sizes: Sequence[PreparationRow]) -> str:
    """One column per corpus size."""
    rows = [
        ("pairs", [f"{row.pairs:,}" for row in sizes]),
        ("generating the text, s", [f"{row.drawing_seconds:,.1f}" for row in sizes]),
        ("  CPU time per pair, µs", [f"{row.drawing_microseconds:,.1f}" for row in sizes]),
        ("learning the vocabulary, s", [f"{row.vocabulary_seconds:,.1f}" for row in sizes]),
        ("encoding, s", [f"{row.encoding_seconds:,.1f}" for row in sizes]),
        ("  CPU time per pair, µs", [f"{row.encoding_microseconds:,.1f}" for row in sizes]),
        ("on disk, MB", [f"{row.disk_bytes / 1e6:,.1f}" for row in sizes]),
        ("first batch of prepared data, s", [f"{row.first_batch_seconds:,.2f}" for row in sizes]),
        ("ordering an epoch, s", [f"{row.epoch_seconds:,.2f}" for row in sizes]),
        ("first batch from mid-epoch, s", [f"{row.resumed_seconds:,.2f}" for row in sizes]),
        ("a batch, ms", [f"{row.batch_seconds * 1e3:,.2f}" for row in sizes]),
    ]
    for name in ("address_space", "memory"):
        rows += [
            (f"{name.replace('_', ' ')}, MiB: {step}", [f"{getattr(row, name)[step] / 2**20:,.0f}" for row in sizes])
            for step in STEPS
        ]
    title = "preparation: the built-in corpus; address space without imports, resident memory with imports"
    return f"{title}\n{aligned([(name, *cells) for name, cells in rows])}"


def serving_table(serving: Serving) -> str:
    """Throughput, latency and errors."""
    rows = [
        ("sentences/s", f"{serving.sentences_per_second:,.1f}"),
        ("answer, median ms", f"{serving.median * 1e3:,.0f}"),
        ("answer, 95th percentile, ms", f"{serving.percentile95 * 1e3:,.0f}"),
        ("answer, 99th percentile, ms", f"{serving.percentile99 * 1e3:,.0f}"),
        ("lost", f"{serving.lost}{f' ({serving.reason})' if serving.lost else ''}"),
        ("answers to other requests", f"{serving.crossed}"),
        ("different from one by one", f"{serving.different}"),
    ]
    clients, requests = counted(serving.clients, "concurrent client"), counted(serving.requests, "request")
    title = f"serving: {clients}, {requests} of one sentence each"
    return f"{title}\n{aligned(rows, texts=(0, 1))}"


def write_report(path: Path, sections: dict[str, Any]) -> None:
    """Write all figures and settings as JSON, atomically."""
    with atomic_write(path) as temporary:
        text = json.dumps(plain_value(sections), indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
