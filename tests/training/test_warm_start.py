"""Warm start from another run."""

import shutil
from dataclasses import replace

import pytest
import torch
from conftest import TINY
from reversal import same

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.errors import ConfigError, RunError
from seq2seq.model import ModelConfig, Network
from seq2seq.model.weights import load_weights, save_tensors
from seq2seq.run.folder import RunFolder
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import load_tokenizers, save_tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers
from seq2seq.training.config import EmbeddingsConfig, StartVocabulary
from seq2seq.training.warm_start import checked_start, inherited_frozen, load_start_weights, transfer_start_weights


@pytest.fixture
def model(tiny_run):
    return RunFolder.open(tiny_run).section("model", ModelConfig)


def test_another_architecture_is_refused_with_the_settings_to_use(tiny_run, tmp_path, model):
    checked_start(tmp_path, str(tiny_run), model, TokenizerConfig())
    model.dropout, model.word_dropout = 0.7, 0.1  # do not affect the weights
    checked_start(tmp_path, str(tiny_run), model, TokenizerConfig())
    model.decoder.size, model.bridge_shared = 99, True
    expected = r"set model\.bridge_shared=false model\.decoder\.size=20, or start from another run"
    with pytest.raises(RunError, match=expected) as raised:
        checked_start(tmp_path, str(tiny_run), model, TokenizerConfig())
    assert "\n" not in str(raised.value)
    assert str(tiny_run) in str(raised.value)


@pytest.mark.parametrize(
    ("tokenizer", "changes", "named"),
    [
        ({"size": 300}, {}, "tokenizer.size=300 .* set tokenizer.size=400 as there"),
        ({"algorithm": "bpe"}, {}, "tokenizer.algorithm=bpe .* set tokenizer.algorithm=unigram as there"),
        (
            {"source_model": "a", "size": 500},
            {},
            "tokenizer.size=500 .* set tokenizer.size=400 tokenizer.source_model=n",
        ),
        (
            {},
            {"initialization": "xavier"},
            "model.initialization=xavier .* set model.initialization=uniform as there",
        ),
        ({}, {"forget_bias": 0.5}, "model.forget_bias=0.5 .* set model.forget_bias=1.0 as there"),
    ],
)
def test_settings_given_by_the_start_cannot_be_changed(tiny_run, tmp_path, model, tokenizer, changes, named):
    changed = replace(model, **changes)
    with pytest.raises(ConfigError, match=rf"^{named}") as raised:
        checked_start(tmp_path, str(tiny_run), changed, TokenizerConfig(**tokenizer))
    assert "\n" not in str(raised.value)
    assert checked_start(tiny_run, str(tiny_run), changed, TokenizerConfig(**tokenizer)), "the run already exists"


@pytest.mark.parametrize("size", [400, 8000])
def test_the_settings_of_the_start_and_defaults_are_accepted(tiny_run, tmp_path, model, size):
    config = TokenizerConfig(size=size, sampling=0.1, sample_target=False)
    assert checked_start(tmp_path, str(tiny_run), model, config) == tiny_run


def test_a_folder_without_a_model_is_refused(tiny_run, tmp_path, model):
    with pytest.raises(RunError, match="not a run folder"):
        checked_start(tmp_path, str(tmp_path / "nothing"), model, TokenizerConfig())
    (tmp_path / "young").mkdir()
    shutil.copy(tiny_run / "config.yaml", tmp_path / "young")
    with pytest.raises(RunError, match=r"has no model\.safetensors: train it") as raised:
        checked_start(tmp_path, str(tmp_path / "young"), model, TokenizerConfig())
    assert "\n" not in str(raised.value)


def test_a_resumed_run_does_not_read_its_start(tiny_run, tmp_path, model):
    missing = tmp_path / "gone"
    assert checked_start(tiny_run, str(missing), model, TokenizerConfig(tags=["<2de>"])) == missing


def test_without_a_start_nothing_is_checked(tmp_path, model):
    assert checked_start(tmp_path, None, model, TokenizerConfig(tags=["<2de>"]), ["<bt>"]) is None


@pytest.mark.parametrize(
    ("tags", "source_tags", "missing"), [([], ["<bt>", "<2de>"], "<bt>"), (["<2fr>"], [], "<2fr>")]
)
def test_a_vocabulary_without_a_tag_is_refused(tiny_run, tmp_path, model, tags, source_tags, missing):
    with pytest.raises(RunError, match=rf"has no token for the tag {missing}, .* or leave the tag out") as raised:
        checked_start(tmp_path, str(tiny_run), model, TokenizerConfig(tags=tags), source_tags)
    assert "\n" not in str(raised.value)


def test_a_vocabulary_with_the_tags_is_accepted(tiny_run, tmp_path, model):
    start = tmp_path / "start"
    shutil.copytree(tiny_run, start)
    config = TokenizerConfig(tags=["<2fr>"])
    trained = replace(config, size=300, joint=False)
    save_tokenizers(
        build_tokenizers(trained, PairList("one", [Pair("We work.", "Nous travaillons.")]), ["<bt>"]), start
    )
    save_tensors(load_weights(start / "model.safetensors"), start / "model.safetensors")  # without hashes
    assert checked_start(tmp_path / "run", str(start), model, config, ["<bt>"]) == start
    with pytest.raises(RunError, match="no token for the tag <bt>"):  # only the source has it
        checked_start(tmp_path / "run", str(start), model, TokenizerConfig(tags=["<bt>"]))


