"""The choices of logger=, each as its own reader sees the files."""

import csv
import json
import math
import struct

import pytest
from disk import full_disk

from seq2seq.errors import ConfigError, RunError, install_hint
from seq2seq.training import loggers
from seq2seq.training.log import MetricsLog, read_metrics
from seq2seq.training.loggers import Csv, LoggerConfig, MLflow, TensorBoard, WeightsAndBiases, require
from seq2seq.training.progress import Progress, RunningSums, Validation
from seq2seq.training.samples import Sample
from seq2seq.training.trackers import COLUMNS, IDS

SETTINGS = {"seed": 3, "model.dropout": 0.25, "model.attention": "general", "data.filters.unique": True, "run": "x"}
PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 30, 20) + b" and so on"
SAMPLE = Sample("We *work*.", "Wir <b>arbeiten</b>.", "Wir.", lambda: PICTURE)


def train(folder, config, updates=(10, 20), start=0):
    """Log a training that validates after each record."""
    progress = Progress(start, records=read_metrics(folder / "metrics.jsonl"))
    with MetricsLog(folder, progress, config.build(folder, SETTINGS)) as log:
        for update in updates:
            progress.update = update
            log.write("train", update, {"loss": update / 10, "epoch": 0})
            log.write("validation", update, {"loss": math.inf, "bleu": 2.5})
            log.samples([SAMPLE])
        log.best({"loss": 1.5, "bleu": 7.5})
    return progress


def test_none_writes_only_the_metrics(tmp_path):
    train(tmp_path, LoggerConfig())
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_tensorboard_shows_samples_settings_and_the_best_scores(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    train(tmp_path, TensorBoard())
    train(tmp_path, TensorBoard(), [30], start=20)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("best/bleu")] == [(31, 7.5)]
    texts = events.Tensors("samples/1")
    assert [event.step for event in texts] == [10, 20, 30]
    [text] = texts[0].tensor_proto.string_val
    lines = text.decode().splitlines()
    assert lines == ["    source     We *work*.", "    reference  Wir <b>arbeiten</b>.", "    model      Wir."]
    pictures = events.Images("attention/1")
    assert [(event.step, event.width, event.height) for event in pictures] == [(10, 30, 20), (20, 30, 20), (30, 30, 20)]
    assert pictures[0].encoded_image_string == PICTURE
    [content] = events.PluginTagToContent("hparams").values()
    shown = HParamsPluginData.FromString(content).session_start_info.hparams
    assert shown["model.dropout"].number_value == 0.25
    assert shown["data.filters.unique"].bool_value is True
    assert shown["model.attention"].string_value == "general"
    assert shown.keys() == SETTINGS.keys()


def test_a_picture_that_cannot_be_drawn_does_not_end_the_run(tmp_path, caplog):
    with MetricsLog(tmp_path, Progress(), TensorBoard().build(tmp_path, SETTINGS)) as log:
        log.samples([SAMPLE._replace(picture=lambda: 1 / 0)])
    assert ["division by zero" in message for message in caplog.messages] == [True]


def test_csv_has_a_row_per_record(tmp_path):
    train(tmp_path, Csv())
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("of a process that was killed")
    progress = train(tmp_path, Csv(), [30], start=20)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]
    assert rows == [{name: str(value) for name, value in record.items()} for record in progress.records]
    assert len(rows) == 6


def test_csv_has_a_column_for_every_measurement():
    window = RunningSums(1.0, 2, 3.0, loss_scale=4.0)
    values = {"kind", "update", "epoch", *window.as_metrics(), *Validation(1, 2.0, 3.0, 4.0).as_metrics()}
    assert values == {*COLUMNS}


def test_a_csv_row_that_was_written_in_part_is_replaced(tmp_path):
    logger = Csv().build(tmp_path, {})
    logger.start(0, [])
    size = (tmp_path / "metrics.csv").stat().st_size
    record = {"kind": "train", "update": 1, "loss": 1.0}
    with full_disk(size + 5), pytest.raises(OSError, match="File too large"):
        logger.record(record)
    logger.record(record)
    assert (tmp_path / "metrics.csv").read_text().splitlines()[1:] == ["train,1,,1.0,,,,,,,"]


