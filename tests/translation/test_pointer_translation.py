"""A run with a copy mechanism: it is opened, searched in every way, scored, traced, combined and quantized."""

import math
import pickle
from pathlib import Path

import pytest
import torch
import yaml
from abilities import needs_int8
from random_runs import random_run

from seq2seq import SearchConfig, Translator
from seq2seq.config.recipes import TrainConfig
from seq2seq.errors import ConfigError, RunError
from seq2seq.inference.member import Member
from seq2seq.inference.shortlist import Shortlist
from seq2seq.model import AttentionKind, CopyKind, ModelConfig
from seq2seq.model.weights import save_quantized
from seq2seq.pipeline.network import initial_network
from seq2seq.run.folder import CONFIG, MODEL, load_run
from seq2seq.search import Method
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import EOS, PAD, Tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer
from seq2seq.training.warm_start import checked_start

TEXTS = ["The old man sleeps.", "Where is the house?", "Zürich 1990"]


@pytest.fixture(scope="module")
def run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_run(tiny_run, tmp_path_factory.mktemp("pointer") / "run", 1, {"copy": "pointer"})


def other_tokenizer():
    return train_tokenizer(["1990 Zürich house man"] * 3, TokenizerConfig(size=300), "lines")


@pytest.mark.parametrize(
    "search",
    [
        SearchConfig(beam_size=1),
        SearchConfig(beam_size=3, n_best=3),
        SearchConfig(beam_size=4, n_best=4, method=Method.diverse_beam),
        SearchConfig(n_best=3, method=Method.sampling),
        SearchConfig(beam_size=3, no_repeat_ngram=2),
        SearchConfig(beam_size=3, repetition_penalty=1.3),
        SearchConfig(samples=4, method=Method.minimum_bayes_risk),
    ],
)
def test_every_search_finds_translations_with_the_scores_of_forced_decoding(run, search):
    translator = Translator.load(run, "cpu")
    for found in translator.translate(TEXTS, search=search, prefix="Zü", attention=True):
        assert found.text.startswith("Zü")
        assert found.attention is not None
    for text, found in zip(TEXTS, translator.translate(TEXTS, search=search), strict=True):
        trace = translator.trace(text, target=found.text)
        scored = translator.score(text, found.text)
        assert scored.log_probability == pytest.approx(float(trace.log_probabilities.sum()), abs=1e-3)
        assert ((trace.copied_share > 0) & (trace.copied_share < 1)).all()
        if found.finished and scored.tokens == found.tokens:
            assert scored.log_probability == pytest.approx(found.log_probability, abs=1e-3)


def test_phrases_next_words_and_a_growing_translation_work(run):
    translator = Translator.load(run, "cpu")
    assert "1990" in translator.translate(TEXTS[0], phrases=["1990"], beam_size=4).text
    assert translator.suggest(TEXTS[0], "Der")
    *_, last = translator.stream(TEXTS[0], beam_size=1)
    assert last.text == translator.translate(TEXTS[0], beam_size=1).text


def test_a_copy_and_a_quantized_folder_translate_alike(run, tmp_path):
    translator = Translator.load(run, "cpu")
    expected = translator.translate(TEXTS)
    assert pickle.loads(pickle.dumps(translator)).translate(TEXTS) == expected
    folder = random_run(run, tmp_path / "int8", 1)
    save_quantized(load_run(run).network, folder / MODEL)
    scores = [
        model.score(TEXTS[0], "Der Mann").log_probability for model in (translator, Translator.load(folder, "cpu"))
    ]
    assert scores[0] == pytest.approx(scores[1], rel=0.1)


@needs_int8
def test_integer_products_stay_close(run):
    scores = [
        Translator.load(run, "cpu", precision).score(TEXTS[0], "Der Mann").log_probability
        for precision in ("float32", "int8")
    ]
    assert scores[0] == pytest.approx(scores[1], rel=0.1)


