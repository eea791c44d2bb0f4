"""Settings that changed name: their old names still work on the command line and in the config.yaml of a run."""

import re
from collections.abc import Container, Iterable
from typing import Any

RENAMED: dict[str, str] = {
    "runners_up": "alternatives",
    "corpus.silenced": "corpus.ablated",
    "serving.questions": "serving.requests",
    "limits.pieces": "limits.tokens",
    "limits.drawn": "limits.picture_tokens",
}
"""Dotted path of a setting or of a section, old to new: ``"search.old_name": "search.new_name"``."""


def rename_overrides(
    overrides: Iterable[str], settings: Container[str], renamed: dict[str, str] = RENAMED
) -> tuple[list[str], list[str]]:
    """Replace old names of settings in Hydra overrides.

    Args:
        overrides: arguments of a recipe, such as ``search.old_name=3`` or ``+old_name=3``.
        settings: dotted paths that the recipe defines. An old name among them keeps its present meaning.
        renamed: old paths and their new ones.

    Returns:
        The overrides with new names, and one line for each replaced name.
    """
    current, notes = [], []
    for override in overrides:
        for old, new in renamed.items():
            match = re.match(rf"([+~]{{0,2}}){re.escape(old)}(?=[.=@]|$)", override)
            if match and old not in settings:
                override = f"{match[1]}{new}{override[match.end() :]}"
                notes.append(f"note: {old} is now called {new}; the old name works in this version")
        current.append(override)
    return current, notes


def rename_settings(values: dict[str, Any], renamed: dict[str, str] = RENAMED) -> dict[str, Any]:
    """Move values of a run's config.yaml from old names to new ones, in place; a value under a new name stays.

    A path may lead through lists: it then holds for each of their entries.
    """
    for old, new in renamed.items():
        _move(values, old.split("."), new.split("."))
    return values


def _move(values: Any, old: list[str], new: list[str]) -> None:
    if isinstance(values, list):
        for entry in values:
            _move(entry, old, new)
    elif isinstance(values, dict) and old[0] in values:
        if old[0] == new[0] and len(old) > 1 and len(new) > 1:
            _move(values[old[0]], old[1:], new[1:])
        else:
            _carry(values, old, new)


def _carry(values: dict[str, Any], old: list[str], new: list[str]) -> None:
    """Take the value at one path out of nested mappings and put it at another path."""
    source = values
    for name in old[:-1]:
        source = source.get(name)  # type: ignore[assignment]
        if not isinstance(source, dict):
            return
    if old[-1] not in source:
        return
    value = source.pop(old[-1])
    target = values
    for name in new[:-1]:
        target = target.setdefault(name, {})
        if not isinstance(target, dict):
            return
    target.setdefault(new[-1], value)
