"""Variants of a run that differ in one choice."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from laboratories import CONTEXT
from random_runs import random_run

from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.config import MoreConfig
from seq2seq.errors import ConfigError, RunError
from seq2seq.figures.config import Figure, SweepConfig
from seq2seq.figures.variants import FINISHED, run_variants, settings_of, train_variant
from seq2seq.run.folder import CONFIG, MODEL
from seq2seq.run.resume import open_run
from seq2seq.settings import walk
from seq2seq.system.lock import locked
from seq2seq.training import SGD, AdamW, Halving


def changed(before: TrainConfig, after: TrainConfig) -> dict[str, object]:
    """Return the settings of the second that differ from the first, except paths and device."""
    ignored = ("run", "tokenizer.source_model", "tokenizer.target_model", "training.device")
    values = {name: value for name, _, value in walk(before)}
    return {name: value for name, _, value in walk(after) if values[name] != value and name not in ignored}


def test_settings_are_restored_with_their_chosen_classes(tmp_path):
    config = TrainConfig(optimizer=AdamW(weight_decay=0.5), schedule=Halving())
    config.data.more = [MoreConfig(source="a", target="b", weight=0.5)]
    open_run(tmp_path / "run", config)
    assert settings_of(tmp_path / "run") == config
    open_run(tmp_path / "sgd", replace(config, optimizer=SGD()))
    assert type(settings_of(tmp_path / "sgd").optimizer) is SGD


def test_invalid_settings_are_an_error_in_one_line(tmp_path):
    open_run(tmp_path, TrainConfig())
    values = yaml.safe_load((tmp_path / CONFIG).read_text("utf-8"))
    values["model"]["nonsense"] = 1
    (tmp_path / CONFIG).write_text(yaml.safe_dump(values), "utf-8")
    with pytest.raises(RunError, match="is not valid") as raised:
        settings_of(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def context_run(tiny_run, tmp_path_factory) -> Path:
    return random_run(tiny_run, tmp_path_factory.mktemp("lab") / "context", 1, CONTEXT)


def test_attention_is_added_or_removed(tiny_run, context_run, tmp_path):
    for run in (tiny_run, context_run):
        own = settings_of(run)
        without, attends = run_variants(Figure.attention, run, tmp_path, SweepConfig(), "cpu")
        assert (without.name, attends.name) == ("one context vector", "general attention")
        mine, other = (attends, without) if run is tiny_run else (without, attends)
        assert (mine.folder, mine.config) == (run, None)
        assert other.folder == tmp_path / other.name.replace(" ", "-")
        differences = changed(own, other.config)
        expected = {"model.attention": "none", "model.decoder.feed_context": True}
        if run is context_run:
            expected = {"model.attention": "general", "model.decoder.feed_context": False}
        assert differences == expected


def test_directions_keep_the_width_of_the_context(context_run, tmp_path):
    variants = {
        variant.name: variant for variant in run_variants(Figure.reversal, context_run, tmp_path, SweepConfig(), "cpu")
    }
    assert list(variants) == ["forward", "reversed", "bidirectional"]
    own = settings_of(context_run)
    for name in ("forward", "reversed"):
        model = variants[name].config.model
        assert model.encoder.width == own.model.encoder.width
        assert changed(own, variants[name].config) == {
            "model.encoder.direction": name,
            "model.encoder.size": 2 * own.model.encoder.size,
        }
    assert variants["bidirectional"].config is None


def test_a_one_directional_run_is_one_of_the_two_variants(tiny_run, tmp_path):
    run = random_run(tiny_run, tmp_path / "run", 1, {**CONTEXT, "encoder.direction": "reversed"})
    variants = run_variants(Figure.reversal, run, tmp_path / "variants", SweepConfig(), "cpu")
    assert [(variant.name, variant.config is None) for variant in variants] == [("forward", False), ("reversed", True)]


def test_widths_change_the_context_and_the_decoder_if_required(tiny_run, context_run, tmp_path):
    sweep = SweepConfig(widths=[4, 24])
    narrow, own = run_variants(Figure.width, context_run, tmp_path, sweep, "cpu")
    assert (narrow.name, narrow.folder) == ("width 4", tmp_path / "width-4")
    assert changed(settings_of(context_run), narrow.config) == {"model.encoder.size": 2}
    assert own.config is None, "12 units in each direction are the run's own"
    narrow, _ = run_variants(Figure.width, context_run, tmp_path, replace(sweep, decoder=True), "cpu")
    assert narrow.config.model.decoder.size == round(20 * 4 / 24)
    bound = random_run(tiny_run, tmp_path / "copy", 1, {**CONTEXT, "bridge": "copy", "decoder.size": 24})
    narrow, _ = run_variants(Figure.width, bound, tmp_path, sweep, "cpu")
    assert narrow.config.model.decoder.size == 4
    with pytest.raises(ConfigError, match=r"not a multiple of 2 .*: use 6$"):
        run_variants(Figure.width, context_run, tmp_path, SweepConfig(widths=[5]), "cpu")


def test_other_updates_make_even_the_runs_own_settings_a_variant(context_run, tmp_path):
    variants = run_variants(Figure.reversal, context_run, tmp_path, SweepConfig(updates=7), "cpu")
    assert all(variant.config.training.updates == 7 for variant in variants)
    assert changed(settings_of(context_run), variants[2].config) == {"training.updates": 7}


def test_variants_share_the_runs_vocabulary_and_prepared_data(context_run, tmp_path):
    configs = [
        variant.config for variant in run_variants(Figure.reversal, context_run, tmp_path, SweepConfig(), "cpu")[:2]
    ]
    for config in configs:
        assert config.tokenizer.source_model == str(context_run.resolve())
        assert config.data.cache_folder(Path(config.run)) == tmp_path / "prepared"
        assert config.run == str(tmp_path / config.model.encoder.direction)


def test_runs_without_variants_are_rejected_in_a_line(tiny_run, context_run, tmp_path):
    values = yaml.safe_load((context_run / CONFIG).read_text("utf-8"))
    started = random_run(tiny_run, tmp_path / "started", 1, CONTEXT)
    values["training"]["start"] = "runs/other"
    (started / CONFIG).write_text(yaml.safe_dump(values), "utf-8")
    with pytest.raises(RunError, match=r"training\.start"):
        run_variants(Figure.reversal, started, tmp_path, SweepConfig(), "cpu")
    model = random_run(tiny_run, tmp_path / "lm", 1, {"encoder.layers": 0, "attention": "none"})
    with pytest.raises(ConfigError, match="language model"):
        run_variants(Figure.reversal, model, tmp_path, SweepConfig(), "cpu")
    with pytest.raises(ConfigError, match="trains no variants"):
        run_variants(Figure.lengths, context_run, tmp_path, SweepConfig(), "cpu")
    heads = random_run(tiny_run, tmp_path / "heads", 1, {"attention_heads": 4})
    with pytest.raises(ConfigError, match=r"^width 6 of .*attention_heads=4"):
        run_variants(Figure.width, heads, tmp_path, SweepConfig(widths=[6]), "cpu")


def test_a_variant_is_trained_once_and_resumed_after_an_interruption(context_run, tmp_path):
    variant, *_ = run_variants(Figure.width, context_run, tmp_path, SweepConfig(widths=[4]), "cpu")
    calls = []

    def train(config: TrainConfig, folder: Path) -> None:
        with locked(folder):  # as seq2seq.train does; a second lock would be refused
            calls.append(folder)
            if len(calls) == 1:
                raise RunError("stopped")
            (folder / MODEL).touch()

    with pytest.raises(RunError, match="stopped"):
        train_variant(variant, train)
    assert not (variant.folder / FINISHED).exists()
    train_variant(variant, train)
    train_variant(variant, train)
    assert calls == [variant.folder] * 2
    longer = run_variants(Figure.width, context_run, tmp_path, SweepConfig(widths=[4], updates=40), "cpu")[0]
    train_variant(longer, train)
    assert len(calls) == 3
    own = run_variants(Figure.width, context_run, tmp_path, SweepConfig(widths=[24]), "cpu")[0]
    train_variant(own, train)
    assert len(calls) == 3
