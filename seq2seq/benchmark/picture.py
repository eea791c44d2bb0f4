"""Cost as work grows, as a picture."""

from collections.abc import Sequence
from pathlib import Path

from seq2seq.benchmark.scale import ScaleRow
from seq2seq.system.atomic import atomic_write


def draw_scale(rows: Sequence[ScaleRow], path: Path) -> None:
    """Small multiples, one a factor: seconds measured and the floor, both axes logarithmic."""
    # Imported here: matplotlib takes a second, and no other part needs it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    factors = list(dict.fromkeys((row.task, row.factor) for row in rows))
    columns = min(4, len(factors))
    lines = -(-len(factors) // columns)
    figure = Figure(figsize=(3 * columns, 2.8 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (task, factor) in enumerate(factors, 1):
        points = [row for row in rows if (row.task, row.factor) == (task, factor)]
        values = [row.value for row in points]
        axes = figure.add_subplot(lines, columns, place)
        axes.loglog(values, [row.seconds for row in points], "o-", color="tab:blue", label="measured")
        axes.loglog(values, [row.floor for row in points], "s--", color="tab:gray", label="floor")
        axes.set_title(f"{task}: {factor}", fontsize="medium")
        axes.set(ylabel="seconds" if (place - 1) % columns == 0 else "")
        axes.set_xticks(values, [f"{value:,}" for value in values], minor=False)
        axes.set_xticks([], minor=True)
    figure.axes[0].legend()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
