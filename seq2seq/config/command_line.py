"""Arguments of a recipe before Hydra parses them.

Hydra has a grammar for values: commas, quotes, letters outside ASCII and more need quotes there, after the shell has
removed its own. `quote_text` adds them to settings that are text, so that the value arrives as the shell passes it.
"""

import re
from collections.abc import Sequence
from types import NoneType
from typing import Any, get_args

from seq2seq.errors import ConfigError
from seq2seq.settings import HYDRA_QUOTED, hydra_quoted, walk

FOREIGN: dict[str, str] = {
    "batch_size": "batch.tokens",
    "bs": "batch.tokens",
    "emb_size": "model.embedding_size",
    "embed_dim": "model.embedding_size",
    "dropout": "model.dropout",
    "epochs": "training.epochs",
    "hidden_size": "model.encoder.size",
    "layers": "model.encoder.layers",
    "learning_rate": "optimizer.learning_rate",
    "lr": "optimizer.learning_rate",
    "max_epochs": "training.epochs",
    "max_steps": "training.updates",
    "num_epochs": "training.epochs",
    "num_layers": "model.encoder.layers",
    "output_dir": "run",
    "patience": "training.patience",
    "rnn_size": "model.encoder.size",
    "rnn_type": "model.encoder.cell",
    "save_dir": "run",
    "steps": "training.updates",
    "vocab_size": "tokenizer.size",
    "warmup_steps": "schedule.warmup",
    "weight_decay": "optimizer.weight_decay",
}
"""Names of settings in other toolkits and the setting meant, if the recipe has it."""

OVERRIDE = re.compile(r"(\+{0,2}([\w.]+)=)(.*)", re.DOTALL)
RESOLVER = r"oc\.[\w.]+:|hydra[.:]|now:"
SWEEP = re.compile(r"(choice|glob|shuffle|sort|tag)\(.*\)", re.DOTALL)
QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
ENTRY = re.compile(rf"\s*({QUOTED}|[^,]*?)\s*,", re.DOTALL)
"""An entry of a comma list: in quotes, which may contain commas, or up to the next comma."""


def quote_text(arguments: Sequence[str], config: Any) -> list[str]:
    """Quote the values of text settings for Hydra, so that they arrive as they are.

    Four kinds of values keep their meaning in Hydra:

    - ``null`` for a setting that may be null (``'null'`` is the word),
    - a value in single quotes, ``'…'``, as was necessary before,
    - an interpolation of a setting or of a resolver, such as ``runs/${seed}`` or ``${oc.env:HOME}/runs``,
    - in a sweep (``-m``), a comma list, whose entries are quoted one by one, and ``choice(…)`` or ``glob(…)``.

    Entries of a list of text, ``[…]``, are separated by commas; an entry that contains a comma needs quotes, of either
    kind.

    Args:
        arguments: of the recipe, such as ``text=Yes, I do.``.
        config: its settings; any other argument stays.
    """
    kinds = {path: item.type for path, item, _ in walk(config)}
    interpolation = re.compile(rf"\$\{{(?:{RESOLVER}|(?:{'|'.join(map(re.escape, kinds))})\}})")
    sweep = any(argument in ("-m", "--multirun", "hydra.mode=MULTIRUN") for argument in arguments)

    def quoted(argument: str) -> str:
        match = OVERRIDE.fullmatch(argument)
        if match is None or match[2] not in kinds:
            return argument
        name, path, value = match.groups()
        if kinds[path] == list[str]:
            inside = value[1:-1]
            return f"{name}[{_entries(inside, interpolation)}]" if _is_list(value) and inside.strip() else argument
        if not _is_text(kinds[path]) or (value == "null" and kinds[path] is not str):
            return argument
        if sweep and ("," in value or SWEEP.fullmatch(value)):
            return argument if SWEEP.fullmatch(value) else f"{name}{_entries(value, interpolation)}"
        return f"{name}{_quoted(value, interpolation)}"

    return [quoted(argument) for argument in arguments]


def foreign_name(name: str, config: Any) -> str | None:
    """The setting that a name from another toolkit means in this recipe, such as ``lr``; None: no such setting."""
    meant = FOREIGN.get(name.rpartition(".")[2].replace("-", "_"))
    return meant if meant in {path for path, _, _ in walk(config)} else None


def refuse_dashes(arguments: Sequence[str], config: Any) -> None:
    """Refuse settings that are written as options.

    Raises:
        ConfigError: an argument is ``--run=x`` or ``--epochs``; names the setting meant.
    """
    known = {path for path, _, _ in walk(config)}
    for argument in arguments:
        match = re.match(r"--([\w.-]+)(=.*)?$", argument, re.DOTALL)
        if match is None or (match[1] == "run" and not match[2]):  # --run is an option of Hydra
            continue
        name = match[1].replace("-", "_")
        setting = name if name in known else foreign_name(name, config)
        if setting:
            raise ConfigError(f"{argument} is not an option: set {setting}{match[2] or '=VALUE'}, without dashes")


def _is_text(kind: Any) -> bool:
    return kind is str or {*get_args(kind)} == {str, NoneType}


def _is_list(value: str) -> bool:
    """Whether a value is one list, neither several in a sweep nor nested."""
    return value.startswith("[") and value.endswith("]") and not re.search(r"[\[,]\s*[\[{]", value)


def _quoted(value: str, interpolation: re.Pattern[str]) -> str:
    return value if HYDRA_QUOTED.fullmatch(value) else hydra_quoted(value, interpolation)


def _entries(text: str, interpolation: re.Pattern[str]) -> str:
    """A comma list with each entry in quotes; an empty entry stays, for Hydra to refuse."""
    entries = [match[1] for match in ENTRY.finditer(f"{text},")]
    return ",".join(
        part if not part or re.fullmatch(QUOTED, part, re.DOTALL) else hydra_quoted(part, interpolation)
        for part in entries
    )
