"""The numbers of a trace equal those of the search and of the network."""

import math
from dataclasses import replace

import pytest
import torch
from letters import lettered
from networks import ARRANGEMENTS, RECENT, SAMPLES

from seq2seq.analysis.beam_tree import Outcome
from seq2seq.analysis.replay import Side
from seq2seq.analysis.tracing import trace_sentence, trace_text
from seq2seq.errors import ConfigError, DataError
from seq2seq.inference.members import Members
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig
from seq2seq.search import Method, SearchConfig, search
from seq2seq.tokenizer.tokenizer import EOS
from seq2seq.translation.language_model import LanguageModel
from seq2seq.translation.translator import Translator

SEARCH = SearchConfig(beam_size=3, max_length_ratio=1, max_length_offset=3)


def members(*translators):
    return Members(translators, None, None, 0.0)


@pytest.mark.parametrize(
    "config", [SAMPLES[0], SAMPLES[6], ARRANGEMENTS[0], ARRANGEMENTS[5], RECENT[0], RECENT[2]], ids=range(6)
)
def test_a_trace_has_what_search_and_network_computed(config):
    single = members(lettered(config))
    trace = trace_sentence(single, SEARCH, "abcda")
    bound = single.bind(single.encoded(["abcda"])[0])
    ((best,),) = search(bound.stepper, SEARCH)
    labels = [*best.tokens, *([EOS] if best.finished else [])]
    assert trace.target_tokens == tuple(single.target.tokens(labels))
    assert float(trace.log_probabilities.sum()) == pytest.approx(best.log_probability, abs=1e-4)
    assert trace.source_tokens == ("a", "b", "c", "d", "a", "</s>")
    assert trace.input_tokens == ("<s>", *trace.target_tokens[:-1])
    steps = {Side.encoder: 6, Side.decoder: len(labels)}
    for layer in trace.layers:
        assert layer.hidden.shape[0] == steps[layer.location.side] == len(trace.tokens_of(layer))
        assert layer.hidden.dtype == torch.float32
        assert not layer.hidden.requires_grad
    assert (trace.attention is None) == (config.attention == "none")
    if trace.attention is not None:
        assert trace.attention.shape == (len(labels), 6)
    assert trace.initial_hidden.shape == (config.decoder.layers, config.decoder.size)


def test_alternatives_are_the_most_probable_other_tokens():
    single = members(lettered(SAMPLES[4], seed=2))
    trace = trace_sentence(single, SEARCH, "abcd", alternatives=20)
    assert trace.alternative_ids.shape == (len(trace.target_tokens), 11), "all other tokens"
    for step, chosen in enumerate(trace.target_tokens):
        assert chosen not in trace.alternative_tokens[step]
        assert trace.alternative_tokens[step] == tuple(single.target.tokens(trace.alternative_ids[step]))
        values = trace.alternative_log_probabilities[step]
        assert torch.equal(values, values.sort(descending=True).values)
        total = math.exp(trace.log_probabilities[step]) + float(values.exp().sum())
        assert total == pytest.approx(1, abs=1e-5)
    assert trace_sentence(single, SEARCH, "abcd", alternatives=0).alternative_ids.shape == (len(trace.target_tokens), 0)


def test_the_tree_leads_to_the_translation():
    single = members(lettered(SAMPLES[4], seed=1))
    trace = trace_sentence(single, SEARCH, "ab")
    chosen = [number for number, node in enumerate(trace.tree) if node.chosen]
    assert [trace.tree_tokens[number] for number in chosen] == ["<s>", *trace.target_tokens]
    assert trace.tree[chosen[-1]].outcome in (Outcome.finished, Outcome.cut)
    assert trace.tree[chosen[-1]].log_probability == pytest.approx(float(trace.log_probabilities.sum()), abs=1e-4)


