"""Arbitrary overrides: each gives a valid config or an error of one line.

Hydra needs a tenth of a second to compose a config. So in most cases, Hydra's parser and merging apply the overrides to
a config composed before. Every hundredth case is composed from the start.
"""

import copy
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path

import pytest
import torch
from fuzzing import CASES, ODD, ROUNDS, fuzz, texts
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from seq2seq.config.command_line import quote_text
from seq2seq.config.error_lines import USER_ERRORS, not_composable, one_line_errors
from seq2seq.config.recipes import EvaluateConfig, TrainConfig
from seq2seq.config.schemas import RECIPES, register
from seq2seq.corpora.config import source_tags
from seq2seq.model import Network
from seq2seq.model.network import meta_network
from seq2seq.settings import validate, walk
from seq2seq.system.device import choose_device

BASES = [
    ("train", []),
    ("train", ["model=attention", "optimizer=sgd", "schedule=plateau"]),
    ("train", ["model=language_model", "optimizer=adadelta", "schedule=exponential"]),
    ("train", ["optimizer=adamw", "schedule=cosine"]),
    *((name, []) for name in RECIPES if name != "train"),
]
CONF = str(Path(__file__).parents[2] / "conf")
SMALL = 400_000
"""Parameters of the largest network that the test builds."""


@pytest.fixture(scope="module")
def composed() -> Iterator[dict[str, DictConfig]]:
    """Composed configs by recipe and overrides."""
    for name, _ in BASES:
        register(name)
    with initialize_config_dir(CONF, version_base="1.3"):
        yield {" ".join([name, *chosen]): compose(name, chosen) for name, chosen in BASES}


def setting_names(name: str, chosen: list[str]) -> list[str]:
    """All settings and sections of a recipe."""
    schema = RECIPES[name]()
    sections = [item.name for item in fields(schema) if is_dataclass(getattr(schema, item.name))]
    leaves = [path for path, *_ in walk(schema)]
    return [*sections, *leaves, *(f"{choice.replace('=', '.')}" for choice in chosen), "optimizer.learning_rate"]


NAMES = {" ".join([name, *chosen]): setting_names(name, chosen) for name, chosen in BASES}


def valid_values() -> dict[str, list[str]]:
    """Values of the right type for the settings of training."""
    kinds = {bool: ["true", "false"], int: ["1", "2", "3", "8", "64", "1000"], float: ["0", "0.1", "0.5", "1", "7e-5"]}
    values = {}
    for name, _, value in walk(TrainConfig()):
        words = [str(choice) for choice in type(value)] if isinstance(value, Enum) else kinds.get(type(value))
        values[name] = words or ["null", "word", "3"]
    return values


VALID_VALUES = valid_values()
NUMBERS = ["0", "1", "2", "3", "7", "8", "64", "-1", "1e3", "0.5", "0.1", "1e-300", "1e308", "1e999", "-.inf", "nan"]
NUMBERS += ["inf", "1_000", "0x10", "007", "2147483648", str(2**32), str(2**63), "9" * 400, "9" * 5_000, "0.0", "-0"]
WORDS = ["null", "true", "false", "", "none", "lstm", "gru", "additive", "gnmt", "dot", "all", "copy", "bpe", "word"]
WORDS += ["loss", "bleu", "cpu", "cuda:99", "int8", "???", "/", "..", "~", "a=b", "a,b", "<2de>", "train", "-", "runs"]
INTERPOLATIONS = [
    "${run}",
    "${.}",
    "${..}",
    "${seed}",
    "${a",
    "${oc.env:HOME}",
    "${oc.env:NOWHERE}",
    "${oc.decode:'[1'}",
]
INTERPOLATIONS += [
    "${oc.create:{a: 1}}",
    "${hydra:run.dir}",
    "${model}",
    "${model.dropout}",
    "${data.train}",
    "${nothing:}",
]
FORMS = [
    "[{}]",
    "'{}'",
    '"{}"',
    "[{0},{0}]",
    "{{a: {}}}",
    "{{source: {}}}",
    "[{{target: {}}}]",
    "choice({},1)",
    "int({})",
]
FORMS += [
    "str({})",
    "range(1,{})",
    "interval(0,{})",
    "glob({})",
    "{} #",
    "[" * 9 + "{}" + "]" * 9,
    "{},1",
    "json_str({})",
]
FORMS += ["extend_list({})", "sort({},1)", "tag(a,{})", "cast({})", "[{}", "{}]", "${{{}}}", "{}=", "\\{}"]

