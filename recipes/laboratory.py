"""Draw classic figures from the literature for any run: a picture, its data as JSON, and a table.

python recipes/laboratory.py run=runs/demo
python recipes/laboratory.py run=runs/demo figures=[contexts] contexts.input=sentences.txt
python recipes/laboratory.py run=runs/a runs=[runs/b,runs/c] figures=[lengths,exposure]
python recipes/laboratory.py run=runs/demo figures=[interpolation] "interpolation.sentences=['We work.','She sleeps.']"
python recipes/laboratory.py run=runs/demo figures=[attention]
python recipes/laboratory.py run=runs/demo figures=[reversal]
python recipes/laboratory.py run=runs/demo figures=[width] sweep.widths=[16,64,256]
"""

from pathlib import Path
from typing import TYPE_CHECKING

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq import __version__
from seq2seq.figures.config import Figure, LaboratoryConfig

if TYPE_CHECKING:
    from seq2seq.figures.systems import System


@recipe
def main(config: LaboratoryConfig) -> None:
    """Draw the figures into the folder ``output``; train missing variants in folders below it."""
    config.check()
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.figures.figure import make_figure
    from seq2seq.figures.interpolation import check_no_attention
    from seq2seq.figures.pictures import save
    from seq2seq.figures.report import write_json
    from seq2seq.figures.systems import System, corpus_to_score, legend_names, pairs_to_score
    from seq2seq.model import AttentionKind
    from seq2seq.system.atomic import remove_outdated
    from seq2seq.system.hub import local_folder, results_folder
    from seq2seq.system.lock import locked_output

    folders = [local_folder(run) for run in [config.run, *config.runs]]
    output = Path(config.output or f"{results_folder(config.run)}-laboratory").expanduser()
    corpus = corpus_to_score(config.data, folders[0], config.split)
    names = zip(folders, legend_names([results_folder(folder) for folder in folders]), strict=True)
    systems = [System.load(folder, name, config.device, config.data) for folder, name in names]
    figures = config.selected(attends=systems[0].network.config.attention is not AttentionKind.none)
    config.check_used(figures)
    if Figure.interpolation in figures:
        check_no_attention(systems[0])  # before any training
    pairs = pairs_to_score(corpus, config.split) if any(figure.needs_pairs for figure in figures) else []
    for figure in figures:
        compared = {system.name: variants(figure, system, config, output) for system in systems}
        picture, data = output / f"{figure}.png", output / f"{figure}.json"
        with locked_output(data):
            result = make_figure(figure, compared, corpus, pairs, config)
            facts = {"seq2seq": __version__, "figure": figure, "corpus": corpus and corpus.name, "settings": config}
            remove_outdated(data)
            save(result.figure, picture)
            write_json(data, {**facts, "found": result.data})
        print(f"\n{result.table}\n{picture}\n{data}", flush=True)


def variants(figure: Figure, system: "System", config: LaboratoryConfig, output: Path) -> "list[System]":
    """Train and load the variants of a run that a figure compares; other figures use the run itself."""
    from seq2seq.api import train
    from seq2seq.figures.systems import System
    from seq2seq.figures.variants import run_variants, train_variant

    if not figure.trains:
        return [system]
    folder = output / "siblings"  # the name in earlier versions: their finished variants are not trained again
    folder = folder if folder.exists() else output / "variants"
    trained = run_variants(figure, system.folder, folder / system.name, config.sweep, config.device)
    for variant in trained:
        print(f"\n{variant.name}: {variant.folder}", flush=True)
        train_variant(variant, train)
    prefix = f"{system.name}, " if config.runs else ""
    return [System.load(run.folder, f"{prefix}{run.name}", config.device, config.data) for run in trained]


if __name__ == "__main__":
    main()