@pytest.mark.parametrize(("config", "name"), [(WeightsAndBiases(), "wandb"), (MLflow(), "mlflow")])
def test_a_missing_package_is_one_line_with_the_command(config, name, monkeypatch):
    monkeypatch.setattr(loggers, "find_spec", lambda package: None)
    with pytest.raises(ConfigError) as error:
        config.check()
    assert str(error.value) == f"logger={name} needs {name}: {install_hint(name)}, or choose another logger"


def test_a_folder_with_the_name_of_a_package_is_not_the_package(tmp_path, monkeypatch):
    (tmp_path / "no_such_package").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="needs no_such_package"):
        require("no_such_package", "wandb")


@pytest.mark.parametrize("text", ["", "[]", '{"wandb": 3}', "{", "[" * 5000])
def test_damaged_ids_are_one_line(tmp_path, text):
    (tmp_path / IDS).write_text(text)
    with pytest.raises(RunError, match=r"logger\.json is damaged: delete it"):
        loggers_ids(tmp_path)


def loggers_ids(folder):
    from seq2seq.training.trackers import saved_id

    return saved_id(folder, "wandb")


# Tests of optional packages


@pytest.fixture
def wandb(monkeypatch):
    package = pytest.importorskip("wandb")
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    yield package
    package.teardown()


@pytest.mark.filterwarnings("ignore")
def test_wandb_works_offline_and_resumes_the_same_run(tmp_path, wandb):
    config = WeightsAndBiases(offline=True, project="translation")
    config.check()
    train(tmp_path / "mine", config)
    train(tmp_path / "mine", config, [30], start=20)
    wandb.teardown()  # its process writes the end of the file when it stops
    identity = json.loads((tmp_path / "mine" / IDS).read_text())["wandb"]
    files = sorted((tmp_path / "mine" / "wandb").glob(f"offline-run-*/run-{identity}.wandb"))
    history, summary, settings, named = [], {}, {}, []
    for record in (record for file in files for record in wandb_records(file)):
        values = {".".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
        if "train/loss" in values:
            history.append((record.history.step.num, float(values["train/loss"])))
            assert values["validation/bleu"] == "2.5"
        summary |= {item.key or item.nested_key[0]: item.value_json for item in record.summary.update}
        settings |= {item.key or item.nested_key[0]: item.value_json for item in record.run.config.update}
        named += [(record.run.display_name, record.run.project)] if record.run.run_id else []
    assert history == [(10, 1.0), (20, 2.0), (30, 3.0)]
    assert {*named} == {("mine", "translation")}
    assert settings["model.dropout"] == "0.25"
    assert any(value == "7.5" for value in summary.values())


def wandb_records(path):
    """Read the records of an offline run: a LevelDB log of protocol buffers after a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:  # a block has no room for another header
            place += 32768 - place % 32768
        _, length, kind = struct.unpack_from("<IHB", data, place)
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # the whole or the last part of a record
            yield Record.FromString(parts)
            parts = b""


@pytest.mark.filterwarnings("ignore")
def test_wandb_without_a_key_is_one_line(tmp_path, wandb, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(wandb, "login", lambda **options: False)
    with pytest.raises(ConfigError, match=r"has no API key: run wandb login, or set logger\.offline=true"):
        WeightsAndBiases().check()


@pytest.mark.filterwarnings("ignore")
def test_mlflow_resumes_the_same_run_and_keeps_its_status(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    config = MLflow(experiment="translation", uri=str(tmp_path / "store"))
    config.check()
    train(tmp_path / "mine", config)
    train(tmp_path / "mine", config, [30], start=20)
    client = mlflow.MlflowClient(config.uri)
    [run] = client.search_runs([client.get_experiment_by_name("translation").experiment_id])
    assert run.info.run_id == json.loads((tmp_path / "mine" / IDS).read_text())["mlflow"]
    assert (run.info.run_name, run.info.status) == ("mine", "FINISHED")
    assert run.data.params == {name: str(value) for name, value in SETTINGS.items()}
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(metric.step, metric.value) for metric in history] == [(10, 1.0), (20, 2.0), (30, 3.0)]
    assert run.data.metrics["best/bleu"] == 7.5
    assert len(client.list_artifacts(run.info.run_id, "samples")) == 3
    (tmp_path / "mine" / IDS).write_text('{"mlflow": "00000000000000000000000000000000"}')
    with pytest.raises(RunError, match=r"logger=mlflow cannot start .*delete logger\.json"):
        train(tmp_path / "mine", config, [40], start=30)
