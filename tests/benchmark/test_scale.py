"""Scale: one factor at a time, growth against the floor's."""

import pytest
from benchmarks import SLOW_MACHINE, small_benchmark

from seq2seq.benchmark import scale
from seq2seq.benchmark.scale import base, measure_scale, measure_search, measure_update, varied


def test_every_point_is_measured(tmp_path):
    rows = list(measure_scale(small_benchmark(tmp_path), SLOW_MACHINE))
    assert len(rows) == 14
    assert {row.factor for row in rows} == {"vocabulary", "width", "layers", "tokens", "beam", "batch", "length"}
    assert all(row.seconds > 0 and row.floor > 0 and row.pieces_per_second > 0 for row in rows)


def test_growth_is_against_the_first_point_and_the_floors(tmp_path, monkeypatch):
    config = small_benchmark(tmp_path)
    config.scale.layers = [1, 4]
    monkeypatch.setattr(scale, "TRAINING", ("layers",))
    monkeypatch.setattr(scale, "TRANSLATION", ())
    # Made up: six times the time for three times the floor.
    outcomes = iter([(1.0, 0.5, 100.0), (6.0, 1.5, 100.0)])
    monkeypatch.setattr(scale, "measure_update", lambda *_: next(outcomes))
    first, last = measure_scale(config, SLOW_MACHINE)
    assert (first.growth, first.excess) == (1, 1)
    assert (last.growth, last.excess) == (6, 2)


@pytest.mark.parametrize("factor", ["vocabulary", "tokens", "beam", "batch", "length"])
def test_a_number_of_the_case_is_set_and_nothing_else(tmp_path, factor):
    case = base(small_benchmark(tmp_path))
    changed = varied(case, factor, 77)
    assert getattr(changed, factor) == 77
    assert varied(changed, factor, getattr(case, factor)) == case


def test_width_and_layers_are_the_models(tmp_path):
    case = base(small_benchmark(tmp_path))
    wide, deep = varied(case, "width", 64).model, varied(case, "layers", 3).model
    assert (wide.encoder.width, wide.decoder.size) == (64, 64)
    assert (deep.encoder.layers, deep.decoder.layers) == (3, 3)
    assert case.model.decoder.layers == 1, "the case that was varied is as it was"


def test_a_stack_too_shallow_for_residual_connections_has_none(tmp_path):
    config = small_benchmark(tmp_path)
    for part in (config.model.encoder, config.model.decoder):
        part.layers, part.residual_from = 4, 3
    for layers, wanted in {1: None, 2: None, 3: 3, 8: 3}.items():
        model = varied(base(config), "layers", layers).model
        model.check()
        assert (model.encoder.residual_from, model.decoder.residual_from) == (wanted, wanted)


def test_pieces_are_those_that_are_trained_and_translated(tmp_path):
    config = small_benchmark(tmp_path)
    case = base(config)
    assert measure_update(case, config, SLOW_MACHINE)[2] == 200 // 6 * 6
    assert measure_search(case, config, SLOW_MACHINE)[2] == 2 * 6


def test_floors_grow_with_the_work(tmp_path):
    config = small_benchmark(tmp_path)
    case = base(config)
    small = measure_search(case, config, SLOW_MACHINE)[1]
    assert measure_search(varied(case, "beam", 4), config, SLOW_MACHINE)[1] > small
    assert measure_search(varied(case, "length", 12), config, SLOW_MACHINE)[1] > small
