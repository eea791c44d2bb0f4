"""This toolkit beside Transformers of JoeyNMT and eole: same text, vocabulary, number of weights and training time.

python -m tests.tools.peers TEXT FOLDER --source en --target de --validation val --test test_2016_flickr \
    --joeynmt ../joeynmt/bin/python --eole ../eole/bin/python \
    --ours experiment=multi30k_student training.updates=4000

TEXT has aligned files, one sentence per line: ``train.en``, ``val.en`` and so on. A peer is left out if its Python is
not named; `joeynmt.py` and `eole.py` show how to install it. Each Transformer (``--systems``, a toolkit and one of
`SHAPES`) is scaled to the number of weights of our model and trained twice: for as many updates as fit into the
processor time of our training, which two short trainings predict ("equal-time"), and for ``--updates`` with the
settings as published. Settings of ours and of equal time are tuned on the validation set (BLEU, beam 5, first seed),
``--tries`` of each (`TRIES`). The same command continues where it was interrupted: an unfinished training starts
again, and nothing that is finished is repeated.

FOLDER/table.md has the table, report.md the scores, intervals and tests of recipes/compare.py. Training is processor
time with validations, a mean over seeds; sentences per second are a median over seeds, without loading and without a
warm-up (`decoding.py` measures speed more carefully). JoeyNMT trains in float32, eole in the precision that ours
chooses for this processor. JoeyNMT does not sort by length: about half of the tokens of its batches are padding. Set
OMP_NUM_THREADS=1: more threads count while they wait.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from seq2seq import Translator
from seq2seq.corpora.corpus import Pair
from seq2seq.errors import ConfigError, DataError, RunError
from seq2seq.metrics.score import bleu
from seq2seq.model.weights import read_size
from seq2seq.run.folder import MODEL
from tests.tools.heading import heading
from tests.tools.peers.eole import Eole
from tests.tools.peers.joeynmt import JoeyNMT
from tests.tools.peers.table import Row, Trained, Translated, report
from tests.tools.peers.text import LONGEST, Text, once, pairs_of, prepare
from tests.tools.peers.transformer import SHAPES, Shape, run
from tests.tools.peers.transformer import TRIES as THEIR_TRIES

TRIES: list[list[str]] = [
    [],
    ["model.dropout=0.2"],
    ["optimizer.learning_rate=0.002"],
    ["model.dropout=0.3", "model.word_dropout=0.1"],
]
"""Settings of ours that are tried on the validation set, in this order; as many as `THEIR_TRIES`."""

PEERS: dict[str, Callable[[Path], JoeyNMT | Eole]] = {"joeynmt": JoeyNMT, "eole": Eole}

TIMED = (40, 120)
"""Updates of the two trainings that predict the time of a longer one."""

Settings = dict[str, Any]


class Trainer(Protocol):
    """Trains a model. Settings are plain JSON values, which determine a training together with the seed."""

    def settings(self, number: int) -> Settings:
        """The settings of a try."""

    def train(self, settings: Settings, folder: Path, seed: int) -> tuple[int, int]:
        """Train in a new folder, and return the numbers of weights and of updates."""


class System(Trainer, Protocol):
    """A toolkit with a model."""

    def translate(self, folder: Path, sources: list[str], beam: int) -> Translated:
        """Translate with the model of a folder."""


Systems = dict[str, tuple[System, int]]
"""Systems by name, each with its chosen try."""


class Ours(NamedTuple):
    """This toolkit."""

    text: Text
    overrides: list[str]

    def settings(self, number: int) -> Settings:
        """The settings of a try."""
        return {"overrides": [*self.overrides, *TRIES[number]]}

    def train(self, settings: Settings, folder: Path, seed: int) -> tuple[int, int]:
        """Train in a new folder, and return the numbers of weights and of updates."""
        text, sides = self.text, {"source": self.text.source, "target": self.text.target}
        own = [f"run={folder}", f"seed={seed}", f"tokenizer.source_model={text.folder}/joint.model"]
        own += ["logger=none", "training.device=cpu"]
        own += [f"data.filters.max_length={LONGEST}", "data.filters.max_ratio=1e9"]  # all systems read the same pairs
        own += [f"data.{side}_language={language}" for side, language in sides.items()]
        for split in ("train", "validation"):
            own += [f"data.{split}.{side}={text.file(split, language)}" for side, language in sides.items()]
        run([sys.executable, "recipes/train.py", *settings["overrides"], *own], Path(f"{folder}.log"))
        records = map(json.loads, (folder / "metrics.jsonl").read_text("utf-8").splitlines())
        return read_size(folder / MODEL)[0], max(record.get("update", 0) for record in records)

    def translate(self, folder: Path, sources: list[str], beam: int) -> Translated:
        """Translate with the model of a folder."""
        translator = Translator.load(folder, device="cpu")
        start = time.perf_counter()
        found = translator.translate(sources, beam_size=beam)
        return Translated([each.text for each in found], len(sources) / (time.perf_counter() - start))


class Transformer(NamedTuple):
    """A Transformer of a peer."""

    text: Text
    peer: JoeyNMT | Eole
    shape: Shape
    updates: Sequence[int]
    """Of each try."""

    def settings(self, number: int) -> Settings:
        """The settings of a try."""
        shape = self.peer.adapted(replace(self.shape, **THEIR_TRIES[number]))
        return {"updates": self.updates[number], **asdict(shape)}

    def train(self, settings: Settings, folder: Path, seed: int) -> tuple[int, int]:
        """Train in a new folder, and return the numbers of weights and of updates."""
        shape = Shape(**{name: value for name, value in settings.items() if name != "updates"})
        return self.peer.train(self.text, shape, folder, seed, settings["updates"]), settings["updates"]

    def translate(self, folder: Path, sources: list[str], beam: int) -> Translated:
        """Translate with the model of a folder. Sentences are sorted by length, which makes every peer faster."""
        lines = self.text.tokens(sources)
        order = sorted(range(len(lines)), key=lambda place: lines[place].count(" "))
        found, seconds = self.peer.translate(folder, [lines[place] for place in order], beam)
        placed = dict(zip(order, found, strict=True))
        return Translated([self.text.text(placed[place]) for place in range(len(lines))], len(lines) / seconds)


def processor_seconds() -> float:
    """Of all programs that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def trained(system: Trainer, number: int, folder: Path, seed: int) -> Trained:
    """Train, unless that is done.

    Raises:
        SystemExit: it is done with other settings.
    """
    settings = system.settings(number)

    def make() -> Trained:
        print(f"training {folder}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        before = processor_seconds()
        parameters, updates = system.train(settings, folder, seed)
        return Trained(settings, parameters, updates, processor_seconds() - before)

    found = Trained(*once(Path(f"{folder}.json"), make))
    if found.settings != settings:
        sys.exit(f"error: {folder} was trained with other settings: name another FOLDER, or delete {folder}.json")
    return found


def translated(system: System, folder: Path, pairs: Sequence[Pair], split: str, beam: int) -> Translated:
    """Translate a split, unless that is done."""

    def make() -> Translated:
        print(f"translating {split} with beam {beam}: {folder}", file=sys.stderr, flush=True)
        return system.translate(folder, [pair.source for pair in pairs], beam)

    return Translated(*once(Path(f"{folder}.{split}.beam{beam}.json"), make))


def updates_within(seconds: float, system: Transformer, number: int, folder: Path, seed: int) -> int:
    """How many updates of a try take so much processor time, if start and validations take as long as in `TIMED`."""
    few, many = (
        trained(system._replace(updates=[updates] * (number + 1)), number, folder / f"{number}.{updates}", seed).seconds
        for updates in TIMED
    )
    each = (many - few) / (TIMED[1] - TIMED[0])
    if each <= 0:
        sys.exit(f"error: {TIMED[1]} updates took no longer than {TIMED[0]}: delete {folder}, and use a quiet machine")
    return max(1, round(TIMED[0] + (seconds - few) / each))


def best_try(system: System, folder: Path, arguments: argparse.Namespace, validation: Sequence[Pair]) -> int:
    """The try with the highest BLEU on the validation set; the first of equal ones."""
    tries, seed = arguments.tries, arguments.seeds[0]
    if tries == 1:
        return 0
    references, scores = [pair.target for pair in validation], []
    for number in range(tries):
        place = folder / f"{number}.{seed}"
        trained(system, number, place, seed)
        scores.append(bleu(translated(system, place, validation, "validation", 5).lines, references, arguments.target))
    return scores.index(max(scores))


def measure(systems: Systems, folder: Path, seeds: Sequence[int], test: Sequence[Pair]) -> list[Row]:
    """Train every system with every seed; then translate, the systems in turn for each seed."""
    rows = {name: Row(name, [], [], []) for name in systems}
    for seed in seeds:
        for name, (system, number) in systems.items():
            rows[name].trainings.append(trained(system, number, folder / name / f"{number}.{seed}", seed))
    for seed in seeds:
        for name, (system, number) in systems.items():
            for beam, found in ((1, rows[name].greedy), (5, rows[name].beam)):
                found.append(translated(system, folder / name / f"{number}.{seed}", test, "test", beam))
    return list(rows.values())


def side_by_side(arguments: argparse.Namespace, text: Text) -> list[Row]:
    """Choose settings, train and translate: ours, each peer at equal time, and with the updates of the arguments."""
    folder, seeds = arguments.folder.resolve(), arguments.seeds
    validation, test = (pairs_of(text.folder, split, (text.source, text.target)) for split in ("validation", "test"))

    def chosen(name: str, system: System) -> tuple[System, int]:
        return system, best_try(system, folder / name, arguments, validation)

    systems: Systems = {"ours": chosen("ours", Ours(text, arguments.ours))}
    system, best = systems["ours"]
    ours = trained(system, best, folder / "ours" / f"{best}.{seeds[0]}", seeds[0])
    pythons = {"joeynmt": arguments.joeynmt, "eole": arguments.eole}
    for word in arguments.systems:
        toolkit, shape = word.split(":")
        if pythons[toolkit] is None:
            continue
        peer = PEERS[toolkit](pythons[toolkit])
        name, scaled = f"{toolkit}-{shape}", peer.adapted(SHAPES[shape]).scaled(ours.parameters, text.tokenizer.size)
        published = Transformer(text, peer, scaled, [arguments.updates])
        fitting = [
            updates_within(ours.seconds, published, number, folder / f"{name}-timed", seeds[0])
            for number in range(arguments.tries)
        ]
        equal = f"{name}-equal-time"
        systems[equal] = chosen(equal, published._replace(updates=fitting))
        systems[name] = published, 0
    return measure(systems, folder, seeds, test)


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", default="en", help="language code, also the ending of the files")
    parser.add_argument("--target", default="de", help="the same")
    parser.add_argument("--validation", default="dev", help="name of the files of the validation set")
    parser.add_argument("--test", default="test", help="name of the files of the test set")
    parser.add_argument("--pairs", type=int, help="train on the first pairs only")
    parser.add_argument("--vocabulary", type=int, default=5000, help="tokens of the joint vocabulary")
    parser.add_argument("--joeynmt", type=Path, help="Python of JoeyNMT's environment")
    parser.add_argument("--eole", type=Path, help="Python of eole's environment")
    pairs = [f"{toolkit}:{shape}" for toolkit in PEERS for shape in SHAPES]
    parser.add_argument("--systems", nargs="*", choices=pairs, default=["eole:tiny", "joeynmt:masakhane"])
    parser.add_argument("--updates", type=int, default=8000, help="of the peers' longer training")
    parser.add_argument("--tries", type=int, choices=range(1, len(TRIES) + 1), default=len(TRIES), help="of settings")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--ours", nargs="+", default=["experiment=multi30k_student"], help="settings of train.py")
    arguments = parser.parse_args()
    for python in filter(None, (arguments.joeynmt, arguments.eole)):
        if not python.is_file():
            parser.error(f"{python} does not exist: install the peer as its file in {Path(__file__).parent} shows")
    try:
        text = prepare(arguments, arguments.folder.resolve() / "text")
        rows = side_by_side(arguments, text)
        seeds = f"Seeds {', '.join(map(str, arguments.seeds))}."
        report(rows, arguments.folder, text, f"{heading('peers')}\n\n{seeds}")
    except (ConfigError, DataError, RunError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: the same command continues")


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[3])
    main()
