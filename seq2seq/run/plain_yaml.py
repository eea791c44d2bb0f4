"""YAML from files that somebody else may have written: plain values only, of limited size and depth."""

import yaml

LONGEST_CONFIG = 1_000_000
"""Maximum size of config.yaml in bytes; a run with every setting changed needs about 5,000."""

DEEPEST_CONFIG = 20
"""Maximum nesting of lists and mappings in config.yaml; a run needs five levels."""

INTERPOLATION = "${"
"""Marks an OmegaConf interpolation, which can read environment variables."""


class PlainLoader(yaml.SafeLoader):
    """A YAML loader without aliases and interpolations, and with limited nesting.

    Aliases can expand a few lines to an object of any size ("a billion laughs") or to one that contains itself.
    Interpolations can do the same and can read the environment, such as a password. Deep nesting exhausts the stack.
    """

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node as `yaml.SafeLoader` does.

        Raises:
            yaml.YAMLError: the node is an alias, has an interpolation or is nested too deeply.
        """
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has aliases")
        if self.depth > DEEPEST_CONFIG:
            raise yaml.YAMLError(f"it is nested more than {DEEPEST_CONFIG} levels deep")
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        if isinstance(node, yaml.ScalarNode) and INTERPOLATION in node.value:
            raise yaml.YAMLError(f"it has interpolations ({INTERPOLATION}…)")
        return node
