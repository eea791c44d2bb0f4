"""`training=debug` and `training=overfit`."""

import json
import shlex
from pathlib import Path

import pytest

from seq2seq.config.hydra import compose_train
from seq2seq.config.ignored_settings import refuse_ignored
from seq2seq.corpora.config import DataConfig, Split, SplitConfig
from seq2seq.corpora.reading import read_corpora, read_split
from seq2seq.errors import ConfigError
from seq2seq.run.folder import RunFolder
from seq2seq.run.resume import open_run

EXPERIMENTS = sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("preset", ["debug", "overfit"])
def test_a_preset_fits_the_default_and_an_experiment_of_each_kind(preset):
    for experiment in (None, "sutskever2014", "rnmt_plus2018", "multi30k_small"):
        config = compose_train(experiment, [f"training={preset}"])
        config.check()
        refuse_ignored(config)
        assert config.training.updates <= 300


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["debug", "overfit"])
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_preset_fits_every_experiment(preset, experiment):
    config = compose_train(experiment, [f"training={preset}"], names_text=True)  # auto needs some
    config.check()
    refuse_ignored(config)


def test_every_split_is_the_beginning_of_the_training_set(tmp_path):
    (tmp_path / "a.tsv").write_text("".join(f"{n}\tx{n}\n" for n in range(9)), "utf-8")
    files = SplitConfig(file=str(tmp_path / "a.tsv"))
    config = DataConfig(train=files, overfit=3, source_tag="<t>")
    corpora = read_corpora(config)
    assert list(corpora.validation) == list(corpora.test) == [(f"<t> {n}", f"x{n}") for n in range(3)]
    assert [pair for part in corpora.train.parts for pair in part.corpus] == list(corpora.test)
    assert corpora.test.expected_pairs() in (3, None)
    others = [read_split(DataConfig(train=files, overfit=count), Split.train).fingerprint for count in (3, 4)]
    assert len({*others}) == 2


def test_debug_goes_through_every_step(recipe, tmp_path):
    outcome = recipe(
        "train", f"run={tmp_path / 'run'}", "training=debug", "training.updates=4", "training.validate_every=2"
    )
    assert outcome.code == 0, outcome.err
    assert {"model.safetensors", "shortlist.safetensors", "scores.json"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    assert RunFolder.open(tmp_path / "run").settings["data"]["overfit"] == 200
    following = shlex.split(outcome.out.splitlines()[-1])
    assert (following[0], Path(following[2]).name) == ("next:", "train.py")
    assert following[3:] == ["training.updates=4", "training.validate_every=2", f"run={tmp_path / 'run'}-whole"]
    assert compose_train(overrides=following[3:]).data.overfit is None


@pytest.mark.slow
def test_overfit_reaches_a_loss_near_0(recipe, tmp_path):
    outcome = recipe("train", f"run={tmp_path / 'run'}", "training=overfit")
    assert outcome.code == 0, outcome.err
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    last = [record for record in records if record["kind"] == "validation"][-1]
    assert last["loss"] < 0.05
    assert last["bleu"] > 99


def test_a_run_that_is_extended_keeps_the_warm_up_that_was_shortened(tmp_path):
    def composed(updates, *more):
        return compose_train(
            overrides=["data=builtin", f"run={tmp_path / 'run'}", f"training.updates={updates}", *more]
        )

    first = composed(20)
    assert first.schedule.warmup == 2
    open_run(tmp_path / "run", first)
    for updates in (120, 20, 2):
        longer = composed(updates)
        assert longer.schedule.warmup == 2
        open_run(tmp_path / "run", longer)
    assert composed(120, "schedule.warmup=5").schedule.warmup == 5
    assert composed(120, f"run={tmp_path / 'other'}").schedule.warmup == 100


@pytest.mark.parametrize("schedule", ["constant", "inverse_square_root", "plateau"])
@pytest.mark.parametrize("experiment", [name for name in EXPERIMENTS if name.startswith("multi30k")])
def test_another_schedule_can_be_chosen_on_top_of_an_experiment(experiment, schedule):
    config = compose_train(experiment, [f"schedule={schedule}", "schedule.warmup=50"])
    assert not hasattr(config.schedule, "floor")
    assert compose_train(experiment).schedule.floor == 0.02


def test_another_optimizer_does_not_keep_the_rate_of_the_experiment():
    """A rate of 25 is for gradient descent on sums of gradients."""
    message = (
        r"experiment=luong2015 has optimizer\.learning_rate=25\.0 .*set optimizer\.learning_rate for optimizer=adam"
    )
    with pytest.raises(ConfigError, match=message):
        compose_train("luong2015", ["optimizer=adam"])
    assert (
        compose_train("luong2015", ["optimizer=adam", "optimizer.learning_rate=0.001"]).optimizer.learning_rate == 0.001
    )
    assert compose_train("luong2015").optimizer.learning_rate == 25


def test_a_run_is_another_runs_experiment_without_its_time(tmp_path):
    """Its number of updates has been measured, and another folder would measure again."""
    config = compose_train(overrides=["training.time=30m", "training.updates=1234", f"run={tmp_path / 'a'}"])
    open_run(tmp_path / "a", config)
    again = compose_train(str(tmp_path / "a/config.yaml"), [f"run={tmp_path / 'b'}"])
    assert (again.training.time, again.training.time_limit, again.training.updates) == (None, None, 1234)


def test_an_experiment_of_a_folder_does_not_choose_over_its_own_settings(tmp_path, recipe):
    (tmp_path / "experiment").mkdir()
    content = "# @package _global_\ndefaults: [override /data: files]\nauto: {choose: true}\nmodel: {dropout: 0.55}\n"
    (tmp_path / "experiment/mine.yaml").write_text(content)
    (tmp_path / "p.tsv").write_text("".join(f"{n}\tx{n}\n" for n in range(90)), "utf-8")
    own = [f"data.file={tmp_path / 'p.tsv'}", f"run={tmp_path / 'run'}"]
    outcome = recipe("train", "--config-dir", str(tmp_path), "experiment=mine", *own)
    assert outcome.code == 1
    assert "experiment=mine chooses settings by the text: name it by its path, experiment=PATH.yaml" in outcome.err