plain = st.sampled_from([*NUMBERS, *NUMBERS, *WORDS]) | st.integers().map(str) | st.floats().map(str)
values = st.one_of(
    plain,
    plain,
    st.sampled_from(INTERPOLATIONS),
    texts,
    st.builds(str.format, st.sampled_from(FORMS), st.one_of(plain, st.sampled_from([*INTERPOLATIONS, *ODD]))),
)
marks = st.sampled_from(["=", "=", "=", "=", "=", "", ":=", "==", "@:=", "@x:y="])
signs = st.sampled_from(["", "", "", "", "", "", "+", "++", "~", "+++", "-", "hydra.", "@", " "])


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A base config, and overrides of it."""
    base = draw(st.sampled_from([*NAMES, *list(NAMES)[:4] * 3]))
    overrides = []
    for _ in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from(NAMES[base]))
        if name in VALID_VALUES and draw(st.booleans()):
            overrides.append(f"{name}={draw(st.sampled_from(VALID_VALUES[name]))}")
            continue
        if not draw(st.integers(0, 9)):
            place = draw(st.integers(0, len(name)))
            name = name[:place] + draw(texts) + name[place + draw(st.integers(0, 2)) :]
        overrides.append(f"{draw(signs)}{name}{draw(marks)}{draw(values)}")
    schema = RECIPES[base.split()[0]]
    return base, quote_text(overrides, schema()) if draw(st.booleans()) else overrides


@contextmanager
def hydra_errors() -> Iterator[None]:
    """Handle errors of Hydra like the decorator `recipe`."""
    try:
        yield
    except Exception as error:
        if isinstance(error, USER_ERRORS):
            raise
        raise not_composable(error) from error


def merged(config: DictConfig, overrides: list[str]) -> DictConfig:
    """Apply overrides to a copy of a config like `compose`."""
    with hydra_errors():
        parsed = OverridesParser.create().parse_overrides(overrides)
        changed = copy.copy(config)
        for name in {override.key_or_group.partition(".")[0] for override in parsed} & {*changed.keys()}:
            changed._set_item_impl(name, copy.deepcopy(config._get_node(name)))
        ConfigLoaderImpl._apply_overrides_to_config(parsed, changed)
        return changed


def composed_from_start(name: str, overrides: list[str]) -> DictConfig:
    """Compose a config with Hydra."""
    with hydra_errors():
        return compose(name, overrides)


def check_config(name: str, config: DictConfig) -> None:
    """Do what a recipe does with a config before it reads or writes anything; build a small network."""
    settings = OmegaConf.to_object(config)
    validate(settings)
    assert isinstance(settings, RECIPES[name])
    if isinstance(settings, EvaluateConfig):
        settings.check(False)
    if not isinstance(settings, TrainConfig):
        return
    settings.check()
    settings.text()
    source_tags(settings.data)
    choose_device(settings.training.device)
    assert settings.schedule.factor(1, settings.training.updates, [2.0, 3.0]) >= 0
    torch.manual_seed(settings.seed)
    network = meta_network(settings.model, 300, 300, settings.tokenizer.joint)
    if sum(parameter.numel() for parameter in network.parameters()) < SMALL:
        network = Network(settings.model, 300, 300, settings.tokenizer.joint)
    settings.optimizer.build(network.parameters())


def check_outcome(name: str, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Call a function like a recipe: it succeeds, or writes one line to stderr and exits with code 1."""
    err, code = io.StringIO(), None
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", err)
        try:
            with one_line_errors(RECIPES[name]()):
                work()
        except SystemExit as stop:
            code = stop.code
    line = err.getvalue()
    assert code == (1 if line else None)
    if line:
        assert line.startswith("error: ")
        assert line.endswith("\n")
        assert line[:-1].isprintable()
        assert len(line) < 2_500


@pytest.mark.parametrize("number", ROUNDS)
def test_any_override_is_valid_or_an_error_of_one_line(composed, monkeypatch, number):
    def check(case: tuple[str, list[str]]) -> None:
        base, overrides = case
        name = base.split()[0]
        check_outcome(name, lambda: check_config(name, merged(composed[base], overrides)), monkeypatch)

    fuzz(cases(), check, number)


@pytest.mark.parametrize("count", [20, pytest.param(CASES // 100, marks=pytest.mark.slow)])
def test_any_override_is_composed_or_an_error_of_one_line(composed, monkeypatch, count):
    """Including config groups and the list of defaults."""
    groups = ["model", "optimizer", "schedule", "data", "tokenizer", "search", "experiment", "hydra/launcher", "hydra"]
    choices = st.lists(st.builds("{}{}{}{}".format, signs, st.sampled_from(groups), marks, values), max_size=2)

    def check(case: tuple[tuple[str, list[str]], list[str]]) -> None:
        (base, overrides), chosen = case
        name, *before = base.split()
        check_outcome(
            name, lambda: check_config(name, composed_from_start(name, [*before, *overrides, *chosen])), monkeypatch
        )

    fuzz(st.tuples(cases(), choices), check, 0, quick=count)


# Single cases


@pytest.mark.parametrize(
    "override",
    [
        *("data=0", "model=1.5", "~model=3", "seed=" + "9" * 5_000, "tokenizer.tags=[" + "[" * 2_000 + "]" * 2_001),
        *("data.more=${seed}", "data.more=[${seed}]", "data=${run}", "model.encoder=${model.decoder}"),
        *("~seed +seed=", "~batch +batch=1"),
    ],
)
def test_an_override_that_hydra_cannot_handle_is_one_line(recipe, tmp_path, override):
    outcome = recipe("train", f"run={tmp_path / 'run'}", *(override.split() if "~" in override else [override]))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()
