"""What the shell passes is what arrives."""

import sys
import tomllib
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from seq2seq.analysis.config import MicroscopeConfig
from seq2seq.config.command_line import quote_text
from seq2seq.config.hydra import compose_train, recipe
from seq2seq.config.recipes import TrainConfig
from seq2seq.run.folder import RunFolder
from seq2seq.run.resume import saved_settings
from seq2seq.settings import HYDRA_QUOTED, differing, flat
from seq2seq.translation.config import TranslateConfig

TEXTS = [
    "¿Dónde está?",
    "मेरी चाबी कहाँ है?",
    "ᎭᏢ ᎠᏆᏤᎵ ᏍᏚᎢᏍᏗ?",
    "Yes, I do.",
    "Don't go.",
    '"Who did that?"',
    "/home/josé/v.tsv",
    "'Tis the season",
    "NULL",
    "1_000",
    "true",
    "a=b: {c} [d] (e)",
    "  two spaces  ",
    "Hello ${name}, \\${name} costs $5",
    "C:\\texts\\",
    "",
]


def received(schema, *arguments):
    """The settings that a recipe of this schema receives."""
    found = []

    def main(config):
        found.append(config)
        return 0.0

    main.__annotations__["config"] = schema
    argv, sys.argv = sys.argv, ["recipe.py", *arguments]
    try:
        recipe(main)()
    finally:
        sys.argv = argv
    return found


@pytest.mark.parametrize("text", TEXTS)
def test_text_arrives_as_the_shell_passes_it(text):
    [config] = received(MicroscopeConfig, f"text={text}", f"run={text or 'runs/a'}")
    assert (config.text, config.run) == (text, text or "runs/a")


def parsed(text):
    """The value of a text setting as Hydra's parser and OmegaConf read it, without composing a whole config."""
    [argument] = quote_text([f"data.train.source={text}"], TrainConfig())
    value = OverridesParser.create().parse_override(argument).value()
    return OmegaConf.create({"value": str(value)}).value


@settings(max_examples=1000, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.text("'\"\\${}[]a, ="))
def test_any_text_arrives(text):
    assume(text != "null" and not HYDRA_QUOTED.fullmatch(text))
    assert parsed(text) == text


@settings(max_examples=10, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.text("'\"\\${}[]a, ="))
def test_any_text_arrives_in_a_composed_config(text):
    assume(text != "null" and not HYDRA_QUOTED.fullmatch(text))
    assert compose_train(overrides=[f"data.train.source={text}"]).data.train.source == text


def test_null_is_no_text_unless_it_is_quoted():
    assert received(MicroscopeConfig, "text=null")[0].text is None
    assert received(MicroscopeConfig, "text='null'")[0].text == "null"


@pytest.mark.parametrize(
    ("value", "text"),
    [("'<2de>'", "<2de>"), (r"'Don\'t go.'", "Don't go."), ("runs/${seed}", "runs/7"), ("${oc.env:KEYBOARD}/é", "x/é")],
)
def test_what_is_written_for_hydra_keeps_its_meaning(monkeypatch, value, text):
    monkeypatch.setenv("KEYBOARD", "x")
    assert compose_train(overrides=["seed=7", f"data.train.source={value}"]).data.train.source == text


def test_entries_of_a_list_are_text():
    [config] = received(TranslateConfig, "phrases=[Straße, Don't go.,'a, b', \"c, d\" ,1_0,null]")
    assert config.phrases == ["Straße", "Don't go.", "a, b", "c, d", "1_0", "null"]
    assert received(TranslateConfig, "phrases=[]")[0].phrases == []


def test_a_sweep_splits_text_at_commas_and_leaves_choices_to_hydra(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    swept = ["-m", "run=runs/s", "data.train.source=josé.en,'a, b.en'", "data.train.target=choice(a,b)", "seed=1,2"]
    assert quote_text(swept, TrainConfig()) == [
        *("-m", "run='runs/s'", "data.train.source='josé.en','a, b.en'", "data.train.target=choice(a,b)", "seed=1,2")
    ]
    jobs = received(TrainConfig, *swept[:-1])
    assert [job.data.train.source for job in jobs] == [*["josé.en"] * 2, *["a, b.en"] * 2]
    assert [job.data.train.target for job in jobs] == ["a", "b"] * 2


def test_what_is_no_text_stays():
    others = ["model=attention", "seed=3", "optimizer=adam", "--cfg", "job", "-m", "unknown=¿", "~data.more", "+x=1"]
    assert quote_text(others, TrainConfig()) == others
    assert quote_text(["+run=a b", "++run=a b"], TrainConfig()) == ["+run='a b'", "++run='a b'"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["learning_rate=1"], "optimizer.learning_rate"),
        (["lr=1"], "optimizer.learning_rate"),
        (["epochs=3"], "training.epochs"),
        (["training.max_epochs=3"], "training.epochs"),
        (["steps=3"], "training.updates"),
        (["model.layers=2"], "model.encoder.layers"),
        (["batch_size=3"], "batch.tokens"),
        (["hidden_size=3"], "model.encoder.size"),
        (["--run=x"], "set run=x, without dashes"),
        (["--epochs", "3"], "set training.epochs=VALUE, without dashes"),
        (["--lr=1"], "set optimizer.learning_rate=1, without dashes"),
        (["model=transformer"], "choose model=context, attention or language_model"),
        (["dropout=0.3"], "set model.dropout"),
        (["experiment=multi30k_quik"], "there is no experiment=multi30k_quik; did you mean multi30k_quick?"),
        (["optimizer=adma"], "there is no optimizer=adma; did you mean adam? (adadelta, "),
        (["runs/m"], "runs/m is not NAME=VALUE: did you mean run=runs/m? Put a setting with spaces in quotes"),
        (["small.yaml"], "did you mean experiment=small.yaml?"),
    ],
)
def test_a_name_from_another_toolkit_is_answered_by_the_setting_meant(recipe_run, arguments, named):
    outcome = recipe_run("train", *arguments)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
    assert outcome.err.startswith("error: ")
    assert named in outcome.err


def test_an_experiment_file_without_its_package_line_is_told_so(recipe_run, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("model: {dropout: 0.5}\n")
    outcome = recipe_run("train", "--config-dir", str(tmp_path), "experiment=mine")
    assert outcome.code == 1
    assert "# @package _global_" in outcome.err


def test_the_version_is_that_of_the_project(recipe_run):
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert recipe_run("train", "--version").out == f"seq2seq {project['version']}\n"


@pytest.fixture
def recipe_run(request):
    """The fixture `recipe`, whose name is a function here."""
    return request.getfixturevalue("recipe")


def test_the_settings_of_a_run_are_an_experiment(recipe_run, tiny_run, tmp_path):
    """With the choices of groups; the folder, and what was recorded of its files, stay those of the run."""
    again = compose_train(f"{tiny_run}/config.yaml", [f"run={tmp_path}/again", "optimizer.learning_rate=0.5"])
    first = RunFolder.open(tiny_run)
    assert (again.run, again.optimizer.learning_rate) == (f"{tmp_path}/again", 0.5)
    assert differing([first.flat_settings, flat(saved_settings(again))]).keys() == {"run", "optimizer.learning_rate"}
    outcome = recipe_run("train", f"experiment={tiny_run}/config.yaml", f"run={tmp_path}/same", "training.samples=0")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "same" / "model.safetensors").read_bytes() == (tiny_run / "model.safetensors").read_bytes()