def test_excluded_repetitions_are_not_in_the_tree():
    single = members(lettered(SAMPLES[4], seed=2))
    config = replace(SEARCH, max_length_offset=9)
    plain = trace_sentence(single, config, "abcd").target_tokens
    assert len(set(plain)) < len(plain), "the model loops"
    trace = trace_sentence(single, replace(config, no_repeat_ngram=1), "abcd")
    assert len(set(trace.target_tokens)) == len(trace.target_tokens)
    for number, node in enumerate(trace.tree):
        while node.parent > 0:
            node = trace.tree[node.parent]
            assert node.token != trace.tree[number].token


def test_a_translation_may_be_given():
    trace = trace_sentence(members(lettered(SAMPLES[4])), SEARCH, "ab", target="ed")
    assert trace.target_tokens == ("e", "d", "</s>")
    assert trace.text == "ed"
    assert trace.tree == ()


def test_any_member_of_an_ensemble_can_be_traced():
    first, second = lettered(SAMPLES[4], seed=0), lettered(SAMPLES[5], seed=1)
    ensemble = members(first, second)
    traces = [trace_sentence(ensemble, SEARCH, "abcd", member=number) for number in (0, 1)]
    assert traces[0].target_tokens == traces[1].target_tokens, "the translation is joint"
    assert [trace.model for trace in traces] == ["net0", "net1"]
    alone = trace_sentence(members(second), SEARCH, "abcd", target=traces[1].text)
    if traces[1].target_tokens[-1] == "</s>":
        torch.testing.assert_close(alone.log_probabilities, traces[1].log_probabilities)
    with pytest.raises(ConfigError, match="member must be in"):
        trace_sentence(ensemble, SEARCH, "abcd", member=2)


def test_a_language_model_is_traced_on_its_input():
    config = ModelConfig(embedding_size=4, encoder=EncoderConfig(layers=0), decoder=DecoderConfig(layers=2, size=3))
    trace = trace_text(lettered(config), "abc")
    assert trace.source_tokens == ()
    assert trace.target_tokens == ("a", "b", "c", "</s>")
    assert [str(layer.location) for layer in trace.layers] == ["decoder.1.forward", "decoder.2.forward"]
    assert trace.context.shape == (0,)
    model = LanguageModel(lettered(config))
    assert model.trace("abc").target_tokens == trace.target_tokens
    assert float(trace.log_probabilities.sum()) == pytest.approx(model.log_probability("abc"), abs=1e-4)
    with pytest.raises(DataError, match="characters: give at most"):
        trace_text(lettered(config), "long " * 300)
    with pytest.raises(DataError, match="is blank: give a sentence"):
        trace_text(lettered(config), "")


def test_errors_name_what_cannot_be_traced():
    single = members(lettered(SAMPLES[4]))
    with pytest.raises(DataError, match="is blank: give a sentence"):
        trace_sentence(single, SEARCH, "")
    with pytest.raises(DataError, match="5,000 characters"):
        trace_sentence(single, SEARCH, "a" * 5000)
    with pytest.raises(DataError, match="5,000 characters"):
        trace_sentence(single, SEARCH, "a", target="a" * 5000)
    with pytest.raises(ConfigError, match="alternatives must be at least 0"):
        trace_sentence(single, SEARCH, "a", alternatives=-1)
    with pytest.raises(ConfigError, match=r"search\.method=sampling"):
        trace_sentence(single, replace(SEARCH, method=Method.sampling), "a")


def test_the_translator_traces_its_own_translation(tiny_run):
    translator = Translator.load(tiny_run)
    translation, trace = translator.translate("We work."), translator.trace("We work.")
    assert trace.text == translation.text
    assert trace.target_tokens[: len(translation.tokens)] == translation.tokens
    assert float(trace.log_probabilities.sum()) == pytest.approx(translation.log_probability, abs=1e-3)
    torch.testing.assert_close(
        trace.attention, translator.translate("We work.", attention=True).attention[: len(trace.target_tokens)]
    )
    shorter = Translator.load(tiny_run, shortlist=True)
    assert shorter.trace("We work.").text == str(shorter.translate("We work."))
