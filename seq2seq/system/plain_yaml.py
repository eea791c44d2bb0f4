"""YAML from files that somebody else may have written: plain values only, of limited size and depth."""

from typing import Any

import yaml

LONGEST_CONFIG = 1_000_000
"""Maximum size of config.yaml in bytes; a run with every setting changed needs about 5,000."""

DEEPEST_CONFIG = 20
"""Maximum nesting of lists and mappings in config.yaml; a run needs five levels."""

INTERPOLATION = "${"
"""Marks an OmegaConf interpolation, which can read environment variables."""


LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader of libyaml is ten times as fast; a build of PyYAML may lack it."""


def load_plain(text: str) -> Any:
    """Read YAML without aliases and interpolations, and with limited nesting.

    Aliases can expand a few lines to an object of any size ("a billion laughs") or to one that contains itself.
    Interpolations can do the same and can read the environment, such as a password. Deep nesting exhausts the stack.

    Raises:
        yaml.YAMLError: the text has an alias or an interpolation, is nested too deeply or is not YAML.
        ValueError: a value is not what its form says, such as a date of month 13.
    """
    depth = 0
    for event in yaml.parse(text, LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("it has aliases")
        if depth > DEEPEST_CONFIG:
            raise yaml.YAMLError(f"it is nested more than {DEEPEST_CONFIG} levels deep")
        if isinstance(event, yaml.ScalarEvent) and INTERPOLATION in event.value:
            raise yaml.YAMLError(f"it has interpolations ({INTERPOLATION}…)")
    return yaml.load(text, LOADER)
