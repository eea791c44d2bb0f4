"""Settings: default, help and range in one place."""

import math
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.errors import ConfigError
from seq2seq.settings import Settings, described_range, setting, validate, walk


@dataclass(kw_only=True)
class Leaf:
    """One setting for every kind of range."""

    closed: float = setting(0.5, "both ends allowed", at_least=0, at_most=1)
    half: float = setting(0.5, "the upper end not", at_least=0, below=1)
    lower_open: float = setting(0.5, "the lower end not", above=0, at_most=1)
    opened: float = setting(0.5, "no end allowed", above=0, below=1)
    least: int = setting(5, "from 1 on", at_least=1)
    above: float = setting(5, "more than 0", above=0)
    most: int = setting(-5, "up to 3", at_most=3)
    below: float = setting(-5, "less than 3", below=3)
    maybe: float | None = setting(None, "or none", at_least=1)
    word: str = setting("x", "a word")


@dataclass(kw_only=True)
class Branch:
    """One level more."""

    leaf: Leaf = setting(factory=Leaf)
    size: int = setting(2, "how many", at_least=1)


@dataclass(kw_only=True)
class Tree:
    """Two levels."""

    branch: Branch = setting(factory=Branch)
    count: int = setting(3, "how often", at_least=0)


RANGES = {
    "closed": "in [0, 1]",
    "half": "in [0, 1)",
    "lower_open": "in (0, 1]",
    "opened": "in (0, 1)",
    "least": "at least 1",
    "above": "above 0",
    "most": "at most 3",
    "below": "below 3",
}


def message(config: Any) -> str | None:
    """Return the error message of `validate`, if any."""
    try:
        validate(config)
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"at_least": 0, "at_most": 1}, "in [0, 1]"),
        ({"at_least": 0, "below": 1}, "in [0, 1)"),
        ({"above": 0, "at_most": 1}, "in (0, 1]"),
        ({"above": 0, "below": 1}, "in (0, 1)"),
        ({"at_least": 1}, "at least 1"),
        ({"above": 0}, "above 0"),
        ({"at_most": 2.5}, "at most 2.5"),
        ({"below": 1e-3}, "below 0.001"),
        ({}, ""),
    ],
)
def test_a_range_is_described_in_words(bounds, words):
    assert described_range(bounds) == words


def test_the_defaults_are_valid():
    assert message(Tree()) is None


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("closed", [0, 1, 0.3], [-1e-9, 1.001]),
        ("half", [0, 0.999], [-0.1, 1, 2]),
        ("lower_open", [1e-9, 1], [0, -1, 1.5]),
        ("opened", [1e-9, 0.999], [0, 1]),
        ("least", [1, 10**9], [0, -1]),
        ("above", [1e-9, 1e9], [0, -1]),
        ("most", [3, -(10**9)], [4]),
        ("below", [2.999, -1e9], [3, 4]),
        ("maybe", [None, 1], [0]),
    ],
)
def test_ranges_include_their_limits(name, allowed, refused):
    assert [message(Leaf(**{name: value})) for value in allowed] == [None] * len(allowed)
    words = RANGES.get(name, "at least 1")
    assert [message(Leaf(**{name: value})) for value in refused] == [
        f"{name} must be {words}, got {value:g}" for value in refused
    ]


@pytest.mark.parametrize("name", sorted(RANGES.keys() - {"least", "most"}))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_is_in_no_range(name, value):
    assert message(Leaf(**{name: value})) == f"{name} must be {RANGES[name]}, got {value:g}"


@given(st.floats(), st.sampled_from(["closed", "half", "lower_open", "opened"]))
def test_description_and_check_of_a_range_agree(value, name):
    inside = 0 <= value <= 1 and not (value == 0 and "(" in RANGES[name]) and not (value == 1 and ")" in RANGES[name])
    assert (message(Leaf(**{name: value})) is None) == inside


def test_the_error_names_the_full_path():
    tree = Tree(branch=Branch(leaf=Leaf(half=2.0)))
    assert message(tree) == "branch.leaf.half must be in [0, 1), got 2"
    assert message(Tree(branch=Branch(size=0))) == "branch.size must be at least 1, got 0"
    assert message(Tree(count=-1)) == "count must be at least 0, got -1"


def test_the_first_of_several_is_named():
    assert (
        message(Tree(branch=Branch(leaf=Leaf(least=0), size=0), count=-1))
        == "branch.leaf.least must be at least 1, got 0"
    )


def test_walk_finds_every_leaf_in_order():
    result = [(path, item.metadata["help"], value) for path, item, value in walk(Tree(count=7))]
    assert result[0] == ("branch.leaf.closed", "both ends allowed", 0.5)
    assert result[-2:] == [("branch.size", "how many", 2), ("count", "how often", 7)]
    assert len(result) == 12