def test_an_ensemble_with_a_plain_model_has_the_mean_probability(run, tiny_run):
    both = [Translator.load(folder, "cpu") for folder in (run, tiny_run)]
    joint = Translator.load([run, tiny_run], "cpu")
    single, mean = ([one.score(TEXTS[2], "Zürich").token_log_probabilities for one in part] for part in (both, [joint]))
    expected = [math.log(sum(map(math.exp, own)) / 2) for own in zip(*single, strict=True)]
    assert mean[0] == pytest.approx(expected, abs=1e-4)


def test_a_shortlist_keeps_the_tokens_of_the_source(run):
    loaded = load_run(run)
    size = loaded.tokenizers.target.size
    lists = Shortlist(torch.full((size, 1), -1, dtype=torch.int32), torch.tensor([EOS], dtype=torch.int32), size)
    member = Member.prepare(loaded.network, loaded.tokenizers, torch.device("cpu"))
    for text, found in zip(TEXTS, Translator([member], loaded.search, lists).translate(TEXTS), strict=True):
        assert {*found.tokens} <= {*loaded.tokenizers.source.tokens(loaded.tokenizers.source.encode(text))}


def test_what_is_copied_follows_from_the_tokenizers_of_the_folder(run, tmp_path):
    """With one vocabulary all but special tokens; with two, the tokens that both have."""
    joint = load_run(run)
    assert joint.network.pointer.copies_X.tolist() == [-1] * (PAD + 1) + [*range(PAD + 1, joint.tokenizers.target.size)]
    tokenizers = Tokenizers(other_tokenizer(), joint.tokenizers.target)
    apart = load_run(random_run(run, tmp_path / "apart", 1, tokenizers=tokenizers)).network.pointer.copies_X.tolist()
    names = [tokenizer.tokens(range(tokenizer.size)) for tokenizer in tokenizers]
    assert 50 < sum(copy >= 0 for copy in apart) < len(names[0])
    for name, copy in list(zip(names[0], apart, strict=True))[PAD + 1 :]:
        assert names[1][copy] == name if name in names[1] else copy == -1


def test_folders_of_older_versions_have_no_copy_mechanism(tiny_run, tmp_path):
    folder = random_run(tiny_run, tmp_path / "old", 1)
    values = yaml.safe_load((folder / CONFIG).read_text("utf-8"))
    del values["model"]["copy"]
    expected = Translator.load(folder, "cpu").translate(TEXTS)
    (folder / CONFIG).write_text(yaml.safe_dump(values), "utf-8")
    assert Translator.load(folder, "cpu").translate(TEXTS) == expected
    assert load_run(folder).network.pointer is None


def test_a_run_starts_from_one_with_the_same_copy_mechanism(run, tmp_path):
    section = load_run(run).network.config
    tokenizer = TokenizerConfig(size=400)
    assert checked_start(tmp_path / "new", str(run), section, tokenizer) == run
    with pytest.raises(RunError, match=r"has another architecture than this command: set model\.copy=pointer, or"):
        checked_start(tmp_path / "new", str(run), ModelConfig(**{**vars(section), "copy": CopyKind.none}), tokenizer)


def test_training_reports_how_many_tokens_can_be_copied(run):
    joint = load_run(run).tokenizers
    config = TrainConfig(model=ModelConfig(attention=AttentionKind.general, copy=CopyKind.pointer))
    network, notes = initial_network(config, joint, [])
    assert network.pointer is not None
    size = joint.target.size
    assert notes[0] == f"copying: {size - PAD - 1} of {size} source tokens are in the target vocabulary"
    words = TokenizerConfig(size=PAD + 3, algorithm="word")
    disjoint = Tokenizers(train_tokenizer(["a b"] * 9, words, "lines"), train_tokenizer(["c d"] * 9, words, "lines"))
    with pytest.raises(ConfigError, match=r"^model\.copy=pointer can copy nothing, .*: set tokenizer\.joint=true, or "):
        initial_network(config, disjoint, [])
