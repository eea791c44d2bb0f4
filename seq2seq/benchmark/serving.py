"""Serving: many clients at once at a server of its own process, every answer held against that of one by one."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from seq2seq.benchmark.clock import percentile
from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.workload import Workload, model_folder
from seq2seq.errors import RunError
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.installed import demand_installed
from seq2seq.serving.load import Load, load
from seq2seq.system.workers import python
from seq2seq.translation.translator import Translator

PROGRAM = """
import json, sys
from seq2seq.serving.config import LimitsConfig, ServeConfig
from seq2seq.serving.server import address, bound, serve
from seq2seq.serving.systems import load_systems
asked = json.load(sys.stdin)
config = ServeConfig(**asked | {"limits": LimitsConfig(**asked["limits"])})
translators = load_systems(config)
with bound(config) as listening:
    print(address(config, listening), flush=True)
    serve(translators, config, listening)
"""


@dataclass(frozen=True)
class Serving:
    """What many clients got."""

    clients: int
    questions: int
    """Of all of them."""
    sentences_per_second: float
    median: float
    """Seconds from a question to its answer."""
    percentile95: float
    percentile99: float
    lost: int
    """Questions without a translation."""
    reason: str
    """Why the first of them had none."""
    crossed: int
    """Answers to another question."""
    different: int
    """Translations that are not those of one sentence at a time."""


def measure_serving(config: BenchmarkConfig, workload: Workload) -> Serving:
    """Serve the model as recipes/serve.py does, and have it asked.

    Raises:
        ConfigError: the server is not installed.
        RunError: it did not start.
    """
    demand_installed()
    asked = config.serving
    with model_folder(workload, config) as folder:
        with started(folder, config) as url:
            load(url, workload.sentences, asked.clients, config.measure.warmup)
            found = load(url, workload.sentences, asked.clients, asked.questions)
        translator = Translator.load(folder, config.device, config.translation_precision)
        alone = {text: translator.translate(text).text for text in {reply.source for reply in found.replies}}
    return summary(found, asked.clients, alone)


def summary(found: Load, clients: int, alone: dict[str, str]) -> Serving:
    """What came back, counted; ``alone`` has the translation of each sentence."""
    lost = [reply for reply in found.replies if reply.text is None]
    answered = [reply for reply in found.replies if reply.text is not None]
    seconds = [reply.seconds for reply in answered] or [0.0]
    return Serving(
        clients=clients,
        questions=len(found.replies),
        sentences_per_second=len(answered) / found.seconds,
        median=median(seconds),
        percentile95=percentile(seconds, 0.95),
        percentile99=percentile(seconds, 0.99),
        lost=len(lost),
        reason=lost[0].detail if lost else "",
        crossed=sum(reply.answered != reply.source for reply in answered),
        different=sum(reply.text != alone[reply.source] for reply in answered),
    )


@contextlib.contextmanager
def started(folder: Path, config: BenchmarkConfig) -> Iterator[str]:
    """The address of a server with room for all clients, in a process of its own.

    Raises:
        RunError: it did not start.
    """
    clients = config.serving.clients
    limits = LimitsConfig(connections=max(128, 2 * clients), waiting=max(256, 2 * clients), seconds=120)
    asked = {"run": str(folder), "port": 0, "device": config.device, "precision": config.translation_precision}
    with subprocess.Popen(python(PROGRAM), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asked | {"limits": asdict(limits)}))
        process.stdin.close()
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise RunError(f"no server started for {folder}: try recipes/serve.py run={folder}")
            yield url
        finally:
            process.terminate()
