"""Scale: one factor at a time, and its growth relative to the floor."""

import json
from dataclasses import replace

import pytest
from benchmarks import SLOW_MACHINE, SMALL_OVERRIDES, small_benchmark

from seq2seq.errors import ConfigError
from tests.tools import scale
from tests.tools.scale import (
    ScaleConfig,
    ScaleRow,
    base,
    draw_scale,
    measure_scale,
    measure_search,
    measure_update,
    scale_table,
    varied,
)

SMALL = ScaleConfig(
    vocabulary=[300, 600],
    width=[8, 16],
    layers=[1, 2],
    tokens=[50, 100],
    beam=[1, 2],
    batch=[1, 3],
    length=[4, 8],
    base_length=6,
    base_batch=2,
    warmup=0,
    repetitions=1,
)


def test_every_point_is_measured(tmp_path):
    rows = list(measure_scale(SMALL, small_benchmark(tmp_path), SLOW_MACHINE))
    assert len(rows) == 14
    assert {row.factor for row in rows} == {"vocabulary", "width", "layers", "tokens", "beam", "batch", "length"}
    assert all(row.seconds > 0 and row.floor > 0 and row.tokens_per_second > 0 for row in rows)


def test_growth_is_relative_to_the_first_point_and_to_the_floor(tmp_path, monkeypatch):
    config = small_benchmark(tmp_path)
    settings = replace(SMALL, layers=[1, 4])
    monkeypatch.setattr(scale, "TRAINING", ("layers",))
    monkeypatch.setattr(scale, "TRANSLATION", ())
    # Invented values: six times the time for three times the floor.
    outcomes = iter([(1.0, 0.5, 100.0), (6.0, 1.5, 100.0)])
    monkeypatch.setattr(scale, "measure_update", lambda *_: next(outcomes))
    first, last = measure_scale(settings, config, SLOW_MACHINE)
    assert (first.growth, first.excess) == (1, 1)
    assert (last.growth, last.excess) == (6, 2)


@pytest.mark.parametrize("factor", ["vocabulary", "tokens", "beam", "batch", "length"])
def test_one_factor_of_the_case_changes(tmp_path, factor):
    case = base(SMALL, small_benchmark(tmp_path))
    changed = varied(case, factor, 77)
    assert getattr(changed, factor) == 77
    assert varied(changed, factor, getattr(case, factor)) == case


def test_width_and_layers_change_the_model(tmp_path):
    case = base(SMALL, small_benchmark(tmp_path))
    wide, deep = varied(case, "width", 64).model, varied(case, "layers", 3).model
    assert (wide.encoder.width, wide.decoder.size) == (64, 64)
    assert (deep.encoder.layers, deep.decoder.layers) == (3, 3)
    assert case.model.decoder.layers == 1, "the original case is unchanged"


def test_a_stack_too_shallow_for_residual_connections_has_none(tmp_path):
    config = small_benchmark(tmp_path)
    for part in (config.model.encoder, config.model.decoder):
        part.layers, part.residual_from = 4, 3
    for layers, expected in {1: None, 2: None, 3: 3, 8: 3}.items():
        model = varied(base(SMALL, config), "layers", layers).model
        model.check()
        assert (model.encoder.residual_from, model.decoder.residual_from) == (expected, expected)


def test_tokens_are_those_trained_and_translated(tmp_path):
    config = small_benchmark(tmp_path)
    case = base(SMALL, config)
    assert measure_update(case, SMALL, config, SLOW_MACHINE)[2] == 200 // 6 * 6
    assert measure_search(case, SMALL, config, SLOW_MACHINE)[2] == 2 * 6


def test_floors_grow_with_the_work(tmp_path):
    config = small_benchmark(tmp_path)
    case = base(SMALL, config)
    small = measure_search(case, SMALL, config, SLOW_MACHINE)[1]
    assert measure_search(varied(case, "beam", 4), SMALL, config, SLOW_MACHINE)[1] > small
    assert measure_search(varied(case, "length", 12), SMALL, config, SLOW_MACHINE)[1] > small


def test_the_picture_has_the_measured_seconds_and_the_floor_of_each_factor(tmp_path):
    rows = [
        ScaleRow("training", factor, value, 10.0, float(value), value / 2, float(value), 1.0)
        for factor in ("layers", "width", "tokens", "vocabulary", "beam")
        for value in (1, 2, 8)
    ]
    figure = draw_scale(rows, tmp_path / "new" / "all.png")
    assert [axes.get_title() for axes in figure.axes] == [
        f"training: {factor}" for factor in ("layers", "width", "tokens", "vocabulary", "beam")
    ]
    for axes in figure.axes:
        measured, floor = axes.lines
        assert [list(line.get_xdata()) for line in (measured, floor)] == [[1, 2, 8]] * 2
        assert (list(measured.get_ydata()), list(floor.get_ydata())) == ([1.0, 2.0, 8.0], [0.5, 1.0, 4.0])
    assert len(draw_scale(rows[:3], tmp_path / "one.png").axes) == 1
    for name in ("new/all.png", "one.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_the_table_has_the_floors_share_and_the_growth():
    table = scale_table([ScaleRow("training", "layers", 8, 100.0, 2.0, 1.0, 4.0, 1.5)])
    assert "50.0%" in table
    assert "1.50" in table


def test_a_factors_values_are_at_least_one():
    with pytest.raises(ConfigError, match=r"scale\.layers .* got 0"):
        ScaleConfig(layers=[1, 0]).check()


def test_the_tool_writes_table_picture_and_json(tool, tmp_path):
    points = ["vocabulary=[300]", "width=[8]", "layers=[1,2]", "tokens=[50]", "beam=[1]", "batch=[1]", "length=[]"]
    outcome = tool(
        "scale", f"output={tmp_path}", "device=cpu", *SMALL_OVERRIDES, *(f"scale.{point}" for point in points)
    )
    assert outcome.code == 0, outcome.err
    assert "growth" in outcome.out
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")
    written = json.loads((tmp_path / "scale.json").read_text())
    assert len(written["scale"]) == 7
    assert written["scale settings"]["layers"] == [1, 2]
    outcome = tool("scale", f"output={tmp_path}", "scale.layer=[1]")
    assert outcome.code == 1
    assert "did you mean layers?" in outcome.err
    assert "scale.layers = [1,2,4,8]" in tool("scale", "--help").out
