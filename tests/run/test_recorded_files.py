"""A run finds its own text from any folder and after a move, and says what has changed."""

import os
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import TINY, without_data

from seq2seq import Run, train
from seq2seq.comparison.config import CompareConfig
from seq2seq.comparison.corpora import read_test_set
from seq2seq.config.hydra import compose_train
from seq2seq.corpora.config import DataConfig, Split
from seq2seq.errors import DataError, RunError
from seq2seq.figures.systems import corpus_to_score
from seq2seq.figures.variants import settings_of
from seq2seq.run.files import run_data, run_text
from seq2seq.run.folder import RunFolder

FILES = {"train": "We work.\tWir arbeiten.\n" * 30, "validation": "She works.\tSie arbeitet.\n" * 5}
TEST = "Where is my key?\tWo ist mein Schlüssel?\n" * 5
OTHER = "The house is old.\tDas Haus ist alt.\n" * 5
SETTINGS = [*(f"data.{split}.file={split}.tsv" for split in (*FILES, "test")), "tokenizer.size=280", "licence=CC0-1.0"]
SETTINGS += [setting for setting in without_data(TINY) if not setting.startswith("tokenizer.size")]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A folder with the text and the run of a project, whose settings name files relative to the folder."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in {**FILES, "test": TEST}.items():
        write(folder / f"{name}.tsv", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train(compose_train(None, [*SETTINGS, "run=runs/mine"]))
    return folder


@pytest.fixture
def project(original, tmp_path, monkeypatch) -> Path:
    """A copy of the project whose records name its own place; the working folder is another one."""
    folder = Path(shutil.copytree(original, tmp_path / "project"))
    config = folder / "runs/mine/config.yaml"
    write(config, config.read_text("utf-8").replace(str(original), str(folder)))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return folder


def text(project: Path, split: str = "test") -> str:
    corpus = Run.open(project / "runs/mine").corpus(split)
    return "".join(f"{source}\t{target}\n" for source, target in corpus)


def test_settings_keep_the_given_and_the_absolute_path_size_and_hash(project):
    config = yaml.safe_load((project / "runs/mine/config.yaml").read_text("utf-8"))
    assert config["data"]["test"]["file"] == "test.tsv"
    record = config["files"]["data.test.file"]
    assert record["path"] == str(project / "test.tsv")
    assert record["bytes"] == len(TEST.encode())
    assert len(record["hash"]) == 64
    assert Run.open(project / "runs/mine").metadata["licence"] == "CC0-1.0"


def test_a_file_at_the_same_relative_path_elsewhere_is_not_read(project, recipe, caplog):
    write(Path("test.tsv"), OTHER)
    run = project / "runs/mine"
    assert text(project) == TEST
    assert [*read_test_set(CompareConfig(systems=[str(run)]), run)] == [*Run.open(run).corpus("test")]
    assert [*corpus_to_score(DataConfig(), run, Split.test)] == [*Run.open(run).corpus("test")]
    assert settings_of(run).data.train.file == str(project / "train.tsv")
    outcome = recipe("evaluate", f"run={run}")
    assert outcome.code == 0
    assert f"{project / 'test.tsv'}, 5 sentences" in outcome.out
    assert "has changed" not in outcome.err + caplog.text
    assert run_data(RunFolder.open(run)).validation.file == str(project / "validation.tsv")


def test_in_the_folder_of_the_training_command_paths_are_shown_as_given(project, monkeypatch):
    monkeypatch.chdir(project)
    assert Run.open("runs/mine").corpus("test").name == "test.tsv"


def test_a_changed_test_set_is_scored_and_reported_in_one_line(project, recipe):
    write(project / "test.tsv", OTHER)
    outcome = recipe("evaluate", f"run={project / 'runs/mine'}")
    assert outcome.code == 0
    (line,) = [line for line in outcome.err.splitlines() if "has changed" in line]
    assert line.endswith(f"{project / 'test.tsv'} has changed since {project / 'runs/mine'} was trained")


def test_text_that_the_command_names_is_not_compared(project, caplog):
    write(project / "test.tsv", OTHER)
    given = DataConfig()
    given.test.file = "mine.tsv"
    assert run_text(RunFolder.open(project / "runs/mine"), given, Split.test).test.file == "mine.tsv"
    assert caplog.text == ""


@pytest.mark.parametrize("folder", [".", "runs", "../elsewhere"])
def test_a_run_moved_with_its_data_finds_them(project, monkeypatch, folder):
    moved = Path(shutil.move(project, project.parent / "moved"))
    write(Path("test.tsv"), OTHER)  # of the working folder; the hash decides
    monkeypatch.chdir(moved / folder)
    assert text(moved) == TEST
    assert text(moved, "train") == FILES["train"]


def test_a_missing_file_is_not_replaced_by_another_one(project, recipe):
    (project / "test.tsv").unlink()
    write(Path("test.tsv"), OTHER)
    outcome = recipe("evaluate", f"run={project / 'runs/mine'}")
    assert outcome.code == 1
    assert outcome.err == (
        f"error: {project / 'test.tsv'}, which {project / 'runs/mine'} was trained with, is missing "
        f"({Path('test.tsv').absolute()} is another file): set data.test.file=PATH\n"
    )
    with pytest.raises(DataError, match=r"is missing .*: set data\.test\.file=PATH"):
        text(project)


def resume(folder: str, *changed: str) -> Run:
    return train(compose_train(None, [*SETTINGS, f"run={folder}", *changed]))


def test_training_does_not_resume_on_changed_text(project, monkeypatch):
    monkeypatch.chdir(project)
    before = Path("runs/mine/config.yaml").read_bytes()
    write(Path("train.tsv"), FILES["train"] + OTHER)
    with pytest.raises(RunError, match=r"train\.tsv \(data\.train\.file, .* is not the file that runs/mine was"):
        resume("runs/mine")
    assert Path("runs/mine/config.yaml").read_bytes() == before


def test_training_resumes_on_the_same_files_by_other_paths(project, monkeypatch):
    before = (project / "runs/mine/model.safetensors").read_bytes()
    monkeypatch.chdir(project / "runs")
    moved = [f"data.{split}.file={os.path.join('..', split)}.tsv" for split in (*FILES, "test")]
    assert resume("mine", *moved).folder == Path("mine")
    assert (project / "runs/mine/model.safetensors").read_bytes() == before


def test_an_older_run_folder_reads_the_paths_as_given(project, monkeypatch):
    path = project / "runs/mine/config.yaml"
    config = yaml.safe_load(path.read_text("utf-8"))
    del config["files"]
    write(path, yaml.safe_dump(config))
    write(Path("test.tsv"), OTHER)
    assert text(project) == OTHER
    monkeypatch.chdir(project)
    assert text(project) == TEST
    resume("runs/mine")
    assert "data.test.file" in yaml.safe_load(path.read_text("utf-8"))["files"]


@pytest.mark.parametrize(
    "section", ["text", ["a"], {"data.test.file": 1}, {"data.test.file": {"path": 1}}, {"data.test.file": {"x": "y"}}]
)
def test_damaged_records_are_reported_in_one_line(project, section):
    path = project / "runs/mine/config.yaml"
    config = yaml.safe_load(path.read_text("utf-8"))
    write(path, yaml.safe_dump(config | {"files": section}))
    with pytest.raises(RunError, match=r"config\.yaml: section files is not usable: restore it or retrain"):
        text(project)
