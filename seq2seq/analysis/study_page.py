"""A study as pictures (PNG), as a page of HTML, and as lines to print."""

from seq2seq.analysis.gates import LEFT, RIGHT
from seq2seq.analysis.pictures import new_figure, png
from seq2seq.analysis.study import Study
from seq2seq.report.aligned import aligned
from seq2seq.report.page import heading, page, picture, table

COLOURS = {
    "input": "tab:blue",
    "forget": "tab:orange",
    "output": "tab:green",
    "reset": "tab:blue",
    "update": "tab:orange",
}
TEXTS = {"cell", "gate", "pieces of the", "what", "meaning", "unit", "units"}
"""Columns that are no figures."""


def saturation_picture(study: Study) -> bytes:
    """A point a unit: how often its gate is nearly shut, how often nearly open (Karpathy et al. 2016, figure 3)."""
    places = list(dict.fromkeys(one.place for one in study.gates))
    columns = min(4, len(places))
    lines = -(-len(places) // columns)
    figure = new_figure(3.3 * columns + 0.6, 3.2 * lines + 0.7)
    figure.suptitle("saturation of gates: a point a unit", fontsize="large")
    for number, place in enumerate(places, 1):
        axes = figure.add_subplot(lines, columns, number, aspect="equal")
        for one in study.gates:
            if one.place == place:
                points = one.left.tolist(), one.right.tolist()
                axes.scatter(*points, s=9, alpha=0.5, color=COLOURS[one.gate], label=one.gate, linewidths=0)
        axes.plot([0, 1], [1, 0], color="0.8", linewidth=0.8, zorder=0)
        axes.set_title(str(place), fontsize="medium")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel=f"share of positions below {LEFT}")
        axes.set_ylabel(f"share above {RIGHT}" if (number - 1) % columns == 0 else "")
        axes.legend(fontsize="small", markerscale=2)
    return png(figure)


def half_life_picture(study: Study) -> bytes:
    """Half-lives of a cell's units, from the shortest to the longest: a line a cell."""
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    for one in study.gates:
        if one.half_life is not None:
            lives = one.half_life.sort().values.tolist()
            shares = [(number + 0.5) / len(lives) for number in range(len(lives))]
            axes.semilogy(shares, lives, linewidth=1.4, label=str(one.place))
    axes.set_title("memory: half-life of what a unit holds", fontsize="medium")
    axes.set(xlabel="share of the cell's units that forget faster", ylabel="half-life in steps", xlim=(0, 1))
    axes.grid(True, axis="y", color="0.9")
    axes.legend(fontsize="small")
    return png(figure)


def gradient_picture(study: Study) -> bytes:
    """Mean norm of the gradient by distance, logarithmic: a straight line falls by a factor a step."""
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    for reach in study.reaches:
        told = f"{reach.side} pieces: × {reach.factor:.2f} a step"
        axes.semilogy(reach.distances, reach.norms, ".-", linewidth=1.2, label=told)
    axes.set_title("gradient of the loss at a target position, with respect to a piece read before", fontsize="medium")
    axes.set(xlabel="steps of the recurrence between the two", ylabel="mean norm")
    axes.grid(True, axis="y", color="0.9")
    axes.legend(fontsize="small")
    return png(figure)


def silence_picture(study: Study) -> bytes:
    """What the loss gains by each silent unit, the most useful on top."""
    figure = new_figure(6.4, 1.4 + 0.2 * len(study.silenced))
    axes = figure.add_subplot()
    names = [str(one.unit) for one in study.silenced]
    axes.barh(range(len(names)), [one.loss for one in study.silenced], color="tab:blue")
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set_title(f"loss with a unit silent, less the usual {study.loss:.3f}", fontsize="medium")
    axes.set(xlabel="nats a target piece", ylabel="cell and unit")
    return png(figure)


def study_pictures(study: Study) -> dict[str, bytes]:
    """Every picture that there is something to show in, by name."""
    drawn = {
        "saturation": (saturation_picture, study.gates),
        "half_life": (half_life_picture, [one for one in study.gates if one.half_life is not None]),
        "gradients": (gradient_picture, study.reaches),
        "silence": (silence_picture, study.silenced),
    }
    return {name: draw(study) for name, (draw, found) in drawn.items() if found}


def study_page(study: Study, pictures: dict[str, bytes]) -> str:
    """One page: a table, and its picture, for each thing that was looked at."""
    parts = [f"<p>{_summary(study)}</p>"]
    below = [["saturation", "half_life"], ["gradients"], [], ["silence"]]
    for (title, names, rows), drawn in zip(study.tables(), below, strict=True):
        if rows:
            figures = [column for column, name in enumerate(names) if name not in TEXTS]
            parts += [heading(title), table(names, rows, figures)]
        parts += [picture(pictures[name], name.replace("_", " ")) for name in drawn if name in pictures]
    return page(f"{study.model} over {study.corpus}", parts)


def study_text(study: Study) -> str:
    """The tables for a terminal."""
    parts = [_summary(study)]
    for title, names, rows in study.tables():
        if rows:
            texts = [column for column, name in enumerate(names) if name in TEXTS]
            parts.append(f"{title}\n{aligned([names, *rows], texts, indent='')}")
    return "\n\n".join(parts)


def _summary(study: Study) -> str:
    return f"{study.pairs:,} sentences, {study.pieces:,} target pieces, loss {study.loss:.3f} nats a piece"
