"""The tree of a beam search as a picture (PNG): a column a step, the likeliest hypotheses on top."""

from collections import defaultdict

from seq2seq.analysis.beam_tree import Fate, Node
from seq2seq.analysis.pictures import new_figure, png, readable
from seq2seq.analysis.trace import Trace

COLOURS = {Fate.pruned: "0.55", Fate.kept: "tab:blue", Fate.finished: "tab:green", Fate.cut: "tab:purple"}
CHOSEN = "tab:red"
STEPS = 60
"""Most columns: a longer search is shown up to here."""


def tree_picture(trace: Trace) -> bytes:
    """Every hypothesis as its last piece and its log-probability, joined to the one it continues.

    Raises:
        ValueError: the trace has no tree.
    """
    if not trace.tree:
        raise ValueError("this trace has no tree: its translation was given")
    places = layout(trace.tree)
    last = max(step for step, _ in places.values())
    deepest = max(row for _, row in places.values())
    longest = max(len(trace.tree_pieces[number]) for number in places)
    figure = new_figure(1.2 + max(0.8, 0.3 + 0.068 * longest) * (last + 1), 1.5 + 0.36 * (deepest + 1))
    axes = figure.add_subplot()
    for number, (step, row) in places.items():
        node = trace.tree[number]
        colour = CHOSEN if node.chosen else COLOURS[node.fate]
        if node.parent in places:
            above = places[node.parent]
            axes.plot([above[0], step], [above[1], row], color=colour, zorder=0, linewidth=_width(node))
        axes.text(
            step,
            row,
            f"{readable(trace.tree_pieces[number])}\n{node.log_probability:.2f}",
            ha="center",
            va="center",
            fontsize=7,
            color=colour,
            linespacing=1.0,
            bbox={"boxstyle": "round,pad=0.18", "facecolor": "white", "edgecolor": colour, "linewidth": _width(node)},
        )
    cut = "" if last == max(node.step for node in trace.tree) else f", the first {last} steps"
    axes.set_title(f"beam search: each hypothesis by its last piece and log-probability{cut}", fontsize="medium")
    axes.set(xlabel="step", ylabel="rank in the step", xlim=(-0.6, last + 0.6), ylim=(deepest + 0.8, -0.8))
    axes.set_xticks(range(last + 1))
    axes.set_yticks([])
    fates = {trace.tree[number].fate for number in places}
    told = {CHOSEN: "chosen", **{colour: str(fate) for fate, colour in COLOURS.items() if fate in fates}}
    for colour, name in told.items():
        axes.plot([], [], color=colour, label=name)
    figure.legend(loc="outside lower center", ncols=len(told), frameon=False, fontsize="small")
    return png(figure)


def layout(tree: tuple[Node, ...]) -> dict[int, tuple[int, int]]:
    """Column and row of every node: its step, and its rank by log-probability among those of the step."""
    steps: defaultdict[int, list[int]] = defaultdict(list)
    for number, node in enumerate(tree):
        if node.step <= STEPS:
            steps[node.step].append(number)
    ranked = {step: sorted(numbers, key=lambda one: -tree[one].log_probability) for step, numbers in steps.items()}
    return {number: (step, row) for step, numbers in ranked.items() for row, number in enumerate(numbers)}


def _width(node: Node) -> float:
    return 1.8 if node.chosen else 0.6 if node.fate is Fate.pruned else 1.0
