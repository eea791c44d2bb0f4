"""The text of --help: short, with the values of the command, and with commands that work."""

import re
from functools import reduce
from operator import getitem

import pytest
import yaml
from test_readme import commands

from seq2seq.config.schemas import CHOICES, RECIPES
from seq2seq.report.help import typed
from seq2seq.settings import walk

LINES, COLUMNS = 60, 120


@pytest.mark.parametrize("name", RECIPES)
def test_help_is_short_and_shows_the_composed_values_and_commands_that_work(recipe, name):
    short, every = recipe(name, "--help"), recipe(name, "--help=all")
    assert (short.code, short.err, every.code, every.err) == (0, "", 0, "")
    assert len(short.out.splitlines()) < LINES
    assert max(map(len, [*short.out.splitlines(), *every.out.splitlines()])) <= COLUMNS
    composed = yaml.safe_load(recipe(name, "--cfg", "job").out)
    settings, _, _ = short.out.partition("\nSections")[0].partition("\nChoices")
    shown = dict(re.findall(r"^  ([a-z_.]+)=(.*?)(?:  |$)", settings, flags=re.MULTILINE))
    own, *_ = every.out.partition("\nwith ")
    shown_by_all = dict(re.findall(r"^  ([a-z_.]+) = (.*)$", own, flags=re.MULTILINE))
    assert shown
    for path, value in [*shown.items(), *shown_by_all.items()]:
        assert value == typed(reduce(getitem, path.split("."), composed)), path
    assert shown_by_all.keys() >= shown.keys() | {path for path, _, _ in walk(RECIPES[name]())}
    examples = re.findall(r"^  python (.*?)(?: [<>|].*)?$", short.out, flags=re.MULTILINE)
    assert 1 <= len(examples) <= 3
    assert {*examples} <= {*commands()}, "test_readme composes these commands"


@pytest.mark.parametrize("schema", sorted(RECIPES.values(), key=str))
def test_every_setting_has_a_help_text(schema):
    for path, item, _ in walk(schema()):
        assert item.metadata.get("help"), f"{path} has no help"


def test_help_follows_the_other_arguments(recipe):
    outcome = recipe("train", "--help", "experiment=sutskever2014", "seed=7", "run=runs/a b")
    assert outcome.code == 0, outcome.err
    assert "  seed=7  " in outcome.out
    assert "  run=runs/a b  " in outcome.out
    assert "sutskever2014*" in outcome.out
    assert "  schedule    constant, cosine, cosine_low, exponential, halving*" in outcome.out


def test_a_section_a_setting_and_a_group_have_their_own_help(recipe):
    section = recipe("train", "--help=model.encoder").out
    assert "  model.encoder.layers = 1\n" in section
    assert "model.decoder" not in section
    both = recipe("train", "--help=model").out
    assert "share of units dropped in training (in [0, 1))" in both
    assert "context*, language_model" in both
    assert "multi30k_context" in recipe("train", "--help=experiment").out


def test_help_with_an_unknown_topic_names_the_sections(recipe):
    outcome = recipe("train", "--help=modle")
    assert outcome.code == 1
    assert outcome.err.startswith("error: --help=modle is neither a section nor a setting: choose one of all, data, ")
    assert outcome.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("group", "choices"), [("optimizer", ["adamw", "sgd"]), ("schedule", ["constant", "halving"])])
def test_the_help_of_a_group_has_the_values_that_its_choices_bring(recipe, group, choices):
    text = recipe("train", f"--help={group}").out
    assert all(f"\nwith {group}={choice}:\n" in text for choice in CHOICES[group].keys() - {"cosine"})
    for choice in choices:
        own = text.partition(f"\nwith {group}={choice}:\n")[2].partition("\n\n")[0]
        composed = yaml.safe_load(recipe("train", f"{group}={choice}", "--cfg", "job").out)[group]
        assert dict(re.findall(rf"^  {group}\.(\w+) = (.*)$", own, flags=re.MULTILINE)) == {
            name: typed(value) for name, value in composed.items()
        }


@pytest.mark.parametrize("started", ["/usr/bin/seq2seq-doctor", r"seq2seq-doctor.exe"])
def test_a_console_script_names_itself_in_its_examples(monkeypatch, capsys, started):
    from seq2seq.recipes import doctor

    monkeypatch.setattr("sys.argv", [started, "--help"])
    doctor.main()
    out = capsys.readouterr().out
    assert "\n  seq2seq-doctor data.train.source=" in out
    assert "recipes/" not in out
