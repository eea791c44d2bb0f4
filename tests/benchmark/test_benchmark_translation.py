"""Translation is measured in batches and one by one; the floor follows from lengths."""

import pytest
from benchmarks import SLOW_MACHINE, small_benchmark

from seq2seq.benchmark.arithmetic import translation_work
from seq2seq.benchmark.fresh import Fresh
from seq2seq.benchmark.translation import TranslationFloor, measure_translation, step_bytes
from seq2seq.benchmark.workload import prepare
from seq2seq.translation.types import Translation

TRANSLATION = Translation("a b", "c d e", -1.0, -3.0, tokens=("c", "d", "e"), source_tokens=("a", "b"))


def test_the_floor_counts_end_marks_where_there_are_any(tmp_path):
    model = small_benchmark(tmp_path).model
    floor = TranslationFloor(model, 400, "float32", SLOW_MACHINE, reread=0, barred=False)
    work = translation_work(model, 400, [(3, 4)], 2, 4)
    assert floor([TRANSLATION], 2) == max(work.operations, work.bytes) / 1e9
    barred = TranslationFloor(model, 400, "float32", SLOW_MACHINE, reread=0, barred=True)
    assert barred.pieces(TRANSLATION) == 3
    assert barred([TRANSLATION], 2) < floor([TRANSLATION], 2)


def test_blank_sentences_cost_nothing(tmp_path):
    floor = TranslationFloor(small_benchmark(tmp_path).model, 400, "float32", SLOW_MACHINE, reread=0, barred=False)
    assert floor([TRANSLATION, Translation("", "", 0.0, 0.0)], 1) == floor([TRANSLATION], 1)


def test_weights_of_a_step_by_precision(tmp_path):
    model = small_benchmark(tmp_path).model
    assert step_bytes(model, 400, "float32") == 4 * step_bytes(model, 400, "int8")


def test_greedy_and_beam_are_measured(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "seq2seq.benchmark.translation.measure_fresh", lambda *what: asked.append(what) or Fresh(1.0, 2.0, 3)
    )
    config = small_benchmark(tmp_path)
    workload = prepare(config)
    found = measure_translation(config, workload, SLOW_MACHINE)
    assert [row.beam for row in found.batched] == [row.beam for row in found.single] == [1, 2]
    assert found.barred
    assert (found.batched_sentences, found.single_sentences) == (10, 3)
    pieces = sum(len(ids) + 1 for ids in workload.tokenizers.source.encode_all(workload.sentences))
    for row in found.batched:
        assert row.pieces_per_second.median / row.sentences_per_second.median == pytest.approx(pieces / 10)
        assert row.floor > 0
    assert all(row.median <= row.percentile95 for row in found.single)
    assert found.memory_floor > 4 * 10_000
    assert asked[0][1:] == (workload.sentences, 2)
