"""Every YAML file found under conf/ composes."""

from collections import defaultdict
from itertools import zip_longest
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from seq2seq.config.schemas import CHOICES, RECIPES, register
from seq2seq.settings import validate

CONF = Path(__file__).parents[1] / "conf"
SCHEMAS = {f"{name}_schema" for name in RECIPES}
PRIMARY = sorted(path.stem for path in CONF.glob("*.yaml") if path.stem in RECIPES)
OPTIONS = sorted(path.relative_to(CONF).with_suffix("") for path in CONF.rglob("*/*.yaml"))
BUILT = sorted((group, choice) for group, choices in CHOICES.items() for choice in choices)


def choices_at_once() -> list[list[tuple[str, str]]]:
    """The first option of every group, the second of every group, …; test_papers composes the experiments."""
    groups = defaultdict(list)
    for group, choice in [*((str(option.parent), option.name) for option in OPTIONS), *BUILT]:
        groups[group].append((group, choice))
    del groups["experiment"]
    return [[choice for choice in row if choice] for row in zip_longest(*groups.values())]


def composed(name: str, overrides: list[str]) -> object:
    register(name)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_object(compose(name, overrides=overrides))
    validate(config)
    return config


def test_every_recipe_has_its_config():
    assert sorted(RECIPES) == PRIMARY
    assert {path.stem for path in CONF.glob("*.yaml")} - set(RECIPES) == {"hydra_settings"}


@pytest.mark.parametrize("name", PRIMARY)
def test_a_primary_config_composes_to_its_schema(name):
    assert type(composed(name, [])) is RECIPES[name]


@pytest.mark.parametrize("choices", choices_at_once(), ids=lambda choices: ",".join(name for _, name in choices))
def test_options_of_all_groups_compose_together(choices):
    config = composed("train", [f"{group}={choice}" for group, choice in choices])
    built = {group: choice for group, choice in choices if choice in CHOICES.get(group, {})}
    assert {group: type(getattr(config, group)) for group in built} == {
        group: CHOICES[group][choice] for group, choice in built.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_an_option_composes(option):
    override = f"{option.parent}={option.name}"
    assert composed("train", [override])


@pytest.mark.slow
@pytest.mark.parametrize(("group", "choice"), BUILT)
def test_a_choice_builds_its_own_class(group, choice):
    assert type(getattr(composed("train", [f"{group}={choice}"]), group)) is CHOICES[group][choice]


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONF)))
def test_a_config_starts_with_a_comment(path):
    assert path.read_text(encoding="utf-8").startswith("#")


def test_the_readme_of_the_configs_names_every_option():
    readme = (CONF / "README.md").read_text(encoding="utf-8")
    for option in OPTIONS:
        assert f"`{option.name}`" in readme, f"conf/README.md does not explain {option}"
    for group, choices in CHOICES.items():
        for choice in choices:
            assert f"`{choice}`" in readme, f"conf/README.md does not explain {group}={choice}"
