"""Process groups as torchrun starts them: two processes by default, with one thread each, over gloo.

They are forked from a server that has imported the modules, so only the first test imports them.
"""

import contextlib
import multiprocessing
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from seq2seq.system.processes import closing_group, join_group

context = multiprocessing.get_context("forkserver")
# DistributedDataParallel imports the last one when it is constructed.
RECIPES = ["seq2seq.recipes.train", "seq2seq.recipes.translate", "seq2seq.recipes.evaluate"]
context.set_forkserver_preload([*RECIPES, "torch._dynamo"])


class Ended(NamedTuple):
    """Result of a process."""

    code: int
    value: Any
    """Return value of its function; None after an error."""
    out: str
    err: str


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _work(rank: int, count: int, port: int, folder: Path, joins: bool, function: Callable[..., Any], args: Any) -> None:
    torch.set_num_threads(1)
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()})
    with (folder / f"{rank}.out").open("w") as out, (folder / f"{rank}.err").open("w") as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                with closing_group():
                    if joins:
                        join_group()
                    torch.save(function(*args), folder / f"{rank}.pt")
            except Exception:
                traceback.print_exc(file=err)
                err.flush()
                os._exit(70)


def together(folder: Path, function: Callable[..., Any], *args: Any, count: int = 2, joins: bool = True) -> list[Ended]:
    """Call a function of a test file in each of ``count`` processes. Its result must be supported by `torch.save`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    workers = [
        context.Process(target=_work, args=(rank, count, port, folder, joins, function, args)) for rank in range(count)
    ]
    for worker in workers:
        worker.start()
    ended = []
    for rank, worker in enumerate(workers):
        worker.join(120)
        alive = worker.is_alive()
        worker.kill()
        assert not alive, f"process {rank} hangs: {(folder / f'{rank}.err').read_text()}"
        path = folder / f"{rank}.pt"
        value = torch.load(path, weights_only=False) if path.exists() else None
        out, err = ((folder / f"{rank}.{name}").read_text() for name in ("out", "err"))
        ended.append(Ended(int(worker.exitcode or 0), value, out, err))
    return ended


def results(ended: list[Ended]) -> list[Any]:
    """The functions' return values; fails if a process has failed."""
    for process in ended:
        assert process.code == 0, process.err
    return [process.value for process in ended]


def call_recipe(name: str, *overrides: str) -> Any:
    """Run a recipe within a process, like `conftest.recipe`."""
    import importlib

    program = importlib.import_module(f"seq2seq.recipes.{name}")
    sys.argv = [f"{name}.py", *overrides]
    return program.main()
