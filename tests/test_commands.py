"""`python -m seq2seq list | copy | check` and `python -m seq2seq.demo`."""

import ast
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, run_main

from seq2seq.config.command_line import _is_text
from seq2seq.config.hydra import compose_train
from seq2seq.config.preflight import FILES, NEITHER, RUNS
from seq2seq.config.schemas import RECIPES
from seq2seq.settings import walk

ROOT = Path(__file__).parents[1]


@pytest.fixture
def seq2seq(monkeypatch, capsys):
    """``seq2seq("list")`` runs the program."""
    return lambda *arguments: run_main("seq2seq.__main__", arguments, monkeypatch, capsys)


def test_list_describes_each_experiment_and_recipe_in_whole_sentences(seq2seq):
    outcome = seq2seq("list")
    assert outcome.code == 0, outcome.err
    assert all(len(line) <= 120 for line in outcome.out.splitlines())
    lines = {line.split()[0]: line for line in outcome.out.replace(f"\n{'':<23}", " ").splitlines() if line[:1] == " "}
    assert {*lines} == {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")} | {*RECIPES}
    assert all(len(line.split()) > 3 for line in lines.values())
    for name in RECIPES:
        text = ast.get_docstring(ast.parse((ROOT / "recipes" / f"{name}.py").read_text("utf-8")))
        assert lines[name].split(maxsplit=1)[1] == text.split("\n")[0]
    assert lines["multi30k_attention"].endswith("Multi30k English-German with attention, 8.6 M parameters")


def test_a_copied_experiment_has_the_same_settings_and_is_used_by_its_path(seq2seq, tmp_path):
    path = tmp_path / "é mine.yaml"
    outcome = seq2seq("copy", "multi30k_quick", str(path))
    assert outcome.code == 0, outcome.err
    assert f"'experiment={path}'" in outcome.out
    assert path.read_text("utf-8") == (ROOT / "conf" / "experiment" / "multi30k_quick.yaml").read_text("utf-8")
    assert compose_train(str(path)) == compose_train("multi30k_quick")
    path.write_text(path.read_text("utf-8").replace("updates: 1300", "updates: 7"), "utf-8")
    assert compose_train(str(path)).training.updates == 7


def test_a_copy_of_a_variant_of_another_experiment_works(seq2seq, tmp_path):
    assert seq2seq("copy", "multi30k_student", str(tmp_path)).code == 0
    assert compose_train(str(tmp_path / "multi30k_student.yaml")) == compose_train("multi30k_student")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["copy", "multi30k_quik", "x.yaml"], "did you mean multi30k_quick?"),
        (["copy", "multi30k_quick", "x.yml"], "must end in .yaml"),
        (["copy", "multi30k_quick", "there.yaml"], "already exists"),
        (["copy", "multi30k_quick", "there.yaml/x.yaml"], "there.yaml"),
        (["check", "trian"], "there is no recipe trian"),
        (["check", "train", "lr=1"], "set optimizer.learning_rate"),
        (["check", "train", "experiment=no.yaml"], "cannot be read (No such file or directory)"),
        (["check", "train", "experiment=list.yaml"], "is not a mapping of settings"),
        (["check", "train", "model.attention_order=luong"], "does nothing without attention"),
        (["check", "train", "data.train.file=no.tsv"], "data.train.file=no.tsv: no such file"),
        (["check", "train", "data.train.file=a.tsv"], "data.validation does not"),
        (["check", "train", "data.more=[{source: no.en, target: a.tsv}]"], "data.more[0].source=no.en: no such file"),
        (["check", "train", "data=files"], "data=files names no text"),
        (["check", "train", "--cfg", "job"], "--cfg is an option"),
        (["check", "train", "-m", "seed=1,2"], "leave -m out and name one value of each setting, such as seed=1"),
        (["check", "split"], "no file to split: name it with data.file=FILE"),
        (["check", "split", "data.file=a.tsv", "data.split=[50,60,70]"], "data.split=[50,60,70]"),
        (["check", "split", "data.file=a.tsv", "data.split=[9,9]"], "cannot be split into train, validation and test"),
        (["check", "translate", "run=no"], "run=no is not a run folder"),
        (["check", "translate", "input=no.txt"], "input=no.txt: no such file"),
        (["check", "translate", "n_best=3"], "set json=true"),
        (["check", "evaluate", "hypotheses=a.tsv", "beam_size=3"], "is already translated: leave beam_size out"),
        (["check", "doctor", "data.train.hub_split=x"], "does nothing without a data set of the hub"),
    ],
)
def test_a_mistake_is_one_line(seq2seq, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.yaml").touch()
    (tmp_path / "list.yaml").write_text("[a]\n", "utf-8")
    (tmp_path / "a.tsv").write_text("a\tb\n", "utf-8")
    outcome = seq2seq(*arguments)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1), outcome.err
    assert words in outcome.err


