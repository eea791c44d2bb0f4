"""A model folder keeps the Unicode form of its text; folders of two forms are not mixed."""

import json
import shutil

import pytest
import yaml
from random_runs import random_run

from seq2seq import Translator
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.errors import ConfigError, RunError
from seq2seq.model import ModelConfig
from seq2seq.model.weights import load_weights, read_metadata, save_tensors
from seq2seq.run.folder import CONFIG, MODEL, RunFolder, load_run
from seq2seq.run.vocabulary import prepare_tokenizers
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.normalization import Normalization
from seq2seq.training.warm_start import checked_start


def with_form(run, form):
    """Set the form in config.yaml; None removes the key, as in folders of older versions."""
    config = yaml.safe_load((run / CONFIG).read_text("utf-8"))
    del config["tokenizer"]["normalization"]
    config["tokenizer"] |= {} if form is None else {"normalization": form}
    (run / CONFIG).write_text(yaml.safe_dump(config), "utf-8")
    return run


@pytest.fixture
def wide(tiny_run, tmp_path):
    """A run whose text is in NFKC, with the weights and vocabulary of the other."""
    return with_form(random_run(tiny_run, tmp_path / "wide", 1), "nfkc")


def test_the_form_is_kept_and_old_folders_have_nfc(tiny_run, wide, tmp_path):
    assert RunFolder.open(tiny_run).settings["tokenizer"]["normalization"] == "nfc"
    assert json.loads(read_metadata(tiny_run / MODEL)["settings"])["tokenizer.normalization"] == "nfc"
    old = with_form(shutil.copytree(tiny_run, tmp_path / "old"), None)
    assert Translator.load(old, "cpu").normalization is Normalization.nfc
    translator = Translator.load(wide, "cpu")
    assert translator.normalization is Normalization.nfkc
    narrow, full = translator.translate(["We work.", "\uff37\uff45 work."])
    assert (narrow.text, narrow.score) == (full.text, full.score)
    apart = Translator.load(tiny_run, "cpu").translate(["We work.", "\uff37\uff45 work."])
    assert apart[0].source_tokens != apart[1].source_tokens


@pytest.mark.parametrize("known", [True, False])
def test_another_form_in_config_yaml_is_refused(tiny_run, tmp_path, known):
    run = with_form(shutil.copytree(tiny_run, tmp_path / "changed"), "nfkc")
    if not known:  # weights of an older version
        metadata = read_metadata(run / MODEL)
        settings = json.loads(metadata["settings"])
        del settings["tokenizer.normalization"]
        metadata = {name: value for name, value in metadata.items() if "sha" not in name.lower()}
        save_tensors(load_weights(run / MODEL), run / MODEL, metadata | {"settings": json.dumps(settings)})
    with pytest.raises(RunError, match=r"has tokenizer\.normalization=nfkc, but .* was trained with .*=nfc") as error:
        load_run(run)
    assert "\n" not in str(error.value)


def test_an_unknown_form_is_refused(tiny_run, tmp_path):
    run = with_form(shutil.copytree(tiny_run, tmp_path / "odd"), "nfx")
    with pytest.raises(RunError, match=r"section tokenizer is not usable"):
        load_run(run)


def test_an_ensemble_has_one_form(tiny_run, wide):
    with pytest.raises(RunError, match=r"normalization=nfkc and .* with nfc, .* train both with the same") as error:
        Translator.load([tiny_run, wide], "cpu")
    assert "\n" not in str(error.value)


def test_a_start_and_a_vocabulary_have_the_form_of_the_new_run(tiny_run, wide, tmp_path):
    model = RunFolder.open(wide).section("model", ModelConfig)
    with pytest.raises(ConfigError, match=r"trained with tokenizer\.normalization=nfkc, .*: set the same") as error:
        checked_start(tmp_path / "new", str(wide), model, TokenizerConfig())
    assert "\n" not in str(error.value)
    same = TokenizerConfig(normalization=Normalization.nfkc)
    assert checked_start(tmp_path / "new", str(wide), model, same) == wide
    corpus = PairList("one", [Pair("We work.", "Wir arbeiten.")])
    for name in (wide, wide / "tokenizer.model"):
        config = TokenizerConfig(source_model=str(name))
        with pytest.raises(ConfigError, match=r"source_model=.* was trained with .*=nfkc: set the same") as error:
            prepare_tokenizers(tmp_path / "new", config, corpus)
        assert "\n" not in str(error.value)
    (tmp_path / "new").mkdir()
    config = TokenizerConfig(source_model=str(wide), normalization=Normalization.nfkc)
    assert prepare_tokenizers(tmp_path / "new", config, corpus).source.normalization is Normalization.nfkc
