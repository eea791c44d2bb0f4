"""Text of the user's own in recipes/train.py: the general settings it gets, and the check that it is named."""

import re
from collections.abc import Sequence

from seq2seq.corpora.config import DataConfig
from seq2seq.errors import ConfigError

NAMES_TEXT = re.compile(
    r"\+{0,2}data\.(?:(?:train|validation|test)(?:\.\w+)?|file|hub(?:\.name)?)=(?!null$).*", re.DOTALL
)
"""An argument that names text: files of a split, one file for all splits, or a hub data set."""

SETTINGS = {"experiment": "auto"}
"""The choice for own text if the arguments say nothing about the model or ``experiment=null``."""

OWN_MODEL = {"data": "files", "model": "attention"}
"""The choices for own text if they do: who names parts of the model gets none that the text has chosen."""

NAMES_MODEL = re.compile(r"[+~]{0,2}(?:model[.=@]|experiment=)")
"""An argument about the model, or about the experiment that has one."""


def with_settings_for_own_text(arguments: Sequence[str], names_text: bool = False) -> tuple[list[str], list[str]]:
    """Add `SETTINGS` or `OWN_MODEL` to arguments that name text but neither ``data=`` nor ``experiment=``.

    Without them, own text would get the settings of the built-in corpus, which suit only that. A choice that the
    arguments make stays.

    Args:
        arguments: of recipes/train.py.
        names_text: whether there is text that the arguments do not name, such as pairs from Python.

    Returns:
        The arguments, and the line that reports the addition, if there is one: the first line of the run.
    """
    chosen = {match[1] for argument in arguments if (match := re.match(r"\+{0,2}(\w+)=(?!null$)", argument))}
    other_config = any(re.match(r"--config-name|-cn", argument) for argument in arguments)
    named = [place for place, argument in enumerate(arguments) if NAMES_TEXT.fullmatch(argument)]
    if not (named or names_text) or other_config or chosen & {"data", "experiment"}:
        return [*arguments], []
    own_model = any(map(NAMES_MODEL.match, arguments))
    choices = OWN_MODEL if own_model else SETTINGS
    added = [f"{group}={choice}" for group, choice in choices.items() if group not in chosen]
    note = f"own text without data= or experiment=: using {' '.join(added)}"
    if own_model:
        note += "; experiment=auto beside your settings chooses all others by your text"
    place = named[0] if named else 0  # argparse wants settings side by side, not before and after --cfg job
    return [*arguments[:place], *added, *arguments[place:]], [note]


def check_text_is_named(data: DataConfig) -> None:
    """Check that settings composed with ``data=files`` name text.

    Raises:
        ConfigError: they do not, so that training would read the built-in corpus.
    """
    if data.file is None and data.hub.name is None and not any(part.names_text for part in data.splits.values()):
        raise ConfigError(
            "data=files names no text: set data.file=FILE, or data.train.file=FILE and so on, or data=builtin for the "
            "built-in corpus"
        )
