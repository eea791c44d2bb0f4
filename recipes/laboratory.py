"""The figures that made the field, drawn from any run: of each a picture, its data as JSON, and a table.

python recipes/laboratory.py run=runs/demo
python recipes/laboratory.py run=runs/demo figures=[contexts] contexts.input=sentences.txt
python recipes/laboratory.py run=runs/demo figures=[interpolation] "interpolation.sentences=['We work.','She sleeps.']"
python recipes/laboratory.py run=runs/a runs=[runs/b,runs/c] figures=[lengths,exposure]
python recipes/laboratory.py run=runs/demo figures=[attention]
python recipes/laboratory.py run=runs/demo figures=[reversal]
python recipes/laboratory.py run=runs/demo figures=[width] sweep.widths=[16,64,256]
"""

from pathlib import Path

from seq2seq import __version__
from seq2seq.config.hydra import recipe
from seq2seq.figures import interpolation
from seq2seq.figures.config import Figure, LaboratoryConfig
from seq2seq.figures.figure import draw
from seq2seq.figures.report import write
from seq2seq.figures.systems import System, corpus_for, names, pairs_of
from seq2seq.figures.variants import siblings, train_sibling
from seq2seq.model import AttentionKind
from seq2seq.recipes.train import train
from seq2seq.system.atomic import remove_outdated
from seq2seq.system.lock import locked_output


@recipe
def main(config: LaboratoryConfig) -> None:
    """Draw what is asked for into the folder ``output``; train what a comparison lacks in folders below it."""
    config.check()
    folders = [Path(run).expanduser() for run in [config.run, *config.runs]]
    output = Path(config.output or f"{config.run.rstrip('/')}-laboratory").expanduser()
    corpus = corpus_for(config.data, folders[0], config.split)
    named = zip(folders, names(folders), strict=True)
    systems = [System.load(folder, name, config.device, config.data) for folder, name in named]
    figures = config.chosen(attends=systems[0].network.config.attention is not AttentionKind.none)
    if Figure.interpolation in figures:
        interpolation.check(systems[0])  # before anything is trained
    pairs = pairs_of(corpus, config.split) if any(figure.translates for figure in figures) else []
    for figure in figures:
        families = {one.name: family(figure, one, config, output) if figure.trains else [one] for one in systems}
        picture, data = output / f"{figure}.png", output / f"{figure}.json"
        with locked_output(data):
            drawn = draw(figure, families, corpus, pairs, config)
            facts = {"seq2seq": __version__, "figure": figure, "corpus": corpus and corpus.name, "settings": config}
            remove_outdated(data)
            drawn.save(picture)
            write(data, {**facts, "found": drawn.found})
        print(f"\n{drawn.table}\n{picture}\n{data}", flush=True)


def family(figure: Figure, system: System, config: LaboratoryConfig, output: Path) -> list[System]:
    """The runs like this one that a figure compares, each trained to its end."""
    members = siblings(figure, system.folder, output / "siblings" / system.name, config.sweep, config.device)
    for member in members:
        print(f"\n{member.name}: {member.folder}", flush=True)
        train_sibling(member, train)
    before = f"{system.name}, " if config.runs else ""
    return [System.load(one.folder, f"{before}{one.name}", config.device, config.data) for one in members]


if __name__ == "__main__":
    main()
