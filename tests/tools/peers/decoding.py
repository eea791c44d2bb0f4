"""Speed of translation, ours beside LSTMs of OpenNMT-py and eole and a Transformer of eole, which CTranslate2 runs too.

OMP_NUM_THREADS=2 python -m tests.tools.peers.decoding TEXT FOLDER --runs runs/student --source en --target de \
    --validation val --test test_2016_flickr --opennmt ../opennmt-py/bin/python \
    --eole ../eole/bin/python

TEXT is as for ``python -m tests.tools.peers``. All systems have the vocabulary of the first run, which must be joint.
The LSTMs have its sizes (`lstm.py` shows how OpenNMT-py is installed), the Transformer its number of weights. They are
trained in FOLDER, and finished trainings are kept. FOLDER may be one of ``tests.tools.peers``, with the arguments given
there and ``--runs FOLDER/ours/0.1``: then the Transformer is not trained again. CTranslate2 is part of eole's
environment; the tool counts how many of its translations are eole's.

Each system is a process of its own, which loads its model and translates everything once before the rounds; then the
systems translate in turn, A B C A B C. The time is that of the call that translates, without loading and without
starting: for ours from text to text, for the others from tokens to tokens. Sentences are sorted by length. The batch
sizes of the others are the fastest of ``--batches``; ours chooses its batches itself. One sentence at a time is a call
for each in ours and in CTranslate2, and one call with batch size 1 in OpenNMT-py and eole, which is faster for them.
Every toolkit searches with its own defaults, the peers in float32 unless the table says int8. Target tokens are those
of the translations in the common vocabulary.

Restrict all to AVX2 with ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2
CT2_FORCE_CPU_ISA=AVX2. FOLDER/NAME.md has the tables, NAME.json all measurements.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from seq2seq.errors import ConfigError, DataError, RunError
from seq2seq.model.config import ModelConfig
from seq2seq.model.weights import read_size
from seq2seq.run.folder import MODEL, RunFolder
from tests.tools.heading import heading
from tests.tools.peers.__main__ import Trainer, Transformer, trained
from tests.tools.peers.eole import Eole
from tests.tools.peers.lstm import EoleLSTM, OpenNMTLSTM, Sizes
from tests.tools.peers.speed import System, Table, equal_translations, measure, started
from tests.tools.peers.speed_table import document
from tests.tools.peers.text import Text, pairs_of, prepare
from tests.tools.peers.transformer import SHAPES, run


def worker(python: object, toolkit: str, model: Path, option: str = "") -> list[str]:
    """The command of a system."""
    script = Path(__file__).with_name("worker.py")
    return [str(word) for word in (python, script, toolkit, model, option) if word]


def our_systems(runs: Sequence[RunFolder], precisions: Sequence[str]) -> Iterator[System]:
    """Every run in every precision."""
    for each in runs:
        name = "ours" if len(runs) == 1 else f"ours {each.path}"
        parameters = read_size(each.path / MODEL)[0]
        for precision in precisions:
            command = worker(sys.executable, "ours", each.path.resolve(), precision)
            yield System(f"{name} {precision}", "ours", parameters, command)


def matched_lstms(arguments: argparse.Namespace, text: Text, sizes: Sizes) -> Iterator[System]:
    """The LSTMs of the peers, trained unless that is done."""
    folder, seed = arguments.folder.resolve(), arguments.seed
    peers: list[tuple[str, str, Path | None, Any, str]] = [
        ("OpenNMT-py", "opennmt", arguments.opennmt, OpenNMTLSTM, "final.pt"),
        ("eole", "eole", arguments.eole, EoleLSTM, "final"),
    ]
    for name, group, python, kind, file in peers:
        if python is not None:
            system: Trainer = kind(text, python, sizes, arguments.lstm_updates)
            place = folder / f"{group}-lstm" / f"0.{seed}"
            weights = trained(system, 0, place, seed).parameters
            yield System(f"{name} LSTM", group, weights, worker(python, group, place / file))


def transformer(arguments: argparse.Namespace, text: Text, parameters: int) -> tuple[Path, int]:
    """Eole's Transformer of as many weights, trained unless that is done: its folder and its number of weights."""
    peer = Eole(arguments.eole)
    shape = peer.adapted(SHAPES[arguments.shape]).scaled(parameters, text.tokenizer.size)
    system = Transformer(text, peer, shape, [arguments.updates])
    model = arguments.folder.resolve() / f"eole-{arguments.shape}" / f"0.{arguments.seed}"
    return model, trained(system, 0, model, arguments.seed).parameters


def convert(python: Path, model: Path) -> Path:
    """Write a Transformer of eole in the format of CTranslate2, and return the folder."""
    converted = Path(f"{model}.ctranslate2")
    shutil.rmtree(converted, ignore_errors=True)
    run([python, Path(__file__).with_name("convert.py"), model / "final", converted], Path(f"{converted}.log"))
    return converted


