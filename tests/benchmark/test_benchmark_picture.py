"""The picture of scale."""

from seq2seq.benchmark.picture import draw_scale
from seq2seq.benchmark.scale import ScaleRow


def test_a_picture_of_many_factors_or_one(tmp_path):
    rows = [
        ScaleRow("training", factor, value, 10.0, float(value), value / 2, float(value), 1.0)
        for factor in ("layers", "width", "tokens", "vocabulary", "beam")
        for value in (1, 2, 8)
    ]
    draw_scale(rows, tmp_path / "new" / "all.png")
    draw_scale(rows[:3], tmp_path / "one.png")
    sizes = [(tmp_path / name).stat().st_size for name in ("new/all.png", "one.png")]
    assert sizes[0] > sizes[1] > 1000
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
