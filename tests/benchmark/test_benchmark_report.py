"""Tables and JSON of the benchmark."""

import json
from dataclasses import replace

import pytest
from benchmarks import SPREAD, TRAINING, small_benchmark

from seq2seq.benchmark import report
from seq2seq.benchmark.preparation import PreparationRow
from seq2seq.benchmark.translation import Batched, Fresh, Single, TranslationResult

TRANSLATION = TranslationResult(
    workload="w",
    translated="test",
    without_eos=True,
    precision="float32",
    shortlist=False,
    batched_sentences=10,
    batched=[Batched(1, SPREAD, SPREAD, 0.5, 0.25), Batched(5, SPREAD, SPREAD, 0.5, 0.25)],
    single_sentences=3,
    single=[Single(1, 0.0123, 0.02, 0.001, 0.08)],
    load_seconds=0.1,
    load_floor=0.01,
    fresh=Fresh(1.0, 2.0, 250_000_000),
    memory_floor=50_000_000,
    step_bytes=10,
    reread=1e9,
)


def test_columns_are_aligned():
    assert report.aligned([("name", "n"), ("x", "1,000")]) == "  name       n\n  x      1,000"


def test_the_training_table_has_speed_floor_and_profile():
    table = report.training_table(TRAINING)
    assert "target tokens/s" in table
    assert "7,012 (6,800–7,100)" in table
    assert "share of the floor   50.0%" in table
    assert "loss" in table
    assert "20%" in table


def test_the_table_of_precisions_has_one_line_each():
    table = report.precisions_table([TRAINING, replace(TRAINING, precision="float16")])
    assert [line.split()[0] for line in table.splitlines()[2:]] == ["bfloat16", "float16"]
    assert table.count("7,012 (6,800–7,100)") == 2


def test_the_translation_table_reports_that_eos_is_excluded():
    table = report.translation_table(TRANSLATION)
    for words in ("EOS excluded", "greedy", "beam 5", "12.30", "250 MB", "(importing torch) 1.00 s"):
        assert words in table


def test_the_table_of_preparation():
    sizes = {"draw": 2**20, "prepare": 3 * 2**20, "train": 4 * 2**20}
    row = PreparationRow(1_000_000, 1.0, 2.0, 3.0, 4.0, 5.5, 10**7, 0.5, 0.25, 0.125, 0.001, sizes, sizes)
    preparation = report.preparation_table([row, row])
    for words in ("1,000,000", "5.5", "10.0", "address space, MiB: prepare"):
        assert words in preparation


@pytest.mark.parametrize("expected", [TRAINING, TRANSLATION])
def test_json_has_every_figure_and_setting(tmp_path, expected):
    report.write_report(
        tmp_path / "new" / "b.json", {"settings": small_benchmark(tmp_path), "found": expected, "l": [SPREAD]}
    )
    written = json.loads((tmp_path / "new" / "b.json").read_text())
    assert written["settings"]["parts"] == ["training", "translation"]
    assert written["settings"]["tokenizer"]["algorithm"] == "bpe"
    assert written["found"]["workload"] == "w"
    assert written["l"] == [{"median": 7012.4, "least": 6800.0, "most": 7100.0}]
