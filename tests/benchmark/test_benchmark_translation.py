"""Translation is measured in batches, one by one and in a new process; floors follow from lengths."""

import pytest
from benchmarks import SLOW_MACHINE, small_benchmark

from seq2seq.benchmark.arithmetic import translation_work
from seq2seq.benchmark.translation import Fresh, TranslationFloor, measure_fresh, measure_translation, step_bytes
from seq2seq.benchmark.workload import prepare
from seq2seq.errors import RunError
from seq2seq.translation.types import Translation

TRANSLATION = Translation("a b", "c d e", -1.0, -3.0, tokens=("c", "d", "e"), source_tokens=("a", "b"))


def test_the_floor_counts_eos_unless_it_is_excluded(tmp_path):
    model = small_benchmark(tmp_path).model
    floor = TranslationFloor(model, 400, "float32", SLOW_MACHINE, reread=0, without_eos=False)
    work = translation_work(model, 400, [(3, 4)], 2, 4)
    assert floor([TRANSLATION], 2) == max(work.operations, work.bytes) / 1e9
    without = TranslationFloor(model, 400, "float32", SLOW_MACHINE, reread=0, without_eos=True)
    assert without.tokens(TRANSLATION) == 3
    assert without([TRANSLATION], 2) < floor([TRANSLATION], 2)


def test_blank_sentences_add_nothing_to_the_floor(tmp_path):
    floor = TranslationFloor(small_benchmark(tmp_path).model, 400, "float32", SLOW_MACHINE, reread=0, without_eos=False)
    assert floor([TRANSLATION, Translation("", "", 0.0, 0.0)], 1) == floor([TRANSLATION], 1)


def test_weights_of_a_step_by_precision(tmp_path):
    model = small_benchmark(tmp_path).model
    assert step_bytes(model, 400, "float32") == 4 * step_bytes(model, 400, "int8")


def test_greedy_and_beam_are_measured(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "seq2seq.benchmark.translation.measure_fresh", lambda *arguments: calls.append(arguments) or Fresh(1.0, 2.0, 3)
    )
    config = small_benchmark(tmp_path)
    workload = prepare(config)
    result = measure_translation(config, workload, SLOW_MACHINE)
    assert [row.beam for row in result.batched] == [row.beam for row in result.single] == [1, 2]
    assert result.without_eos
    assert (result.batched_sentences, result.single_sentences) == (10, 3)
    tokens = sum(len(ids) + 1 for ids in workload.tokenizers.source.encode_all(workload.sentences))
    for row in result.batched:
        assert row.tokens_per_second.median / row.sentences_per_second.median == pytest.approx(tokens / 10)
        assert row.floor > 0
    assert all(row.median <= row.percentile95 for row in result.single)
    assert result.memory_floor > 4 * 10_000
    assert calls[0][1:] == (workload.sentences, 2)


@pytest.mark.slow
def test_a_new_process_translates(tiny_run):
    fresh = measure_fresh((tiny_run, "cpu", "float32", False), ["We work.", "She sleeps."], 1)
    assert 0 < fresh.import_seconds < fresh.cold_start_seconds
    assert fresh.memory_bytes > 1_000_000


@pytest.mark.ci
def test_a_new_process_that_fails_gives_one_line(tmp_path):
    with pytest.raises(RunError, match="not a run folder") as error:
        measure_fresh((tmp_path, "cpu", "float32", False), ["We work."], 1)
    assert "\n" not in str(error.value)
