"""Training processes for the tests of exact resume, killed at any chosen moment.

    python tests/killing.py

This server trains once, which imports all modules, and forks a process for each training read from standard input.
SIGKILL cannot be caught, like a power failure or the out-of-memory killer; SIGPROF, after some processor time, is not.
"""

import contextlib
import gc
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import torch

from seq2seq.system.lock import LOCK

ROOT = Path(__file__).parents[1]

SETTINGS = [
    "data.builtin.train_size=100",
    "data.builtin.validation_size=4",
    "data.builtin.test_size=4",
    "tokenizer=bpe",
    "tokenizer.size=340",
    "tokenizer.sampling=0.2",
    "model=attention",
    "model.embedding_size=8",
    "model.encoder.size=6",
    "model.decoder.size=10",
    "model.dropout=0.3",
    "model.word_dropout=0.1",
    "training.updates=10",
    "training.validate_every=4",
    "training.patience=3",
    "training.log_every=3",
    "training.samples=0",
    "training.accumulate=2",
    "training.average=best",
    "training.average_count=2",
    "training.ema=0.8",
    "training.self_distillation=0.5",
    "training.criterion=loss",
    "optimizer.learning_rate=0.02",
    "schedule=plateau",
    "schedule.warmup=2",
    "batch.tokens=150",
    "search.beam_size=1",
    "shortlist.frequent=50",
]
"""Settings with a state or random numbers: dropout, subword sampling, accumulation, averages, patience, and a schedule
that depends on validations."""


class Trainings:
    """Client of the server that forks training processes."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """Processor time of the last training."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        self.server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(
        self,
        folder: Path,
        *overrides: str,
        seconds: float | None = None,
        events: int | None = None,
        room: int | None = None,
    ) -> int:
        """Start or resume a training, and return its exit code, which is negative if it was killed.

        Args:
            folder: the run folder.
            overrides: added to `SETTINGS`.
            seconds: kill it after this processor time, which hardly depends on the load of the machine.
            events: kill it before this event, counted from 1. An event opens a file in the folder for writing, renames
                one or removes one. 0: only count them, see `events_of`.
            room: maximum size of a file in bytes.
        """
        argv = [f"run={folder}", *SETTINGS, *overrides]
        order = {"argv": argv, "folder": str(folder), "seconds": seconds, "events": events, "room": room}
        print(json.dumps(order), file=self.server.stdin, flush=True)
        code, self.seconds = json.loads(self.server.stdout.readline())
        return int(code)

    def close(self) -> None:
        """End the server."""
        self.server.stdin.close()
        self.server.wait()
        self.server.stdout.close()


def errors_of(folder: Path) -> str:
    """Standard error of the last process of a folder."""
    return folder.with_suffix(".err").read_text("utf-8")


def events_of(folder: Path) -> list[str]:
    """The counted events, each with its file."""
    return folder.with_suffix(".events").read_text("utf-8").splitlines()


