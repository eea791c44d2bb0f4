"""Writing an exported folder: all at once, or nothing."""

import json
from collections.abc import Callable
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import torch

from seq2seq.errors import DISTRIBUTION, ConfigError, RunError, install_hint
from seq2seq.export.check_json import check_sentences
from seq2seq.export.config_json import portable_config
from seq2seq.export.html import write_page
from seq2seq.export.limits import check_exportable
from seq2seq.inference.members import Members
from seq2seq.model import ModelConfig
from seq2seq.model.weights import save_quantized, save_weights
from seq2seq.portable.check import check_translator
from seq2seq.portable.errors import PortableError
from seq2seq.portable.folder import CHECK, CONFIG, COPY, WEIGHTS
from seq2seq.portable.translator import Translator
from seq2seq.run.card import write_card
from seq2seq.run.folder import SHORTLIST, RunFolder
from seq2seq.run.metadata import tokenizer_hashes
from seq2seq.search import SearchConfig
from seq2seq.system.atomic import new_folder
from seq2seq.tokenizer.tokenizer import save_tokenizers

REQUIREMENTS = "numpy>=2\nonnxruntime>=1.19\nsentencepiece>=0.2\n"

PROGRAM = '''"""Translate with the model in this folder, without PyTorch.

python -m pip install -r requirements.txt
python translate.py < in.txt > out.txt
python translate.py --help
"""

import sys
from pathlib import Path

from seq2seq_portable.__main__ import main

if __name__ == "__main__":
    sys.exit(main(folder=Path(__file__).resolve().parent))
'''


def export(run: RunFolder, output: Path, precision: str | None = None, search: SearchConfig | None = None) -> None:
    """Export the best model of a run, and compare the engines without PyTorch with PyTorch.

    Args:
        run: the run folder.
        output: the new folder.
        precision: the form of the weights, float32 or int8; None: that of the run.
        search: the search settings of the exported model; None: those of the run.

    Raises:
        ConfigError: a setting cannot be exported; the message names it.
        RunError: ``output`` exists or cannot be written, the run is damaged, or the exported model computes something
            else.
    """
    write_graphs = _graph_writer()
    loaded = run.load()
    search = loaded.search if search is None else search
    check_exportable(loaded.network.config, search)
    precision = precision or ("int8" if loaded.quantized else "float32")
    with new_folder(output) as made:
        write_json(made / CONFIG, portable_config(run, loaded, search, precision))
        save = save_quantized if precision == "int8" else save_weights
        save(loaded.network, made / WEIGHTS, loaded.metadata)
        save_tokenizers(loaded.tokenizers, made)
        if (run.path / SHORTLIST).is_file():
            run.load_shortlist(loaded.tokenizers).save(made / SHORTLIST, tokenizer_hashes(loaded.tokenizers))
        copies = loaded.tokenizers.copies()
        write_graphs(loaded.network.config, made, copies)
        write_json(made / CHECK, _check_sentences(made, run, search))
        copy_portable(made)
        check_folder(made)
        write_card(made, run, name=output.absolute().name)
        write_page(made)  # it shows the card,
        write_card(made, run, name=output.absolute().name)  # which lists all files


def _graph_writer() -> Callable[[ModelConfig, Path, list[int]], None]:
    """`onnx_graph.write_graphs`.

    Raises:
        ConfigError: onnx or onnxruntime is not installed.
    """
    try:
        from seq2seq.export.onnx_graph import write_graphs
    except ModuleNotFoundError as error:
        raise ConfigError(f"exporting needs {error.name}: {install_hint('portable')}") from None
    return write_graphs


def _check_sentences(folder: Path, run: RunFolder, search: SearchConfig) -> dict[str, Any]:
    member = RunFolder.open(folder).load().member(torch.device("cpu"), "float32")
    numpy = Translator.load(folder, "numpy", check=False)
    tag = run.flat_settings.get("data.source_tag")
    return check_sentences(Members((member,), None, None, 0.0), search, tag, numpy)


def check_folder(folder: Path) -> list[str]:
    """Translate all sentences of check.json with each engine.

    Returns:
        A line for each engine.

    Raises:
        RunError: a translation differs.
    """
    lines = []
    for engine in ("numpy", "onnx"):
        try:
            translator = Translator.load(folder, engine, check=False)
            count = check_translator(translator, folder)
        except PortableError as error:
            raise RunError(str(error)) from None
        lines.append(f"{engine}: {count} translations are those of PyTorch")
    return lines


def copy_portable(folder: Path) -> None:
    """Copy `seq2seq.portable` into a folder, with a program that translates and a list of what it needs."""
    package = folder / COPY
    package.mkdir()
    for file in resources.files("seq2seq.portable").iterdir():
        if file.name.endswith(".py"):
            text = file.read_text(encoding="utf-8").replace("seq2seq.portable", COPY)
            save_text(package / file.name, text)
    save_text(package / "LICENSE", licence_text())
    save_text(folder / "translate.py", PROGRAM)
    save_text(folder / "requirements.txt", REQUIREMENTS)


def licence_text() -> str:
    """The licence of this program, which its copies contain."""
    root = Path(__file__).parents[2] / "LICENSE"
    if root.is_file():
        return root.read_text(encoding="utf-8")
    files = metadata.files(DISTRIBUTION) or []
    return next((file.read_text(encoding="utf-8") for file in files if file.name == "LICENSE"), "MIT licence\n")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file."""
    save_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def save_text(path: Path, text: str) -> None:
    """Write a text file with the same bytes on all systems.

    Raises:
        RunError: the text has half a character.
    """
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except UnicodeEncodeError as error:  # YAML can name a lone surrogate
        near = text[max(0, error.start - 20) : error.end]
        raise RunError(f"a setting of the run has half a character ({near!r}): correct its config.yaml") from None