def checked(python: Path, model: Path, converted: Path, text: Text, sources: Sequence[str]) -> str:
    """State how many translations of CTranslate2 are those of eole; without length penalties, which they define alike.

    With them eole stops earlier, so that searches differ.
    """
    systems = [
        System("eole", "eole", 0, worker(python, "eole", model / "final", "none")),
        System("CTranslate2", "ctranslate2", 0, worker(python, "ctranslate2", converted, "float32,0")),
    ]
    equal = equal_translations(systems, text, sources, Path(f"{converted}.check"))
    counts = ", ".join(f"{count:,} with beam {beam}" for beam, count in equal.items())
    return (
        f"CTranslate2 (float32) and eole, both without length penalty, of {len(sources):,} translations: {counts} equal"
    )


def side_by_side(arguments: argparse.Namespace) -> tuple[str, Table]:
    """Train what is missing, measure, and return the tables as text and as numbers.

    Raises:
        SystemExit: the vocabulary of the first run is not joint, or a program failed.
    """
    runs = [RunFolder.open(path) for path in arguments.runs]
    tokenizers = runs[0].tokenizers()
    if not tokenizers.joint:
        sys.exit(
            f"error: {runs[0].path} has two vocabularies: name a run with a joint one first (tokenizer.joint=true)"
        )
    folder = arguments.folder.resolve()
    text = prepare(arguments, folder / "text", tokenizers.source)
    test = pairs_of(text.folder, "test", (text.source, text.target))[: arguments.sentences]
    systems = [*our_systems(runs, arguments.precisions)]
    parameters, notes = systems[0].parameters, [heading("peers.decoding")]
    systems += matched_lstms(arguments, text, Sizes.of(runs[0].section("model", ModelConfig)))
    if arguments.eole is not None:
        model, weights = transformer(arguments, text, parameters)
        converted = convert(arguments.eole, model)
        notes.append(checked(arguments.eole, model, converted, text, [pair.source for pair in test]))
        command = worker(arguments.eole, "eole", model / "final")
        systems.append(System("eole Transformer", "transformer", weights, command))
        for kind in arguments.compute_types:
            command = worker(arguments.eole, "ctranslate2", converted, f"{kind},{arguments.length_penalty:g}")
            systems.append(System(f"CTranslate2 Transformer {kind}", "ctranslate2", weights, command))
    with ExitStack() as stack:
        logs = folder / f"{arguments.name}.logs"
        workers = [
            stack.enter_context(started(each, text, logs / f"{place}.log")) for place, each in enumerate(systems)
        ]
        table = measure(workers, test, arguments.rounds, arguments.batches, arguments.single)
    return document(systems, table, notes, text.target), table


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="run folders; the first one is matched")
    parser.add_argument("--precisions", nargs="+", default=["float32", "auto", "int8"], help="of ours")
    parser.add_argument("--source", default="en", help="language code, also the ending of the files")
    parser.add_argument("--target", default="de", help="the same")
    parser.add_argument("--validation", default="dev", help="name of the files of the validation set")
    parser.add_argument("--test", default="test", help="name of the files of the test set")
    parser.add_argument("--pairs", type=int, help="train on the first pairs only")
    parser.add_argument("--opennmt", type=Path, help="Python of OpenNMT-py's environment")
    parser.add_argument("--eole", type=Path, help="Python of eole's environment, which has CTranslate2")
    parser.add_argument("--lstm-updates", type=int, default=1000, help="of the LSTMs of the peers")
    parser.add_argument("--shape", choices=SHAPES, default="tiny", help="of the Transformer")
    parser.add_argument("--updates", type=int, default=8000, help="of the Transformer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compute-types", nargs="+", default=["float32", "int8"], help="of CTranslate2")
    parser.add_argument("--length-penalty", type=float, default=1.0, help="of CTranslate2; 0 ends its search earlier")
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64, 128], help="sizes that peers may have")
    parser.add_argument("--sentences", type=int, help="translate the first ones of the test set only")
    parser.add_argument("--single", type=int, default=200, help="sentences that are translated one at a time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--name", default="decoding", help="of the files with the results")
    arguments = parser.parse_args(words)
    for python in filter(None, (arguments.opennmt, arguments.eole)):
        if not python.is_file():
            parser.error(f"{python} does not exist: install the peer as lstm.py and eole.py show")
    if min(arguments.rounds, arguments.single, *arguments.batches) < 1:
        parser.error("--rounds, --single and --batches are at least 1")
    return arguments


def main() -> None:
    """Measure, and write the tables."""
    arguments = parsed()
    try:
        found, table = side_by_side(arguments)
    except (ConfigError, DataError, RunError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: the same command continues; it repeats measurements")
    (arguments.folder / f"{arguments.name}.md").write_text(found + "\n", "utf-8")
    values = {situation: {name: each._asdict() for name, each in row.items()} for situation, row in table.items()}
    (arguments.folder / f"{arguments.name}.json").write_text(json.dumps(values, ensure_ascii=False, indent=1), "utf-8")
    print(found)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[3])
    main()
