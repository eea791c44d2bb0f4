"""Runs like another one but for a single choice."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from laboratories import CONTEXT
from siblings import sibling

from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.config import MoreConfig
from seq2seq.errors import ConfigError, RunError
from seq2seq.figures.config import Figure, SweepConfig
from seq2seq.figures.variants import FINISHED, settings_of, siblings, train_sibling
from seq2seq.run.folder import CONFIG, MODEL
from seq2seq.run.resume import open_run
from seq2seq.settings import walk
from seq2seq.training import SGD, AdamW, Halving


def changed(one: TrainConfig, other: TrainConfig) -> dict[str, object]:
    """The settings of the second that are not the first's, but for places."""
    places = ("run", "tokenizer.source_model", "tokenizer.target_model", "training.device")
    before = {name: value for name, _, value in walk(one)}
    return {name: value for name, _, value in walk(other) if before[name] != value and name not in places}


def test_settings_come_back_with_the_classes_that_were_chosen(tmp_path):
    config = TrainConfig(optimizer=AdamW(weight_decay=0.5), schedule=Halving())
    config.data.more = [MoreConfig(source="a", target="b", weight=0.5)]
    open_run(tmp_path / "run", config)
    assert settings_of(tmp_path / "run") == config
    open_run(tmp_path / "sgd", replace(config, optimizer=SGD()))
    assert type(settings_of(tmp_path / "sgd").optimizer) is SGD


