"""Weights name the tokenizers and settings that they were trained with; readers refuse what does not belong to them."""

import hashlib
import json
import random
import re
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import TINY

from seq2seq import Translator, __version__
from seq2seq.errors import RunError
from seq2seq.model.weights import CHECKSUM, load_weights, read_metadata, save_tensors
from seq2seq.run.folder import MODEL, SHORTLIST, RunFolder, load_run
from seq2seq.run.metadata import model_metadata
from seq2seq.settings import override_value
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers, save_tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer
from seq2seq.training.averaging import average_checkpoints, average_runs, chosen_checkpoints
from seq2seq.training.warm_start import checked_start


@pytest.fixture(scope="module")
def foreign(tiny_run):
    """Tokenizers of other text with the same size as those of the run."""
    generator = random.Random(1)
    text = ["".join(generator.choices("abcdefghijkl", k=6)) for _ in range(2_000)]
    size = load_run(tiny_run).tokenizers.source.size
    trained = train_tokenizer(text, TokenizerConfig(size=size), "made-up words")
    assert trained.size == size
    return Tokenizers(trained, trained)


@pytest.fixture
def copied(tiny_run, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "copied"))


def change(run: Path, section: str, **values) -> None:
    """Change settings in config.yaml."""
    config = yaml.safe_load((run / "config.yaml").read_text("utf-8"))
    config[section] |= values
    (run / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")


def test_weights_name_version_languages_licence_settings_and_tokenizers(tiny_run):
    metadata = read_metadata(tiny_run / MODEL)
    tokenizer = hashlib.sha256((tiny_run / "tokenizer.model").read_bytes()).hexdigest()
    assert metadata.keys() == {
        "seq2seq", "source_language", "target_language", "settings", "tokenizer.model", CHECKSUM
    }  # fmt: skip
    assert metadata["tokenizer.model"] == read_metadata(tiny_run / SHORTLIST)["tokenizer.model"] == tokenizer
    assert (metadata["seq2seq"], metadata["source_language"], metadata["target_language"]) == (__version__, "en", "de")
    settings = json.loads(metadata["settings"])
    assert settings["model.encoder.size"] == 12
    assert "data.source_tag" in settings
    assert not any(name.startswith(("search", "training", "model.dropout")) for name in settings)
    loaded = load_run(tiny_run)
    licensed = model_metadata(loaded.network.config, {"licence": "CC0-1.0"}, loaded.tokenizers)
    assert licensed["licence"] == "CC0-1.0"


@pytest.mark.parametrize("kind", ["model", "ensemble", "average", "start", "checkpoints"])
def test_every_reader_refuses_a_foreign_tokenizer_of_the_same_size(tiny_run, copied, foreign, tmp_path, kind):
    loaded = load_run(copied)
    save_tokenizers(foreign, copied)
    read = {
        "model": lambda: load_run(copied),
        "ensemble": lambda: Translator.load([tiny_run, copied]),
        "average": lambda: average_runs(tiny_run, load_run(tiny_run), [copied]),
        "start": lambda: checked_start(tmp_path / "new", str(copied), loaded.network.config, TokenizerConfig()),
        "checkpoints": lambda: average_checkpoints(
            RunFolder.open(copied),
            type(loaded)(**vars(loaded) | {"metadata": RunFolder.open(copied).metadata(foreign)}),
            chosen_checkpoints(copied),
        ),
    }[kind]
    with pytest.raises(RunError) as error:
        read()
    words = rf"{re.escape(str(copied))}/tokenizer\.model is not the tokenizer that \S+ was trained with: restore it, or"
    assert re.match(words, str(error.value))
    assert "\n" not in str(error.value)


def test_training_does_not_resume_with_a_foreign_tokenizer(recipe, copied, foreign):
    save_tokenizers(foreign, copied)
    before = (copied / MODEL).read_bytes()
    outcome = recipe("train", f"run={copied}", "model=attention", *TINY, "training.updates=30")
    assert outcome.code == 1
    assert outcome.err.endswith(
        f"error: {copied}/tokenizer.model is not the tokenizer that {copied}/checkpoints/last.pt was trained with: "
        "restore it, or copy the whole model folder again\n"
    )
    assert (copied / MODEL).read_bytes() == before


def test_a_shortlist_of_another_tokenizer_is_refused(copied, foreign):
    loaded = load_run(copied)
    metadata = RunFolder.open(copied).metadata(foreign)
    save_tensors(load_weights(copied / SHORTLIST), copied / SHORTLIST, metadata)
    assert RunFolder.open(copied).load()  # the model itself is fine
    with pytest.raises(RunError, match=r"tokenizer\.model is not the tokenizer that .*shortlist\.safetensors was"):
        RunFolder.open(copied).load_shortlist(loaded.tokenizers)


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("model", "summary", "mean"),
        ("model", "attention_order", "bahdanau"),
        ("data", "source_tag", "<2de>"),
        ("tokenizer", "placeholders", ["urls"]),
    ],
)
def test_a_setting_that_changes_the_function_is_refused(copied, section, name, value):
    before = yaml.safe_load((copied / "config.yaml").read_text("utf-8"))[section][name]
    change(copied, section, **{name: value})
    with pytest.raises(RunError) as error:
        load_run(copied)
    assert f"config.yaml has {section}.{name}=" in str(error.value)
    assert f"was trained with {section}.{name}={override_value(before)}: restore it" in str(error.value)


def test_search_and_training_settings_may_be_edited(copied):
    change(copied, "model", dropout=0.5, initialization="xavier")
    change(copied, "search", beam_size=3)
    change(copied, "training", updates=1_000)
    change(copied, "data", target_language="deu")
    assert load_run(copied).search.beam_size == 3


def test_a_folder_from_before_metadata_opens(tiny_run, copied, foreign):
    save_tensors(load_weights(copied / MODEL), copied / MODEL)
    assert load_run(copied).quantized is False
    save_tokenizers(foreign, copied)  # nothing can tell
    assert load_run(copied).tokenizers.source.to_bytes() == foreign.source.to_bytes()


@pytest.mark.parametrize("name", ["quantize", "average"])
def test_models_made_from_a_model_carry_the_same_metadata(recipe, copied, foreign, name):
    output = copied.parent / "made"
    assert recipe(name, f"run={copied}", f"output={output}").code == 0
    made, original = (read_metadata(folder / MODEL) for folder in (output, copied))
    assert {**made, CHECKSUM: ""} == {**original, CHECKSUM: ""}
    save_tokenizers(foreign, output)
    with pytest.raises(RunError, match="is not the tokenizer"):
        load_run(output)


@pytest.mark.parametrize("settings", ["[]", "no JSON", "[" * 100_000])
def test_damaged_metadata_is_reported_in_one_line(copied, settings):
    save_tensors(load_weights(copied / MODEL), copied / MODEL, {"settings": settings})
    with pytest.raises(RunError, match=r"model\.safetensors is damaged \(its metadata has no settings\)"):
        load_run(copied)
