"""The learning curve as a figure."""

from collections.abc import Sequence
from pathlib import Path

from seq2seq.system.atomic import atomic_write
from seq2seq.training.log import read_metrics


def draw_learning_curve(folder: Path) -> None:
    """Plot losses and validation BLEU over updates from metrics.jsonl into learning_curve.png."""
    # Imported here because matplotlib takes a second to import.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    records = read_metrics(folder / "metrics.jsonl")
    training = [record for record in records if record["kind"] == "train"]
    validation = [record for record in records if record["kind"] == "validation"]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    losses = figure.add_subplot()
    losses.plot([r["update"] for r in training], [r["loss"] for r in training], color="tab:gray", label="training loss")
    updates = [r["update"] for r in validation]
    losses.plot(updates, [r["loss"] for r in validation], "o-", color="tab:blue", label="validation loss")
    losses.set(xlabel="updates", ylabel="cross entropy per target token (nats)")
    lines = losses.get_lines()
    scored = [r for r in validation if "bleu" in r]
    if scored or not validation:  # a language model has no BLEU
        scores = losses.twinx()
        values = [r["bleu"] for r in scored]
        scores.plot([r["update"] for r in scored], values, "s--", color="tab:orange", label="validation BLEU (greedy)")
        scores.set(ylabel="BLEU", ylim=(0, bleu_limit(values)))
        lines += scores.get_lines()
    labels = [str(line.get_label()) for line in lines]
    figure.legend(lines, labels, loc="outside upper center", ncols=len(lines))  # above the axes it covers no curve
    with atomic_write(folder / "learning_curve.png") as temporary:
        figure.savefig(temporary, dpi=120, format="png")


def bleu_limit(values: Sequence[float]) -> float:
    """The upper end of the BLEU axis: a little above the highest score, and at most 100."""
    highest = max(values, default=0.0)
    return min(100.0, 1.1 * highest) if highest > 0 else 1.0