def test_settings_that_cannot_be_are_one_line(tmp_path):
    open_run(tmp_path, TrainConfig())
    values = yaml.safe_load((tmp_path / CONFIG).read_text("utf-8"))
    values["model"]["nonsense"] = 1
    (tmp_path / CONFIG).write_text(yaml.safe_dump(values), "utf-8")
    with pytest.raises(RunError, match="not usable") as raised:
        settings_of(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def context_run(tiny_run, tmp_path_factory) -> Path:
    return sibling(tiny_run, tmp_path_factory.mktemp("lab") / "context", 1, CONTEXT)


def test_attention_is_put_on_or_taken_off(tiny_run, context_run, tmp_path):
    for run in (tiny_run, context_run):
        own = settings_of(run)
        without, attends = siblings(Figure.attention, run, tmp_path, SweepConfig(), "cpu")
        assert (without.name, attends.name) == ("one context vector", "general attention")
        mine, other = (attends, without) if run is tiny_run else (without, attends)
        assert (mine.folder, mine.config) == (run, None)
        assert other.folder == tmp_path / other.name.replace(" ", "-")
        found = changed(own, other.config)
        expected = {"model.attention": "none", "model.decoder.feed_context": True}
        if run is context_run:
            expected = {"model.attention": "general", "model.decoder.feed_context": False}
        assert found == expected


def test_directions_have_a_context_as_wide_as_the_runs(context_run, tmp_path):
    found = {one.name: one for one in siblings(Figure.reversal, context_run, tmp_path, SweepConfig(), "cpu")}
    assert list(found) == ["forward", "reversed", "bidirectional"]
    own = settings_of(context_run)
    for name in ("forward", "reversed"):
        model = found[name].config.model
        assert model.encoder.width == own.model.encoder.width
        assert changed(own, found[name].config) == {
            "model.encoder.direction": name,
            "model.encoder.size": 2 * own.model.encoder.size,
        }
    assert found["bidirectional"].config is None


def test_a_run_that_reads_one_way_is_one_of_the_two(tiny_run, tmp_path):
    run = sibling(tiny_run, tmp_path / "run", 1, {**CONTEXT, "encoder.direction": "reversed"})
    found = siblings(Figure.reversal, run, tmp_path / "siblings", SweepConfig(), "cpu")
    assert [(one.name, one.config is None) for one in found] == [("forward", False), ("reversed", True)]


def test_widths_are_those_of_the_context_and_the_decoder_follows_where_it_must(tiny_run, context_run, tmp_path):
    sweep = SweepConfig(widths=[4, 24])
    narrow, own = siblings(Figure.width, context_run, tmp_path, sweep, "cpu")
    assert (narrow.name, narrow.folder) == ("width 4", tmp_path / "width-4")
    assert changed(settings_of(context_run), narrow.config) == {"model.encoder.size": 2}
    assert own.config is None, "12 units each way are the run's own"
    narrow, _ = siblings(Figure.width, context_run, tmp_path, replace(sweep, decoder=True), "cpu")
    assert narrow.config.model.decoder.size == round(20 * 4 / 24)
    bound = sibling(tiny_run, tmp_path / "copy", 1, {**CONTEXT, "bridge": "copy", "decoder.size": 24})
    narrow, _ = siblings(Figure.width, bound, tmp_path, sweep, "cpu")
    assert narrow.config.model.decoder.size == 4
    with pytest.raises(ConfigError, match=r"that 2 divides: name 6$"):
        siblings(Figure.width, context_run, tmp_path, SweepConfig(widths=[5]), "cpu")


def test_other_updates_make_even_the_runs_own_settings_a_sibling(context_run, tmp_path):
    found = siblings(Figure.reversal, context_run, tmp_path, SweepConfig(updates=7), "cpu")
    assert all(one.config.training.updates == 7 for one in found)
    assert changed(settings_of(context_run), found[2].config) == {"training.updates": 7}


def test_siblings_share_the_runs_vocabulary_and_what_is_prepared(context_run, tmp_path):
    configs = [one.config for one in siblings(Figure.reversal, context_run, tmp_path, SweepConfig(), "cpu")[:2]]
    for config in configs:
        assert config.tokenizer.source_model == str(context_run.resolve())
        assert config.data.cache_folder(Path(config.run)) == tmp_path / "prepared"
        assert config.run == str(tmp_path / config.model.encoder.direction)


def test_what_has_no_siblings_is_refused_in_a_line(tiny_run, context_run, tmp_path):
    values = yaml.safe_load((context_run / CONFIG).read_text("utf-8"))
    started = sibling(tiny_run, tmp_path / "started", 1, CONTEXT)
    values["training"]["start"] = "runs/other"
    (started / CONFIG).write_text(yaml.safe_dump(values), "utf-8")
    with pytest.raises(RunError, match=r"training\.start"):
        siblings(Figure.reversal, started, tmp_path, SweepConfig(), "cpu")
    model = sibling(tiny_run, tmp_path / "lm", 1, {"encoder.layers": 0, "attention": "none"})
    with pytest.raises(ConfigError, match="language model"):
        siblings(Figure.reversal, model, tmp_path, SweepConfig(), "cpu")
    with pytest.raises(ConfigError, match="trains none"):
        siblings(Figure.lengths, context_run, tmp_path, SweepConfig(), "cpu")
    heads = sibling(tiny_run, tmp_path / "heads", 1, {"attention_heads": 4})
    with pytest.raises(ConfigError, match=r"^width 6 of .*attention_heads=4"):
        siblings(Figure.width, heads, tmp_path, SweepConfig(widths=[6]), "cpu")


def test_a_sibling_is_trained_once_and_again_where_it_was_stopped(context_run, tmp_path):
    one, *_ = siblings(Figure.width, context_run, tmp_path, SweepConfig(widths=[4]), "cpu")
    calls = []

    def train(config: TrainConfig, folder: Path) -> None:
        calls.append(folder)
        folder.mkdir(exist_ok=True)
        if len(calls) == 1:
            raise RunError("stopped")
        (folder / MODEL).touch()

    with pytest.raises(RunError, match="stopped"):
        train_sibling(one, train)
    assert not (one.folder / FINISHED).exists()
    train_sibling(one, train)
    train_sibling(one, train)
    assert calls == [one.folder] * 2
    longer = siblings(Figure.width, context_run, tmp_path, SweepConfig(widths=[4], updates=40), "cpu")[0]
    train_sibling(longer, train)
    assert len(calls) == 3
    own = siblings(Figure.width, context_run, tmp_path, SweepConfig(widths=[24]), "cpu")[0]
    train_sibling(own, train)
    assert len(calls) == 3
