"""What a run says while it learns: metrics.jsonl, TensorBoard and the progress bar."""

import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from seq2seq.atomic import atomic_write
from seq2seq.errors import RunError


class MetricsLog:
    """metrics.jsonl and TensorBoard events of one run; on resuming, what came after the checkpoint is taken back."""

    def __init__(self, folder: Path, update: int) -> None:
        self.path = folder / "metrics.jsonl"
        kept = [line for line in read_metrics(self.path) if line["update"] <= update]
        with atomic_write(self.path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        self.tensorboard = SummaryWriter(str(folder / "tensorboard"), purge_step=update + 1)

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tensorboard.close()

    def write(self, kind: str, update: int, values: dict[str, float]) -> None:
        """Append one record: ``kind`` is train or validation."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "update": update, **values}) + "\n")
        for name, value in values.items():
            self.tensorboard.add_scalar(f"{kind}/{name}", value, update)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Records of a metrics.jsonl; none where it does not exist; a last line cut short by a crash is left out.

    Raises:
        RunError: another line is no record.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    records = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or not {"kind", "update"} <= record.keys():
            raise RunError(f"{path} is damaged (line {number} is no record): delete that line and start again")
        records.append(record)
    return records


class ProgressBar:
    """One line on stderr: update, loss, learning rate, target pieces a second, time left."""

    def __init__(self, update: int, updates: int) -> None:
        # Redrawn twice a second for a reader, now and then where stderr is a file.
        interval = 0.5 if sys.stderr.isatty() else 15
        self.bar = tqdm(
            total=updates, initial=update, unit="update", mininterval=interval, dynamic_ncols=True, desc="training"
        )

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def step(self) -> None:
        """One update more."""
        self.bar.update()

    def show(self, loss: float, learning_rate: float, tokens_per_second: float) -> None:
        """What was found at the last look."""
        values = {"loss": f"{loss:.3f}", "lr": f"{learning_rate:.2e}", "tokens/s": f"{tokens_per_second:,.0f}"}
        self.bar.set_postfix(values, refresh=False)

    def say(self, line: str) -> None:
        """A line above the bar."""
        self.bar.write(line, file=sys.stderr)
