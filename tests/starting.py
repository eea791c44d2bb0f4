"""Start several recipes at once: a server imports all modules and forks a process for each command.

    python tests/starting.py

SIGKILL can end each process at a chosen moment. The processes of `killing` run one after the other.
"""

import gc
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

ROOT = Path(__file__).parents[1]


class Command(NamedTuple):
    """A recipe, or a tool by its module (``tests.tools.verify``), with its overrides."""

    recipe: str
    overrides: list[str]
    after: float = 0.0
    """Seconds until it starts."""
    kill: float | None = None
    """Seconds until it is killed; None: not killed."""


class Ended(NamedTuple):
    """Result of a command."""

    code: int
    """Exit code; negative if it was killed."""
    err: str
    seconds: float


class Starter:
    """Starts several commands at once."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        self.server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __call__(self, *commands: Command) -> list[Ended]:
        """Run the commands, and return their results in order."""
        print(json.dumps(commands), file=self.server.stdin, flush=True)
        return [Ended(*one) for one in json.loads(self.server.stdout.readline())]

    def close(self) -> None:
        """End the server."""
        self.server.stdin.close()
        self.server.wait()
        self.server.stdout.close()


# The server


def serve() -> None:
    """For each line of JSON, fork its commands, and reply with their results."""
    import torch

    import seq2seq

    for module in pkgutil.walk_packages(seq2seq.__path__, "seq2seq."):  # recipes import what they need when they run
        import_module(module.name)
    import_module("tests.tools.verify")
    gc.freeze()
    torch.set_num_threads(1)
    for line in sys.stdin:
        print(json.dumps(run([Command(*one) for one in json.loads(line)])), flush=True)


def run(commands: list[Command]) -> list[Ended]:
    """Start and kill each command at its time, and wait for all."""
    start = time.perf_counter()
    begun: dict[int, tuple[int, IO[bytes]]] = {}  # process, and file of its errors
    ended: dict[int, Ended] = {}
    while len(ended) < len(commands):
        for number, command in enumerate(commands):
            passed = time.perf_counter() - start - command.after
            if number not in begun and passed >= 0:
                begun[number] = fork(command)
            elif number in begun and number not in ended:
                process, errors = begun[number]
                if command.kill is not None and passed >= command.kill:
                    os.kill(process, signal.SIGKILL)
                result, status = os.waitpid(process, os.WNOHANG)
                if result:
                    errors.seek(0)
                    ended[number] = Ended(os.waitstatus_to_exitcode(status), errors.read().decode(), passed)
                    errors.close()
        time.sleep(0.002)
    return [ended[number] for number in range(len(commands))]


def fork(command: Command) -> tuple[int, IO[bytes]]:
    """Start a command, and return its process and the file of its errors."""
    errors = tempfile.TemporaryFile()  # noqa: SIM115
    process = os.fork()
    if process == 0:
        work(command, errors.fileno())
    return process, errors


def work(command: Command, errors: int) -> NoReturn:
    """Main function of a command's process: run the recipe or tool with these arguments."""
    code = 1
    os.setsid()
    for descriptor in (0, 1):
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
    os.dup2(errors, 2)
    sys.argv = [f"{command.recipe}.py", *command.overrides]
    try:
        module = command.recipe if "." in command.recipe else f"seq2seq.recipes.{command.recipe}"
        import_module(module).main()
        code = 0
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
