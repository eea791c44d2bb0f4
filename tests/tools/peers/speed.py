"""Measure the speed of translation: systems in processes of their own, in turn."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

from seq2seq.corpora.corpus import Pair
from seq2seq.metrics.score import bleu
from tests.tools import INHERITED
from tests.tools.peers.lstm import ENVIRONMENT
from tests.tools.peers.text import Text

WARM_UP = 8
"""Sentences that are translated before anything is measured."""

PAUSE = 0.5
"""Seconds before each measurement, in which waiting threads of the system before it end (OpenMP lets them spin)."""


class Situation(NamedTuple):
    """What is measured."""

    name: str
    beam: int
    single: bool
    """One sentence at a time, the first ones of the test set."""


SITUATIONS = (
    Situation("batches, beam 5", 5, False),
    Situation("batches, greedy", 1, False),
    Situation("one sentence at a time, beam 5", 5, True),
)
BEAM, GREEDY, SINGLE = SITUATIONS

OWN_BATCHES = 0
"""The batch size of a system that chooses its batches itself."""


class System(NamedTuple):
    """A toolkit with a model, and how its `worker` is started."""

    name: str
    group: str
    """ours, opennmt, eole, transformer or ctranslate2."""
    parameters: int
    command: list[str]

    @property
    def ours(self) -> bool:
        """Whether it is this toolkit, which reads text; others read tokens."""
        return self.group == "ours"


class Answer(NamedTuple):
    """Translations in the order of the sources, and the seconds of the call."""

    lines: list[str]
    seconds: float


class Worker:
    """A process that translates with one system."""

    def __init__(self, system: System, text: Text, process: "subprocess.Popen[str]", log: Path) -> None:
        self.system = system
        self.text = text
        self.process = process
        self.log = log

    def translate(self, sources: Sequence[str], beam: int, batch: int) -> Answer:
        """Translate text, sorted by length except for batches of one sentence.

        Raises:
            SystemExit: the process ended.
        """
        tokens = self.text.tokens(sources)
        order = sorted(range(len(sources)), key=lambda place: 0 if batch == 1 else tokens[place].count(" "))
        lines = sources if self.system.ours else tokens
        request = {"lines": [lines[place] for place in order], "beam": beam, "batch": batch}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
        except (OSError, json.JSONDecodeError):
            sys.exit(f"error: {self.system.name} ended: read {self.log}, then run the same command again")
        placed = dict(zip(order, answer["lines"], strict=True))
        found = [placed[place] for place in range(len(sources))]
        return Answer(found if self.system.ours else list(map(self.text.text, found)), answer["seconds"])


@contextmanager
def started(system: System, text: Text, log: Path) -> Iterator[Worker]:
    """A process with as many threads as this one, which ends with the context; ``log`` gets what it prints."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            system.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            cwd=Path(__file__).parents[3],
            env={**INHERITED, **ENVIRONMENT, "OMP_NUM_THREADS": str(torch.get_num_threads())},
        )
        try:
            yield Worker(system, text, process, log)
        finally:
            process.kill()
            process.wait()


class Measured(NamedTuple):
    """What one system did in one situation."""

    batch: int
    lines: list[str]
    tokens: int
    bleu: float
    seconds: list[float]
    """Of each round."""

    @property
    def speed(self) -> float:
        """Sentences per second, by the median of the rounds."""
        return len(self.lines) / median(self.seconds)

    @property
    def token_speed(self) -> float:
        """Target tokens per second."""
        return self.tokens / median(self.seconds)


Table = dict[str, dict[str, Measured]]
"""By the name of a situation and that of a system."""


def fastest_batch(each: Worker, sources: Sequence[str], beam: int, batches: Sequence[int]) -> int:
    """The batch size with which a system is fastest, after a first pass over all sentences."""
    each.translate(sources, beam, batches[0])
    return (
        batches[0]
        if len(batches) == 1
        else min(batches, key=lambda batch: each.translate(sources, beam, batch).seconds)
    )


def measure(workers: Sequence[Worker], test: Sequence[Pair], rounds: int, batches: Sequence[int], single: int) -> Table:
    """All systems in turn in every situation.

    Args:
        workers: as `started`.
        test: the test set.
        rounds: how often each system is measured.
        batches: sizes of which each system gets its fastest; ours chooses its batches itself.
        single: sentences that are translated one at a time.
    """
    for each in workers:
        say(f"loading {each.system.name}")
        each.translate([pair.source for pair in test[:WARM_UP]], 5, 1)
    table: Table = {}
    for situation in SITUATIONS:
        chosen = test[:single] if situation.single else test
        sources = [pair.source for pair in chosen]
        sizes: dict[str, int] = {}
        for each in workers:
            say(f"{situation.name}, first pass: {each.system.name}")
            tried = [1] if situation.single else [OWN_BATCHES] if each.system.ours else batches
            sizes[each.system.name] = fastest_batch(each, sources, situation.beam, tried)
        answers: dict[str, list[Answer]] = {name: [] for name in sizes}
        for number in range(rounds):
            say(f"{situation.name}, round {number + 1} of {rounds}")
            for each in workers:
                name = each.system.name
                time.sleep(PAUSE)
                answers[name].append(each.translate(sources, situation.beam, sizes[name]))
        table[situation.name] = {
            name: measured(sizes[name], found, chosen, workers[0].text) for name, found in answers.items()
        }
    return table


def measured(batch: int, answers: Sequence[Answer], pairs: Sequence[Pair], text: Text) -> Measured:
    """Score the translations of the first round, and count their tokens, EOS too."""
    lines = answers[0].lines
    tokens = sum(len(line.split()) + 1 for line in text.tokens(lines))
    scored = bleu(lines, [pair.target for pair in pairs], text.target)
    return Measured(batch, lines, tokens, scored, [answer.seconds for answer in answers])


def equal_translations(systems: Sequence[System], text: Text, sources: Sequence[str], log: Path) -> dict[int, int]:
    """How many translations two systems share, by beam size."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(started(each, text, log.with_name(f"{log.name}.{place}.log")))
            for place, each in enumerate(systems)
        )
        found = {}
        for beam in (1, 5):
            pairs = zip(*(each.translate(sources, beam, 32).lines for each in (first, second)), strict=True)
            found[beam] = sum(left == right for left, right in pairs)
        return found


def say(line: str) -> None:
    """Print progress."""
    print(line, file=sys.stderr, flush=True)