def left(folder: Path) -> dict[str, Any]:
    """All results of a run that must not differ, without measured times."""
    from safetensors.torch import load_file
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    state = torch.load(folder / "checkpoints/last.pt", weights_only=True)
    state["progress"]["window"].pop("seconds")
    without_speed(state["progress"]["records"])
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    names = ("tokenizer.model", "scores.json", "hypotheses.test.greedy.txt")
    return {
        "state": state,
        "model": load_file(folder / "model.safetensors"),
        "kept": {
            update: load_file(folder / f"checkpoints/update-{update:07d}.safetensors") for update in state["kept"]
        },
        "shortlist": load_file(folder / "shortlist.safetensors"),
        "metrics": without_speed(records),
        "tensorboard": {
            tag: [(event.step, event.value) for event in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
            if tag != "train/tokens_per_second"
        },
        "files": {name: (folder / name).read_bytes() for name in names},
        "tables": {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("data/*/[0-9]*")},
        "names": sorted(
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if "tfevents" not in path.name and path.name != LOCK  # may be left after a kill
        ),
    }


def without_speed(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records of metrics.jsonl without the measured speed."""
    for record in records:
        record.pop("tokens_per_second", None)
    return records


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Paths of the differences between two structures; tensors are compared by torch.equal."""
    if isinstance(one, torch.Tensor):
        return [] if isinstance(other, torch.Tensor) and torch.equal(one, other) else [place]
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [result for key in one for result in differences(one[key], other[key], f"{place}/{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [result for key, (mine, yours) in pairs for result in differences(mine, yours, f"{place}/{key}")]
    return [] if type(one) is type(other) and one == other else [place]


def kill_at_random(
    trainings: Trainings, folder: Path, *overrides: str, kills: int, seed: int, whole: "Whole"
) -> list[str]:
    """Start a training, kill it several times, and let it end. Returns how it was killed each time.

    Kills alternate between a random time and a random event: many events lie between writing a file and renaming it.
    """
    generator, killed = random.Random(seed), list[str]()
    while len(killed) < kills:
        seconds, number = generator.uniform(0, 0.4 * whole.seconds), generator.randint(1, len(whole.events) // 2)
        timed = len(killed) % 2 == 0
        code = trainings.run(folder, *overrides, **({"seconds": seconds} if timed else {"events": number}))
        if code < 0:
            killed.append(f"after {seconds:.3f} s" if timed else f"at event {number}")
        assert code in (0, -signal.SIGKILL, -signal.SIGPROF), errors_of(folder)
    assert trainings.run(folder, *overrides) == 0, errors_of(folder)
    return killed


class Whole:
    """An uninterrupted training."""

    def __init__(self, trainings: Trainings, folder: Path) -> None:
        assert trainings.run(folder, events=0) == 0, errors_of(folder)
        self.seconds = trainings.seconds
        self.events = events_of(folder)
        self.left = left(folder)

    def differences(self, folder: Path) -> list[str]:
        """Differences between the results of another training and those of this one."""
        return differences(self.left, left(folder))


# The server


def serve() -> None:
    """Fork a training for each line of JSON and answer with its exit code."""
    from seq2seq.recipes import train

    train_here(train.main)
    for line in sys.stdin:
        order = json.loads(line)
        # A pipe, because the size of files may be limited.
        output, errors = os.pipe()
        process = os.fork()
        if process == 0:
            os.dup2(errors, 2)
            work(train.main, order)
        os.close(errors)
        _, status, used = os.wait4(process, 0)
        with os.fdopen(output, "rb") as pipe:
            Path(order["folder"]).with_suffix(".err").write_bytes(pipe.read())
        print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime]), flush=True)


def train_here(main: Callable[[], None]) -> None:
    """Make one update in this process: what a first training imports and builds takes longer than the training."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        sys.argv = ["train.py", f"run={folder}/run", *SETTINGS, "training.updates=1", "schedule.warmup=0"]
        main()
    gc.freeze()


def work(main: Callable[[], None], order: dict[str, Any]) -> NoReturn:
    """Main function of a training process: run recipes/train.py with these arguments."""
    code, folder = 1, Path(order["folder"])
    os.setsid()
    for descriptor in (0, 1):
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
    sys.argv = ["train.py", *order["argv"]]
    counted: list[str] = []
    if order["events"] is not None:
        sys.addaudithook(partial(count_event, f"{folder}/", order["events"], counted))
    if order["room"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["room"], order["room"]))
    if order["seconds"] is not None:
        signal.setitimer(signal.ITIMER_PROF, max(order["seconds"], 0.001))  # SIGPROF, which nobody handles
    try:
        main()
        code = 0
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    except BaseException:
        traceback.print_exc()
    if order["events"] == 0:
        folder.with_suffix(".events").write_text("\n".join(counted), "utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def count_event(folder: str, last: int, counted: list[str], event: str, args: tuple[Any, ...]) -> None:
    """Audit hook of Python: count the events that change files of the folder."""
    if event == "open":
        flags = args[2] if isinstance(args[2], int) else 0
        if not flags & (os.O_WRONLY | os.O_RDWR):
            return
    elif event not in ("os.rename", "os.remove"):
        return
    path = str(args[0])
    if path.startswith(folder):
        counted.append(f"{event} {path.removeprefix(folder)}")
        if len(counted) == last:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve()
