"""Requirements between the settings of a recipe."""

import pytest

from seq2seq.config.recipes import DistillConfig, EvaluateConfig, TrainConfig
from seq2seq.errors import ConfigError
from seq2seq.model import ModelConfig, Network, Tying
from seq2seq.search import SearchConfig, SearchOverrides
from seq2seq.tokenizer.config import TokenizerConfig


def test_contradictory_settings_are_refused_before_the_corpus_is_read(recipe, tmp_path):
    nowhere = [f"data.train.{side}={tmp_path / 'nowhere'}" for side in ("source", "target")]
    for asked, words in {
        ("model.tying=all", "tokenizer.joint=false"): "model.tying=all shares one vocabulary",
        ("model.bridge=copy", "model.decoder.size=3"): "model.bridge=copy needs a decoder as wide",
        ("search.n_best=9",): "search.n_best must be at most search.beam_size",
        ("tokenizer=word", "tokenizer.sampling=0.1"): "a word vocabulary has one: set tokenizer.sampling=0",
        ("tokenizer.tags=[a b]",): "'a b' is not a valid tag",
        ("risk.weight=0.5", "risk.kind=reinforce", "risk.temperature=0.5"): "set risk.temperature=1 or risk.kind=",
        (f"embeddings.source={tmp_path / 'nowhere'}",): "embeddings.source needs a vocabulary of words",
        ("tokenizer=word", f"embeddings.source={tmp_path / 'nowhere'}"): "no such file",
    }.items():
        outcome = recipe("train", f"run={tmp_path / 'run'}", *nowhere, *asked)
        assert outcome.code == 1
        assert words in outcome.err
        assert outcome.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_config_and_network_agree_on_separate_vocabularies():
    config = TrainConfig(tokenizer=TokenizerConfig(joint=False), model=ModelConfig(tying=Tying.all))
    messages = []
    for call in (config.check, lambda: Network(config.model, 9, 9, joint=False)):
        with pytest.raises(ConfigError) as raised:
            call()
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["training.criterion=bleu"], "set training.criterion=loss"),
        (["training.criterion=loss", "risk.weight=0.5"], "set risk.weight=0"),
        (
            ["training.criterion=loss", "tokenizer.sampling=0.1", "tokenizer.sample_target=false"],
            "no text to sample: set tokenizer.sample_target=true or tokenizer.sampling=0",
        ),
    ],
)
def test_settings_that_need_translations_are_refused_for_a_language_model(recipe, tmp_path, overrides, words):
    model = ["model.encoder.layers=0", "model.decoder.feed_context=false"]
    outcome = recipe("train", f"run={tmp_path / 'run'}", *model, *overrides)
    assert outcome.code == 1
    assert words in outcome.err
    assert outcome.err.count("\n") == 1, outcome.err


@pytest.mark.parametrize("joint", [True, False])
def test_a_language_model_reads_the_target_side_and_has_its_vocabulary(joint):
    config = TrainConfig(tokenizer=TokenizerConfig(joint=joint, tags=["<a>"]))
    config.data.train.source, config.data.train.target, config.data.source_tag = "x.en", "x.de", "<2de>"
    assert config.translates
    assert config.text() == (config.data, config.tokenizer)
    config.model.encoder.layers = 0
    assert not config.translates
    data, tokenizer = config.text()
    assert (data.train.source, data.train.target, data.source_tag) == ("x.de", "x.de", None)
    assert tokenizer.joint
    assert config.data.train.source == "x.en", "the run folder keeps the settings as given"


@pytest.mark.parametrize(
    ("asked", "predicts", "words"),
    [
        ({"hypotheses": "out.de", "ensemble": ["b"]}, False, "hypotheses=out.de is already translated: leave ensemble"),
        ({"hypotheses": "out.de", "language_model": "lm"}, False, "already translated: leave language_model out"),
        (
            {"run": "lm", "ensemble": ["b", "c"]},
            True,
            "run=lm is a language model and does not translate: leave ensemb",
        ),
        ({"run": "lm", "language_model": "lm"}, True, "does not translate: leave language_model out"),
        ({"hypotheses": "out.de", "beam_size": 3}, False, "hypotheses=out.de is already translated: leave beam_size"),
        ({"hypotheses": "out.de", "device": "cpu"}, False, "is already translated: leave device out"),
        ({"hypotheses": "out.de", "precision": "float32"}, False, "is already translated: leave precision out"),
        ({"run": "lm", "shortlist": True}, True, "does not translate: leave shortlist out"),
        ({"run": "lm", "lowercase": True}, True, "does not translate: leave lowercase out"),
        ({"run": "lm", "bootstrap": 5}, True, "does not translate: leave bootstrap out"),
        ({"run": "lm", "search": SearchOverrides(length_penalty=0.5)}, True, "leave search.length_penalty out"),
        (
            {"run": "a", "search": SearchOverrides(n_best=2)},
            False,
            "one translation per sentence: leave search.n_best out",
        ),
    ],
)
def test_translation_settings_are_refused_if_nothing_is_translated(asked, predicts, words):
    with pytest.raises(ConfigError) as raised:
        EvaluateConfig(**asked).check(predicts)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_other_runs_form_an_ensemble_with_a_translator():
    EvaluateConfig(run="a", ensemble=["b"], language_model="lm").check(language_model=False)
    EvaluateConfig(run="lm").check(language_model=True)
    EvaluateConfig(hypotheses="out.de").check(language_model=False)


def test_the_number_of_distilled_translations_has_one_setting():
    usual = SearchConfig()
    assert DistillConfig(n_best=3, search=SearchOverrides(n_best=3)).search_config(usual).n_best == 3
    with pytest.raises(ConfigError, match=r"^search.n_best=3 does nothing here: set n_best=3, "):
        DistillConfig(search=SearchOverrides(n_best=3)).search_config(usual)
