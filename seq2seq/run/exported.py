"""Reading an exported folder as a run folder: config.json in place of config.yaml."""

from pathlib import Path
from typing import Any

from seq2seq.errors import RunError
from seq2seq.portable.errors import PortableError
from seq2seq.portable.folder import CONFIG, read_config

EXPORTED_CONFIG = CONFIG

UNKNOWN = "not-in-the-exported-folder"
"""Stands for the training text, so that the built-in corpus is not taken for it."""


def exported_settings(folder: Path) -> dict[str, Any]:
    """The settings of a run that its exported folder keeps.

    Raises:
        RunError: config.json is missing or damaged.
    """
    try:
        config = read_config(folder)
        text, placeholders = config["text"], config["text"]["placeholders"] or {"kinds": [], "tags": []}
        return {
            "licence": config["licence"],
            "data": {
                "source_language": config["languages"]["source"],
                "target_language": config["languages"]["target"],
                "source_tag": text["source_tag"],
                "train": {"source": UNKNOWN, "target": UNKNOWN},
            },
            "tokenizer": {
                "algorithm": "word" if placeholders.get("whole_words") else "unigram",
                "normalization": text["normalization"],
                "placeholders": placeholders["kinds"],
                "tags": placeholders["tags"],
            },
            "model": config["model"],
            "search": config["search"],
        }
    except (KeyError, TypeError, AttributeError):
        raise RunError(f"{folder / CONFIG} is damaged: copy or export it again") from None
    except PortableError as error:
        raise RunError(str(error)) from None