def test_a_right_command_is_ok_and_nothing_is_written(seq2seq, tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.tsv").write_text("a\tb\n", "utf-8")
    before = sorted(tmp_path.iterdir())
    files = [f"data.{split}.file=a.tsv" for split in ("train", "validation", "test")]
    for command in (
        ["train", "run=runs/x"],
        ["train", *files],
        ["train", "model=language_model", *files],
        ["translate", f"run={tiny_run}", "input=a.tsv"],
        ["evaluate", f"run={tiny_run}"],
        ["doctor", *files],
        ["suggest", f"run={tiny_run}", "source=We work."],
    ):
        outcome = seq2seq("check", *command)
        assert (outcome.code, outcome.out.splitlines()[-1], outcome.err) == (0, "ok", ""), command
        assert ("experiment=auto" in outcome.out) == (command == ["train", *files])
    assert sorted(tmp_path.iterdir()) == before


def test_check_says_how_the_files_are_read(seq2seq, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"mot {chr(97 + n)},word {chr(97 + n)},Ann\n" for n in range(26))
    (tmp_path / "a.csv").write_text(f"Halunish,English,By\n{rows}", "utf-8")
    outcome = seq2seq("check", "train", "data.file=a.csv", "data.target_language=lld", "data.split=[3,3]")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith(
        "a.csv: the first row is a header: source 'English', target 'Halunish'; for others of"
    )


def test_every_setting_that_is_text_is_known_to_name_a_file_a_run_or_neither():
    for recipe, schema in RECIPES.items():
        for name, item, _ in walk(schema()):
            if _is_text(item.type) or item.type == list[str]:
                kinds = [names for names in (FILES, RUNS, NEITHER) if {name, f"{recipe}: {name}"} & names]
                assert kinds, f"{recipe}: {name}: add it to seq2seq/config/preflight.py"


def test_the_program_imports_no_pytorch(tmp_path):
    code = (
        "import sys; from seq2seq.__main__ import main\n"
        "for command in (['list'], ['copy', 'luong2015', 'x.yaml'], ['check', 'train', 'experiment=x.yaml']):\n"
        "    sys.argv = ['seq2seq', *command]; main()\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_demo_trains_evaluates_and_translates(monkeypatch, capsys, tmp_path):
    outcome = run_main("seq2seq.demo", [*TINY, "training.updates=2", f"run={tmp_path / 'run'}"], monkeypatch, capsys)
    assert outcome.code == 0, outcome.err
    assert "BLEU" in outcome.out
    assert outcome.out.count("\nmodel  ") == 5
    assert outcome.out.splitlines()[-1].startswith("next: ")


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_demo_is_the_demo():
    done = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True)
    assert "python -m seq2seq.demo" in done.stdout


def test_the_documented_commands_work(seq2seq, tmp_path, monkeypatch):
    page = (ROOT / "recipes" / "README.md").read_text("utf-8")
    commands = re.findall(r"^    python -m seq2seq (.*)$", page, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["list", "copy", "check"]
    monkeypatch.chdir(tmp_path)
    for command in commands:
        outcome = seq2seq(*shlex.split(command))
        assert (outcome.code, outcome.err) == (0, "")


def test_experiment_files_of_one_name_in_two_folders_differ(tmp_path):
    for number, folder in ((11, "a"), (22, "b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.yaml").write_text(f"training: {{updates: {number}}}\n", "utf-8")
    updates = [compose_train(f"{tmp_path}/{folder}/x.yaml").training.updates for folder in "aba"]
    assert updates == [11, 22, 11]
