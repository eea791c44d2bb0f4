"""A study as pictures (PNG), as an HTML page, and as text for a terminal."""

from typing import Any

from seq2seq.analysis.gates import HIGH, LOW
from seq2seq.analysis.pictures import new_figure, png
from seq2seq.analysis.study import Study
from seq2seq.errors import counted
from seq2seq.report.aligned import aligned
from seq2seq.report.page import heading, page, picture, table

COLOURS = {
    "input": "tab:blue",
    "forget": "tab:orange",
    "output": "tab:green",
    "reset": "tab:blue",
    "update": "tab:orange",
}
TEXT_COLUMNS = {"cell", "gate", "side", "property", "meaning", "unit", "units"}


def saturation_figure(study: Study) -> Any:
    """Plot, for each unit, how often its gate is left- and right-saturated (Karpathy et al. 2016, figure 3)."""
    locations = list(dict.fromkeys(gate.location for gate in study.gates))
    columns = min(4, len(locations))
    lines = -(-len(locations) // columns)
    figure = new_figure(3.3 * columns + 0.6, 3.2 * lines + 0.7)
    figure.suptitle("gate saturation: one point per unit", fontsize="large")
    for number, location in enumerate(locations, 1):
        axes = figure.add_subplot(lines, columns, number, aspect="equal")
        for gate in study.gates:
            if gate.location == location:
                points = gate.left_saturated.tolist(), gate.right_saturated.tolist()
                axes.scatter(*points, s=9, alpha=0.5, color=COLOURS[gate.gate], label=gate.gate, linewidths=0)
        axes.plot([0, 1], [1, 0], color="0.8", linewidth=0.8, zorder=0)
        axes.set_title(str(location), fontsize="medium")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel=f"share of positions below {LOW}")
        axes.set_ylabel(f"share above {HIGH}" if (number - 1) % columns == 0 else "")
        axes.legend(fontsize="small", markerscale=2)
    return figure


def half_life_figure(study: Study) -> Any:
    """Plot the sorted half-lives of a cell's units: one line per cell."""
    figure = new_figure(8.0, 3.8)
    axes = figure.add_subplot()
    for gate in study.gates:
        if gate.half_life is not None:
            lives = gate.half_life.sort().values.tolist()
            shares = [(number + 0.5) / len(lives) for number in range(len(lives))]
            axes.semilogy(shares, lives, linewidth=1.4, label=str(gate.location))
    axes.set_title("memory: half-life of the state of a unit", fontsize="medium")
    axes.set(xlabel="share of the cell's units with a shorter half-life", ylabel="half-life in steps", xlim=(0, 1))
    axes.grid(True, axis="y", color="0.9")
    figure.legend(loc="outside right upper", fontsize="small")
    return figure


def gradient_figure(study: Study) -> Any:
    """Plot the mean gradient norm by distance on a logarithmic scale: exponential decay is a straight line."""
    figure = new_figure(6.4, 4.0)
    axes = figure.add_subplot()
    for gradient in study.gradients:
        label = f"{gradient.side} tokens: × {gradient.factor:.2f} per step"
        axes.semilogy(gradient.distances, gradient.norms, ".-", linewidth=1.2, label=label)
    axes.set_title("gradient of the loss at a target position, with respect to an earlier token", fontsize="medium")
    axes.set(xlabel="recurrent steps between the two", ylabel="mean norm")
    axes.grid(True, axis="y", color="0.9")
    figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    return figure


def ablation_figure(study: Study) -> Any:
    """Plot the change of the loss for each ablated unit, the most useful unit on top."""
    figure = new_figure(6.4, 1.4 + 0.2 * len(study.ablations))
    axes = figure.add_subplot()
    names = [str(ablation.unit) for ablation in study.ablations]
    axes.barh(range(len(names)), [ablation.loss for ablation in study.ablations], color="tab:blue")
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set_title(f"change of the loss with one unit ablated (baseline {study.loss:.3f})", fontsize="medium")
    axes.set(xlabel="nats per target token", ylabel="cell and unit")
    return figure


def study_pictures(study: Study) -> dict[str, bytes]:
    """Draw every picture for which there are results, by name."""
    figures = {
        "saturation": (saturation_figure, study.gates),
        "half_life": (half_life_figure, [gate for gate in study.gates if gate.half_life is not None]),
        "gradients": (gradient_figure, study.gradients),
        "silence": (ablation_figure, study.ablations),
    }
    return {name: png(draw(study)) for name, (draw, results) in figures.items() if results}


def study_page(study: Study, pictures: dict[str, bytes]) -> str:
    """Return a page with every table and its pictures."""
    parts = [f"<p>{_summary(study)}</p>"]
    below = [["saturation", "half_life"], ["gradients"], [], ["silence"]]
    for (title, names, rows), picture_names in zip(study.tables(), below, strict=True):
        if rows:
            numeric = [column for column, name in enumerate(names) if name not in TEXT_COLUMNS]
            parts += [heading(title), table(names, rows, numeric)]
        alternative_text = {name: name.replace("silence", "ablation").replace("_", " ") for name in picture_names}
        parts += [picture(pictures[name], text) for name, text in alternative_text.items() if name in pictures]
    return page(f"{study.model} over {study.corpus}", parts)


def study_text(study: Study) -> str:
    """Return the tables for a terminal."""
    parts = [_summary(study)]
    for title, names, rows in study.tables():
        if rows:
            texts = [column for column, name in enumerate(names) if name in TEXT_COLUMNS]
            parts.append(f"{title}\n{aligned([names, *rows], texts, indent='')}")
    return "\n\n".join(parts)


def _summary(study: Study) -> str:
    return f"{counted(study.pairs, 'sentence')}, {study.tokens:,} target tokens, loss {study.loss:.3f} nats per token"
