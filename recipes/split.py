"""Split one file of sentence pairs into training, validation and test files that share no near copies.

python recipes/split.py data.file=pairs.csv
python recipes/split.py data.file=pairs.tsv data.split=[90,5,5] data.split_seed=2 output=parts
python recipes/split.py data.file=pairs.jsonl data.source_language=en data.target_language=vi data.split=[500,500]
"""

from pathlib import Path

from seq2seq.config.hydra import recipe
from seq2seq.config.recipes import SplitFileConfig
from seq2seq.corpora.archives import split_path
from seq2seq.corpora.config import Split
from seq2seq.errors import ConfigError
from seq2seq.report.help import assignment, command


@recipe
def main(config: SplitFileConfig) -> None:
    """Write a file for each set into a new folder, print a report and the command that trains on them."""
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.corpora.reading import split_file
    from seq2seq.corpora.splitting import write_sets

    if config.data.file is None:
        raise ConfigError("no file to split: name it with data.file=FILE")
    path = split_path(Path(config.data.file).expanduser())[0]
    stem = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    output = path.with_name(f"{stem}-split") if config.output is None else Path(config.output).expanduser()
    split = split_file(config.data)
    files = write_sets(split, output)
    print(split)
    for file in files.values():
        print(file)
    words = [assignment(f"data.{part}.file", file) for part, file in files.items()]
    if files[Split.train].suffix == ".tsv":
        words.append("data.format=tsv")  # quotation marks are text
    languages = [
        f"data.source_language={config.data.source_language}",
        f"data.target_language={config.data.target_language}",
    ]
    print("next:", command("train"), "data=files model=attention run=runs/mine", *languages, *words)


if __name__ == "__main__":
    main()
