"""The program ``seq2seq``, or ``python -m seq2seq``: list experiments, copy one to edit, check a command.

It imports neither PyTorch nor a recipe. The recipes are programs of their own.
"""

import argparse
import ast
import difflib
import importlib.util
import os
import re
import textwrap
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from seq2seq import __version__
from seq2seq.config.error_lines import one_line_errors
from seq2seq.config.preflight import check_command
from seq2seq.config.schemas import conf_folder
from seq2seq.errors import ConfigError
from seq2seq.report.help import quoted
from seq2seq.system.atomic import atomic_write

EXPERIMENT = "experiment"


def main() -> None:
    """Run the command of the command line; errors are one line and exit code 1."""
    arguments = parser().parse_args()
    with one_line_errors(None):
        if arguments.command == "list":
            print("\n".join(listing()))
        elif arguments.command == "copy":
            print(copy_experiment(arguments.name, Path(arguments.file).expanduser()))
        else:
            print("\n".join([*check_command(arguments.recipe, arguments.settings), "ok"]))


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    result = argparse.ArgumentParser("seq2seq", description="List experiments, copy one to edit, check a command.")
    result.add_argument("--version", action="version", version=f"seq2seq {__version__}")
    commands = result.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list experiments and recipes")
    copy = commands.add_parser("copy", help="copy an experiment, to edit it")
    copy.add_argument("name", help="experiment, as seq2seq list names it")
    copy.add_argument("file", help="new file: PATH.yaml")
    check = commands.add_parser("check", help="check a command without running it")
    check.add_argument("recipe", help="such as train")
    check.add_argument("settings", nargs=argparse.REMAINDER, metavar="NAME=VALUE", help="the settings of the command")
    return result


def listing() -> Iterator[str]:
    """Each experiment and each recipe with its description."""
    yield f"experiments ({command('train')} experiment=NAME):"
    for name, file in experiments().items():
        yield described(name, first_sentence(file.read_text(encoding="utf-8")))
    yield f"\nrecipes ({command('NAME')} --help):"
    for path in sorted(recipes_folder().glob("[a-z]*.py")):
        yield described(
            path.stem, (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]
        )


def experiments() -> dict[str, Traversable]:
    """The file of each experiment."""
    files = sorted((conf_folder() / EXPERIMENT).iterdir(), key=lambda file: file.name)
    return {file.name.removesuffix(".yaml"): file for file in files if file.name.endswith(".yaml")}


def first_sentence(yaml: str) -> str:
    """The first sentence of the comment at the head of a YAML file."""
    lines = re.match(r"(?:# @package.*\n)?((?:#.*\n)*)", yaml)
    comment = " ".join(line.removeprefix("#").strip() for line in (lines[1] if lines else "").splitlines())
    return re.split(r"(?<! al)\.(?: |$)", comment)[0]


def described(name: str, text: str) -> str:
    """A name and its description; further lines are indented."""
    return textwrap.fill(text, 120, initial_indent=f"  {name:<20} ", subsequent_indent=" " * 23)


def copy_experiment(name: str, file: Path) -> str:
    """Copy an experiment to a new file; returns how to use the file.

    Raises:
        ConfigError: there is no such experiment, or the file exists or has another ending.
        RunError: the file cannot be written.
    """
    files = experiments()
    if name not in files:
        near = difflib.get_close_matches(name, files, n=1)
        raise ConfigError(
            f"there is no experiment {name}: {f'did you mean {near[0]}?' if near else 'see python -m seq2seq list'}"
        )
    path = file / f"{name}.yaml" if file.is_dir() else file
    if path.suffix != ".yaml":
        raise ConfigError(f"{path} must end in .yaml: name it {path}.yaml")
    if os.path.lexists(path):
        raise ConfigError(f"{path} already exists: name another file")
    with atomic_write(path) as temporary:
        temporary.write_bytes(files[name].read_bytes())
    use = f"{command('train')} {quoted(f'{EXPERIMENT}={path}')} {quoted(f'run=runs/{path.stem}')}"
    return f"{path} is a copy of experiment={name}. Edit it, then train:\n{use}"


def recipes_folder() -> Path:
    """The folder of recipes: in the installed package, or next to the library in a clone that is not installed."""
    found = importlib.util.find_spec("seq2seq.recipes")
    return Path(__file__).parents[1] / "recipes" if found is None or found.origin is None else Path(found.origin).parent


def command(name: str) -> str:
    """How a recipe is started: by its file in a clone, else by its console script."""
    folder = recipes_folder()
    return (
        f"seq2seq-{name}" if folder.parent == Path(__file__).parent else f"python {os.path.relpath(folder / name)}.py"
    )


if __name__ == "__main__":
    main()
