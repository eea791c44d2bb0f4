"""Split one file of sentence pairs into training, validation and test files that share no near copies.

python recipes/split.py data.file=pairs.csv
python recipes/split.py data.file=pairs.tsv data.split=[90,5,5] data.split_seed=2 output=parts
python recipes/split.py data.file=pairs.jsonl data.source_language=en data.target_language=vi data.split=[500,500]
"""

from pathlib import Path

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.config.recipes import SplitFileConfig
from seq2seq.corpora.archives import split_path
from seq2seq.corpora.config import Split
from seq2seq.report.help import assignment, command


@recipe
def main(config: SplitFileConfig) -> None:
    """Write a file for each set into a new folder, print a report and the command that trains on them."""
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.corpora.formats import column_names
    from seq2seq.corpora.reading import split_file
    from seq2seq.corpora.splitting import write_sets

    split = split_file(config.data)
    path = split_path(Path(config.data.file or "").expanduser())[0]
    stem = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    output = path.with_name(f"{stem}-split") if config.output is None else Path(config.output).expanduser()
    source, target = column_names(config.data)
    columns = ("source", "target") if source == target else (source, target)
    files = write_sets(split, output, columns)
    print(split)
    for file in files.values():
        print(file)
    settings = {"source_language": config.data.source_language, "target_language": config.data.target_language}
    if files[Split.train].suffix == ".jsonl" and columns != (*settings.values(),):  # other files lack names of columns
        settings |= {"source_column": columns[0], "target_column": columns[1]}
    words = [assignment(f"data.{name}", value) for name, value in settings.items()]
    words += [assignment(f"data.{part}.file", file) for part, file in files.items()]
    if files[Split.train].suffix == ".tsv":
        words.append("data.format=tsv")  # quotation marks are text
    print("next:", command("train"), "experiment=auto run=runs/mine", *words)


if __name__ == "__main__":
    main()
