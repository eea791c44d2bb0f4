"""Serving: concurrent clients of a server in its own process; each answer is compared with translating it alone."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.load import Load, load
from seq2seq.benchmark.measurement import percentile
from seq2seq.benchmark.workload import Workload, model_folder
from seq2seq.errors import RunError, program
from seq2seq.serving.config import LimitsConfig, require_packages
from seq2seq.system.workers import python
from seq2seq.translation.translator import Translator

PROGRAM = """
import json, sys
from seq2seq.serving.config import LimitsConfig, ServeConfig
from seq2seq.serving.server import listen, page_url, serve
from seq2seq.serving.runs import load_translators
settings = json.load(sys.stdin)
config = ServeConfig(**settings | {"limits": LimitsConfig(**settings["limits"])})
translators = load_translators(config)
with listen(config) as listening:
    print(page_url(config, listening), flush=True)
    serve(translators, config, listening)
"""


@dataclass(frozen=True)
class Serving:
    """Measurements of all clients together."""

    clients: int
    requests: int
    """Requests of all clients."""
    sentences_per_second: float
    median: float
    """Seconds from a request to its answer."""
    percentile95: float
    percentile99: float
    lost: int
    """Requests without a translation."""
    reason: str
    """Error of the first of them."""
    crossed: int
    """Answers that belong to another request."""
    different: int
    """Translations that differ from those of the same sentences translated alone."""


def measure_serving(config: BenchmarkConfig, workload: Workload) -> Serving:
    """Serve the model as recipes/serve.py does, and send requests.

    Raises:
        ConfigError: the server's packages are not installed.
        RunError: the server did not start.
    """
    require_packages()
    clients, requests = config.serving.clients, config.serving.requests
    with model_folder(workload, config) as folder:
        with server(folder, config) as url:
            load(url, workload.sentences, clients, config.measure.warmup)
            measured = load(url, workload.sentences, clients, requests)
        translator = Translator.load(folder, config.device, config.translation_precision)
        alone = {text: translator.translate(text).text for text in {reply.source for reply in measured.replies}}
    return summary(measured, clients, alone)


def summary(measured: Load, clients: int, alone: dict[str, str]) -> Serving:
    """Statistics of the replies; ``alone`` maps each sentence to its translation."""
    lost = [reply for reply in measured.replies if reply.text is None]
    answered = [reply for reply in measured.replies if reply.text is not None]
    seconds = [reply.seconds for reply in answered] or [0.0]
    return Serving(
        clients=clients,
        requests=len(measured.replies),
        sentences_per_second=len(answered) / measured.seconds,
        median=median(seconds),
        percentile95=percentile(seconds, 0.95),
        percentile99=percentile(seconds, 0.99),
        lost=len(lost),
        reason=lost[0].detail if lost else "",
        crossed=sum(reply.answered != reply.source for reply in answered),
        different=sum(reply.text != alone[reply.source] for reply in answered),
    )


@contextlib.contextmanager
def server(folder: Path, config: BenchmarkConfig) -> Iterator[str]:
    """Run a server for all clients in a process of its own, and yield its URL.

    Raises:
        RunError: the server did not start.
    """
    clients = config.serving.clients
    limits = LimitsConfig(connections=max(128, 2 * clients), waiting=max(256, 2 * clients), seconds=120)
    settings = {"run": str(folder), "port": 0, "device": config.device, "precision": config.translation_precision}
    with subprocess.Popen(python(PROGRAM), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(settings | {"limits": asdict(limits)}))
        process.stdin.close()
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise RunError(f"the server for {folder} did not start: try {program('serve')} run={folder}")
            yield url
        finally:
            process.terminate()
