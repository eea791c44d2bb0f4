"""The measured model and text: random weights on the built-in corpus, files, or a run."""

from dataclasses import replace

import pytest
import torch
from benchmarks import small_benchmark

from seq2seq import Translator
from seq2seq.benchmark.workload import model_folder, prepare, translated_corpus, with_made_up_words
from seq2seq.corpora.config import SplitConfig
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.errors import ConfigError


def test_the_built_in_corpus_fills_a_vocabulary_of_any_size(tmp_path):
    config = small_benchmark(tmp_path)
    config.tokenizer.size = 3000
    workload = prepare(config)
    assert workload.tokenizers.target.size == 3000
    assert workload.network.output.out_features == 3000
    assert len(workload.table) == 200


def test_words_are_added_to_the_built_in_corpus_only():
    class OwnText:
        name = fingerprint = "own"

        def __iter__(self):
            yield Pair("a", "b")

    own = OwnText()
    assert with_made_up_words(own, 100) is own
    assert len(list(with_made_up_words(PairList("built-in", [Pair("a", "b")]), 100))) == 101


def test_batches_never_end(tmp_path):
    workload = prepare(small_benchmark(tmp_path))
    batches = workload.batches(torch.device("cpu"))
    pieces = sum(next(batches).labels_P.numel() for _ in range(50))
    assert pieces > 200 * 10, "more than one epoch"


def test_a_model_without_eos_writes_as_many_tokens_as_it_reads(tmp_path):
    config = small_benchmark(tmp_path)
    workload = prepare(config)
    with model_folder(workload, config) as folder:
        translator = Translator.load(folder, "cpu")
        for beam in (1, 3):
            for translation in translator.translate(workload.sentences, beam_size=beam):
                assert len(translation.tokens) == len(translation.source_tokens) + 1
    assert not folder.exists()
    assert workload.network.output.bias.abs().max() < 100, "the workload's network is unchanged"


def test_a_run_gives_model_corpus_and_weights(tmp_path, tiny_run):
    config = small_benchmark(tmp_path)
    config.run = str(tiny_run)
    workload = prepare(config)
    assert workload.model.decoder.size == 20
    assert len(workload.table) == 300
    assert workload.smoothing == 0.1
    with model_folder(workload, config) as folder:
        assert folder == tiny_run


@pytest.mark.parametrize("splits", [("train",), ("train", "validation"), ("train", "validation", "test")])
def test_the_last_configured_split_is_translated(tmp_path, splits):
    config = small_benchmark(tmp_path)
    for split in splits:
        for side, text in (("source", f"We work in {split}.\n\n"), ("target", "Wir arbeiten.\n\n")):
            (tmp_path / f"{split}.{side}").write_text(text)
        named = SplitConfig(source=str(tmp_path / f"{split}.source"), target=str(tmp_path / f"{split}.target"))
        setattr(config.data, split, named)
    config.tokenizer.size = 300
    if splits == ("train",):
        config.data.builtin = type(config.data.builtin)()
    workload = prepare(config)
    assert workload.sentences[0] == f"We work in {splits[-1]}."
    assert "" not in workload.sentences


def test_a_test_set_is_read_with_the_tag_of_the_run(tmp_path):
    for name in ("source", "target"):
        (tmp_path / name).write_text("We work.\n")
    run = small_benchmark(tmp_path).data
    run.source_tag = "<2de>"
    test = SplitConfig(source=str(tmp_path / "source"), target=str(tmp_path / "target"))
    translated = translated_corpus(replace(run, test=test, source_tag=None), run)
    assert list(translated) == [Pair("<2de> We work.", "We work.")]


def test_model_settings_are_checked(tmp_path):
    config = small_benchmark(tmp_path)
    config.model.decoder.feed_context = True
    with pytest.raises(ConfigError, match="feed_context"):
        config.check()