def test_a_missing_tag_is_refused_before_a_folder_is_created(recipe, tiny_run, tmp_path):
    overrides = [f"run={tmp_path / 'run'}", f"training.start={tiny_run}", "model=attention", *TINY]
    outcome = recipe("train", *overrides, "data.source_tag='<2de>'")
    assert outcome.code == 1
    assert "no token for the tag <2de>" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_the_weights_are_those_of_the_other_run(tiny_run, model):
    tokenizers = load_tokenizers(tiny_run)
    network = Network(model, tokenizers.source.size, tokenizers.target.size, tokenizers.joint)
    load_start_weights(tiny_run, network)
    assert same(dict(network.named_parameters()), load_weights(tiny_run / "model.safetensors"))
    with pytest.raises(RunError, match="does not belong"):
        load_start_weights(tiny_run, Network(model, 11, 11, joint=True))


def test_a_run_copies_tokenizers_and_weights_of_its_start(recipe, tiny_run, tmp_path):
    start, run = tmp_path / "start", tmp_path / "run"
    shutil.copytree(tiny_run, start)
    settings = [f"run={run}", f"training.start={start}", "model=attention", *TINY, "training.average_count=4"]
    settings += ["optimizer.learning_rate=1e-30", "training.average=none"]
    outcome = recipe("train", *settings, "training.updates=1")
    assert outcome.code == 0, outcome.err
    assert (run / "tokenizer.model").read_bytes() == (start / "tokenizer.model").read_bytes()
    assert same(load_weights(run / "model.safetensors"), load_weights(start / "model.safetensors"))
    shutil.rmtree(start)
    outcome = recipe("train", *settings, "training.updates=2")
    assert outcome.code == 0, outcome.err


def test_a_mistake_is_refused_before_a_folder_is_created(recipe, tiny_run, tmp_path):
    outcome = recipe("train", f"run={tmp_path / 'run'}", f"training.start={tiny_run}", *TINY)
    assert outcome.code == 1
    assert outcome.err.startswith("error: training.start=")
    assert "model.attention=general" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


RELATED = PairList("related", [Pair("Wé wørk in thé øld house.", "Wi wårken in dåt ole Hüüs.")] * 3)


@pytest.mark.parametrize("joint", [True, False])
def test_tokens_of_the_same_text_keep_their_weights_in_a_new_vocabulary(tiny_run, model, caplog, joint):
    """Compared row by row; the start has a joint vocabulary."""
    own = build_tokenizers(TokenizerConfig(size=300, joint=joint), RELATED)
    others, theirs = load_tokenizers(tiny_run), load_weights(tiny_run / "model.safetensors")
    known = {token: number for number, token in enumerate(others.target.tokens(range(others.target.size)))}
    network = Network(model, own.source.size, own.target.size, own.joint)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    with caplog.at_level("INFO", "seq2seq"):
        transfer_start_weights(tiny_run, own, network)
    vocabularies = {"source_embedding.weight": own.source}
    vocabularies |= dict.fromkeys(["target_embedding.weight", "output.weight", "output.bias"], own.target)
    counts = {}
    for name, after in network.named_parameters():
        if name not in vocabularies:
            assert torch.equal(after, theirs[name]), name
            continue
        tokens = vocabularies[name].tokens(range(vocabularies[name].size))
        for row, token in enumerate(tokens):
            expected = theirs[name][known[token]] if token in known else before[name][row]
            assert torch.equal(after[row], expected), (name, token)
        counts[name] = sum(token in known for token in tokens)
        assert 260 < counts[name] < len(tokens), "special tokens and bytes, and some others"
    shared, size = counts["target_embedding.weight"], own.target.size
    assert (
        f"{shared} of {size} {'' if joint else 'target '}tokens are in the vocabulary of {tiny_run} too" in caplog.text
    )
    assert caplog.text.count("training.start: ") == (1 if joint else 2)


def test_a_new_vocabulary_takes_its_settings_from_the_command(tiny_run, tmp_path, model):
    config = TokenizerConfig(size=300, algorithm="bpe", tags=["<2de>"], placeholders=["numbers"])
    model = replace(model, initialization="xavier")
    with pytest.raises((RunError, ConfigError)):
        checked_start(tmp_path, str(tiny_run), model, config)
    assert checked_start(tmp_path, str(tiny_run), model, config, ["<bt>"], StartVocabulary.own) == tiny_run
    with pytest.raises(RunError, match="another architecture"):
        checked_start(tmp_path, str(tiny_run), replace(model, bridge_shared=True), config, (), StartVocabulary.own)


def test_frozen_embeddings_and_a_new_vocabulary_are_refused(tiny_run, tmp_path):
    start = tmp_path / "start"
    shutil.copytree(tiny_run, start)
    (start / "config.yaml").write_text((start / "config.yaml").read_text("utf-8") + "\nfrozen: [source]\n", "utf-8")
    new = tmp_path / "new"
    assert inherited_frozen(new, start, EmbeddingsConfig()) == ["source"]
    with pytest.raises(ConfigError, match=r"start_vocabulary=own .* set embeddings\.unfreeze=true$"):
        inherited_frozen(new, start, EmbeddingsConfig(), StartVocabulary.own)
    assert inherited_frozen(new, start, EmbeddingsConfig(unfreeze=True), StartVocabulary.own) == []


def test_risk_sampling_and_averages_train_in_one_recipe(recipe, tiny_run, tmp_path):
    everything = ["risk.weight=0.5", "risk.samples=2", "scheduled_sampling.rate=0.3", "loss.consistency=1"]
    outcome = recipe(
        "train", f"run={tmp_path / 'run'}", f"training.start={tiny_run}", "model=attention", *TINY,
        *everything, "training.ema=0.9", "training.updates=2",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
