"""Run folders: creation, resuming, refusal, and cleanup after a failed setup."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.config import MoreConfig
from seq2seq.errors import DataError, RunError
from seq2seq.model import ModelConfig
from seq2seq.run.folder import RunFolder
from seq2seq.run.resume import open_run, run_setup
from seq2seq.system.atomic import temporary_path
from seq2seq.training import SGD, Adam, AdamW, Constant, Cosine, InverseSquareRoot, TrainingConfig
from seq2seq.training.loggers import MLflow, TensorBoard


def settings(**changes: object) -> TrainConfig:
    return TrainConfig(**{"optimizer": Adam(), "schedule": Cosine(), **changes})


def one_line(call: Callable[[], object]) -> str:
    with pytest.raises(RunError) as raised:
        call()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_new_folder_contains_the_settings(tmp_path):
    config = settings(seed=42, run="there")
    open_run(tmp_path / "a/b", config)
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["config.yaml"]
    saved = RunFolder.open(tmp_path / "a/b").settings
    assert (saved["seed"], saved["run"], saved["optimizer"]["beta2"]) == (42, "there", 0.999)
    assert RunFolder.open(tmp_path / "a/b").section("model", ModelConfig) == config.model


@pytest.mark.parametrize("leftover", [[], [temporary_path(Path("config.yaml")).name]])
def test_a_run_can_start_in_an_empty_or_unfinished_folder(tmp_path, leftover):
    for name in leftover:
        (tmp_path / name).write_text("seed: 4")
    open_run(tmp_path, settings())
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_run_resumes_with_another_logger_also_if_an_older_version_made_it(tmp_path):
    open_run(tmp_path, settings(logger=TensorBoard()))
    open_run(tmp_path, settings(logger=MLflow(experiment="other"), training=TrainingConfig(samples=0)))
    path = tmp_path / "config.yaml"
    saved = yaml.safe_load(path.read_text("utf-8"))
    assert saved["choices"].pop("logger") == "MLflow"
    assert saved.pop("logger")["experiment"] == "other"
    assert saved["training"].pop("samples") == 0
    path.write_text(yaml.safe_dump(saved), "utf-8")
    open_run(tmp_path, settings(logger=TensorBoard()))


def test_the_same_settings_resume(tmp_path):
    open_run(tmp_path, settings())
    before = (tmp_path / "config.yaml").read_bytes()
    (tmp_path / "anything").touch()
    open_run(tmp_path, settings())
    assert (tmp_path / "config.yaml").read_bytes() == before


def change(config: TrainConfig, path: str, value: object) -> TrainConfig:
    *parents, last = path.split(".")
    place = config
    for parent in parents:
        place = getattr(place, parent)
    setattr(place, last, value)
    return config


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("seed", 2, "seed=1, this command says seed=2"),
        ("model.dropout", 0.3, "model.dropout=0.2, this command says model.dropout=0.3"),
        ("model.encoder.layers", 2, "model.encoder.layers=1, this command says model.encoder.layers=2"),
        ("data.train.source", "x.de", "data.train.source=None, this command says data.train.source=x.de"),
        ("training.validate_every", 2, "training.validate_every=500, this command says training.validate_every=2"),
        ("training.clip", None, "training.clip=1.0, this command says training.clip=None"),
        ("optimizer", SGD(learning_rate=0.001), "optimizer=Adam, this command says optimizer=SGD"),
        ("optimizer", AdamW(), "optimizer=Adam, this command says optimizer=AdamW"),
        ("schedule", Constant(), "schedule=Cosine, this command says schedule=Constant"),
        ("optimizer.beta1", 0.5, "optimizer.beta1=0.9, this command says optimizer.beta1=0.5"),
    ],
)
def test_other_settings_are_refused_without_changes_of_the_folder(tmp_path, path, value, expected):
    open_run(tmp_path, settings())
    before = (tmp_path / "config.yaml").read_bytes()
    message = one_line(lambda: open_run(tmp_path, change(settings(), path, value)))
    assert f"{tmp_path} holds a run with {expected}: choose another folder with run=PATH" in message
    assert (tmp_path / "config.yaml").read_bytes() == before


def test_the_first_of_several_differences_is_named(tmp_path):
    open_run(tmp_path, settings())
    other = change(change(settings(), "training.validate_every", 3), "batch.tokens", 17)
    assert "batch.tokens=17" in one_line(lambda: open_run(tmp_path, other))


def test_schedules_with_the_same_fields_are_distinguished(tmp_path):
    open_run(tmp_path, settings(schedule=InverseSquareRoot(warmup=10)))
    open_run(tmp_path, settings(schedule=InverseSquareRoot(warmup=10)))
    message = one_line(lambda: open_run(tmp_path, settings(schedule=Constant(warmup=10))))
    assert "schedule=InverseSquareRoot, this command says schedule=Constant" in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("run", "elsewhere"),
        ("training.updates", 9999),
        ("training.accumulate", 2),
        ("training.patience", 3),
        ("training.device", "cpu"),
        ("search.beam_size", 3),
        ("shortlist.frequent", 3),
    ],
)
def test_changeable_settings_are_updated_in_the_folder(tmp_path, path, value):
    open_run(tmp_path, settings())
    open_run(tmp_path, change(settings(), path, value))
    saved = RunFolder.open(tmp_path).settings
    for name in path.split("."):
        saved = saved[name]
    assert saved == value


def test_the_pairs_of_which_guided_attention_learns_stay(tmp_path):
    """Other links would be other training."""
    guided = change(settings(), "loss.guided_attention", 1.0)
    open_run(tmp_path, guided)
    open_run(tmp_path, change(guided, "shortlist.frequent", 3))
    assert "shortlist.pairs=7" in one_line(lambda: open_run(tmp_path, change(guided, "shortlist.pairs", 7)))


def test_strings_that_look_like_other_types_are_kept(tmp_path):
    odd = change(change(settings(), "data.train.source", "1e5"), "data.train.target", "{no}: {such}\u2028thing")
    open_run(tmp_path, odd)
    open_run(tmp_path, odd)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    message = one_line(lambda: open_run(tmp_path, settings()))
    assert message == f"{tmp_path} is not empty and not a run folder: choose another with run=PATH"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("below", ["", "/run"])
def test_a_file_instead_of_a_folder_is_refused(tmp_path, below):
    (tmp_path / "file").write_text("precious")
    assert "choose another with run=PATH" in one_line(lambda: open_run(Path(f"{tmp_path}/file{below}"), settings()))
    assert (tmp_path / "file").read_text() == "precious"


# Older folders


def forget(folder: Path, path: str) -> None:
    """Remove a setting from config.yaml, as in a folder of an older version."""
    values = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    *parents, last = path.split(".")
    place = values
    for parent in parents:
        place = place[int(parent)] if isinstance(place, list) else place[parent]
    del place[last]
    (folder / "config.yaml").write_text(yaml.safe_dump(values), "utf-8")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 2),
        ("model.dropout", 0.7),
        ("model.encoder.layers", 3),
        ("optimizer.beta2", 0.5),
        ("schedule.warmup", 7),
        ("risk", None),
        ("data.train", None),
        ("data.more", [MoreConfig(file="x.tsv")]),
    ],
)
def test_a_setting_missing_in_an_older_folder_had_its_default(tmp_path, path, value):
    open_run(tmp_path, settings())
    whole = (tmp_path / "config.yaml").read_bytes()
    forget(tmp_path, path)
    open_run(tmp_path, settings())
    assert (tmp_path / "config.yaml").read_bytes() == whole
    forget(tmp_path, path)
    if value is not None:
        assert f"this command says {path}=" in one_line(lambda: open_run(tmp_path, change(settings(), path, value)))


def test_older_list_entries_are_completed_with_defaults(tmp_path):
    def config(**others: object) -> TrainConfig:
        return change(settings(), "data.more", [MoreConfig(file="x.tsv", **others)])

    open_run(tmp_path, config())
    forget(tmp_path, "data.more.0.source_tag")
    open_run(tmp_path, config())
    forget(tmp_path, "data.more.0.source_tag")
    assert "data.more=" in one_line(lambda: open_run(tmp_path, config(source_tag="<bt>")))
    forget(tmp_path, "data.more.0.file")
    assert "data.more=" in one_line(lambda: open_run(tmp_path, config()))


# Failed setup


def fail(folder: Path, error: BaseException, made: str = "tokenizer.model") -> None:
    with run_setup(folder, settings()):
        (folder / made).write_text("made")
        raise error


@pytest.mark.parametrize("there", [False, True])
def test_a_failed_setup_leaves_nothing(tmp_path, there):
    folder = tmp_path / "run"
    if there:
        folder.mkdir()
    with pytest.raises(DataError, match="no such file"):
        fail(folder, DataError("no such file"))
    assert [*tmp_path.rglob("*")] == [folder] * there


def test_files_of_other_programs_stay_after_a_failed_setup(tmp_path):
    with pytest.raises(DataError):
        fail(tmp_path / "run", DataError("no such file"), "notes.txt")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_a_failed_resume_deletes_nothing(tmp_path):
    with run_setup(tmp_path / "run", settings()):
        pass
    with pytest.raises(DataError):
        fail(tmp_path / "run", DataError("no such file"))
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["config.yaml", "tokenizer.model"]
    before = [*(tmp_path / "run").iterdir()]
    with pytest.raises(RunError, match="seed=1"), run_setup(tmp_path / "run", settings(seed=2)):
        pass
    assert [*(tmp_path / "run").iterdir()] == before


def test_an_interrupted_setup_can_be_resumed(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "run", KeyboardInterrupt())
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["config.yaml", "tokenizer.model"]