def test_nested_settings_are_not_shared():
    one, other = Tree(), Tree()
    one.branch.leaf.least = 9
    assert other.branch.leaf.least == 5


def test_without_a_default_a_setting_is_required():
    @dataclass(kw_only=True)
    class Required:
        path: str = setting(help="must be given")

    with pytest.raises(TypeError, match="path"):
        Required()
    assert Required(path="x").path == "x"


def test_a_number_without_a_range_must_be_a_number():
    @dataclass(kw_only=True)
    class Loose:
        bias: float = setting(1.0, "any number")

    with pytest.raises(ConfigError, match=r"^bias must be a finite number, got nan$"):
        validate(Loose(bias=math.nan))


@dataclass(kw_only=True)
class Grove:
    """A list of trees."""

    trees: list[Branch] = setting(factory=list, help="which")
    sizes: list[int] = setting(factory=lambda: [1, 2], help="plain numbers have no range")


def test_ranges_apply_to_list_items():
    assert message(Grove(trees=[Branch(), Branch()])) is None
    wrong = Branch(leaf=Leaf(least=0))
    assert message(Grove(trees=[Branch(), wrong])) == "trees[1].leaf.least must be at least 1, got 0"


@dataclass(kw_only=True)
class Loose:
    """No ranges."""

    count: int = setting(1, "any number")
    name: str | None = setting(None, "any name")
    names: list[str] = setting(factory=list, help="more of them")


@pytest.mark.parametrize("count", [2**63, -(2**63) - 1, 10**400])
def test_an_integer_fits_64_bits(count):
    assert validate(Loose(count=2**63 - 1)) is None
    with pytest.raises(ConfigError, match=r"^count must be a number of at most 64 bits"):
        validate(Loose(count=count))


@pytest.mark.parametrize("name", ["a\nb", "a\r", "\0", "\ud800"])
def test_text_is_one_line_of_unicode(name):
    assert validate(Loose(name="ä b\t😀", names=[""])) is None
    for wrong, where in ((Loose(name=name), "name"), (Loose(names=["a", name]), r"names\[1\]")):
        with pytest.raises(ConfigError, match=f"^{where} must be one line of text in UTF-8, got"):
            validate(wrong)


@dataclass
class Grouped:
    group: Leaf = setting(factory=Leaf)
    groups: list[Leaf] = setting(factory=list)
    names: list[str] | None = setting(None)
    number: int = setting(1)
    share: float = setting(1)
    whether: bool = setting(False)


@pytest.mark.parametrize(
    ("name", "value", "reported"),
    [
        ("group", 3, "group must be a group of settings, got 3: set one of them by group.NAME=…"),
        ("group", Grouped(), "group must be a group of settings, got Grouped"),
        ("groups", "a", "groups must be a list, got 'a': write it as groups=[…]"),
        ("groups", [Leaf(), 1], "groups[1] must be a group of settings, got 1"),
        ("names", "a", "names must be a list, got 'a'"),
        ("names", [1], "names[0] must be text, got 1"),
        ("number", "", "number must be a whole number, got ''"),
        ("number", 1.0, "number must be a whole number, got 1.0"),
        ("share", "", "share must be a number, got ''"),
        ("whether", "no", "whether must be true or false, got 'no'"),
    ],
)
def test_a_value_has_the_type_of_its_setting(name, value, reported):
    validate(Grouped())
    with pytest.raises(ConfigError, match=f"^{re.escape(reported)}"):
        validate(Grouped(**{name: value}))


class Colour(StrEnum):
    red = "red"
    green = "green"


@dataclass(kw_only=True)
class Painted(Settings):
    colour: Colour = setting(Colour.red)
    other: Colour | None = setting(None)
    more: list[Colour] = setting(factory=list)
    name: str = setting("red")


def test_a_string_is_converted_to_its_enum_member():
    painted = Painted(colour="green", other="red", more=["red", Colour.green])
    assert painted.colour is Colour.green
    assert painted.other is Colour.red
    assert painted.more == [Colour.red, Colour.green]
    assert type(painted.more[0]) is Colour
    assert type(painted.name) is str
    assert replace(painted, other="green").other is Colour.green
    assert validate(painted) is None


@pytest.mark.parametrize(
    ("settings_", "reported"),
    [
        ({"colour": "blue"}, "colour must be one of red, green, got blue"),
        ({"other": "blue"}, "other must be one of red, green, got blue"),
        ({"more": ["red", "blue"]}, "more[1] must be one of red, green, got blue"),
        ({"colour": 3}, "colour must be one of red, green, got 3"),
    ],
)
def test_an_unknown_enum_name_is_refused_with_the_valid_ones(settings_, reported):
    assert message(Painted(**settings_)) == reported
