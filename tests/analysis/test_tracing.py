"""A trace of a sentence: the numbers are the search's and the network's own."""

import math
from dataclasses import replace

import pytest
import torch
from letters import lettered as member
from networks import ARRANGEMENTS, SAMPLES

from seq2seq.analysis.beam_tree import Fate
from seq2seq.analysis.recording import Side
from seq2seq.analysis.tracing import trace_sentence, trace_text
from seq2seq.errors import ConfigError, DataError
from seq2seq.inference.members import Members
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig
from seq2seq.search import Method, SearchConfig, search
from seq2seq.tokenizer.tokenizer import EOS
from seq2seq.translation.language_model import LanguageModel
from seq2seq.translation.translator import Translator

SEARCH = SearchConfig(beam_size=3, max_length_ratio=1, max_length_offset=3)


def members(*several):
    return Members(tuple(several), None, None, 0.0)


@pytest.mark.parametrize("config", [SAMPLES[0], SAMPLES[6], ARRANGEMENTS[0], ARRANGEMENTS[5]], ids=range(4))
def test_a_trace_tells_what_search_and_network_computed(config):
    one = members(member(config))
    trace = trace_sentence(one, SEARCH, "abcda")
    bound = one.bind(one.encoded(["abcda"])[0])
    ((best,),) = search(bound.stepper, SEARCH)
    labels = [*best.tokens, *([EOS] if best.finished else [])]
    assert trace.target_pieces == tuple(one.target.tokens(labels))
    assert float(trace.log_probabilities.sum()) == pytest.approx(best.log_probability, abs=1e-4)
    assert trace.source_pieces == ("a", "b", "c", "d", "a", "</s>")
    assert trace.read_pieces == ("<s>", *trace.target_pieces[:-1])
    steps = {Side.encoder: 6, Side.decoder: len(labels)}
    for layer in trace.layers:
        assert layer.hidden.shape[0] == steps[layer.place.side] == len(trace.pieces_of(layer))
        assert layer.hidden.dtype == torch.float32
        assert not layer.hidden.requires_grad
    assert (trace.attention is None) == (config.attention == "none")
    if trace.attention is not None:
        assert trace.attention.shape == (len(labels), 6)
    assert trace.initial_hidden.shape == (config.decoder.layers, config.decoder.size)


def test_runners_up_are_the_likeliest_others():
    one = members(member(SAMPLES[4], seed=2))
    trace = trace_sentence(one, SEARCH, "abcd", runners_up=20)
    assert trace.runner_up_ids.shape == (len(trace.target_pieces), 11), "all others there are"
    for step, chosen in enumerate(trace.target_pieces):
        assert chosen not in trace.runner_up_pieces[step]
        assert trace.runner_up_pieces[step] == tuple(one.target.tokens(trace.runner_up_ids[step]))
        told = trace.runner_up_log_probabilities[step]
        assert torch.equal(told, told.sort(descending=True).values)
        everything = math.exp(trace.log_probabilities[step]) + float(told.exp().sum())
        assert everything == pytest.approx(1, abs=1e-5)
    assert trace_sentence(one, SEARCH, "abcd", runners_up=0).runner_up_ids.shape == (len(trace.target_pieces), 0)


def test_the_tree_leads_to_the_translation():
    one = members(member(SAMPLES[4], seed=1))
    trace = trace_sentence(one, SEARCH, "ab")
    chosen = [number for number, node in enumerate(trace.tree) if node.chosen]
    assert [trace.tree_pieces[number] for number in chosen] == ["<s>", *trace.target_pieces]
    assert trace.tree[chosen[-1]].fate in (Fate.finished, Fate.cut)
    assert trace.tree[chosen[-1]].log_probability == pytest.approx(float(trace.log_probabilities.sum()), abs=1e-4)


def test_a_translation_may_be_given():
    trace = trace_sentence(members(member(SAMPLES[4])), SEARCH, "ab", target="ed")
    assert trace.target_pieces == ("e", "d", "</s>")
    assert trace.text == "ed"
    assert trace.tree == ()


def test_of_an_ensemble_any_member_is_looked_into():
    first, second = member(SAMPLES[4], seed=0), member(SAMPLES[5], seed=1)
    together = members(first, second)
    traces = [trace_sentence(together, SEARCH, "abcd", member=number) for number in (0, 1)]
    assert traces[0].target_pieces == traces[1].target_pieces, "they translate together"
    assert [trace.model for trace in traces] == ["net0", "net1"]
    alone = trace_sentence(members(second), SEARCH, "abcd", target=traces[1].text)
    if traces[1].target_pieces[-1] == "</s>":
        torch.testing.assert_close(alone.log_probabilities, traces[1].log_probabilities)
    with pytest.raises(ConfigError, match="member must be in"):
        trace_sentence(together, SEARCH, "abcd", member=2)


def test_a_language_model_is_traced_while_it_reads():
    config = ModelConfig(embedding_size=4, encoder=EncoderConfig(layers=0), decoder=DecoderConfig(layers=2, size=3))
    trace = trace_text(member(config), "abc")
    assert trace.source_pieces == ()
    assert trace.target_pieces == ("a", "b", "c", "</s>")
    assert [str(layer.place) for layer in trace.layers] == ["decoder.1.forward", "decoder.2.forward"]
    assert trace.context.shape == (0,)
    model = LanguageModel(member(config))
    assert model.trace("abc").target_pieces == trace.target_pieces
    assert float(trace.log_probabilities.sum()) == pytest.approx(model.log_probability("abc"), abs=1e-4)
    with pytest.raises(DataError, match="no sentence"):
        trace_text(member(config), "long " * 300)
    with pytest.raises(DataError, match="nothing to trace"):
        trace_text(member(config), "")


def test_what_cannot_be_traced_is_said():
    one = members(member(SAMPLES[4]))
    with pytest.raises(DataError, match="nothing to trace"):
        trace_sentence(one, SEARCH, "")
    with pytest.raises(DataError, match="5,000 characters"):
        trace_sentence(one, SEARCH, "a" * 5000)
    with pytest.raises(DataError, match="5,000 characters"):
        trace_sentence(one, SEARCH, "a", target="a" * 5000)
    with pytest.raises(ConfigError, match="runners_up"):
        trace_sentence(one, SEARCH, "a", runners_up=-1)
    with pytest.raises(ConfigError, match=r"search\.method=sampling"):
        trace_sentence(one, replace(SEARCH, method=Method.sampling), "a")


def test_the_translator_traces_what_it_translates(tiny_run):
    translator = Translator.load(tiny_run)
    translation, trace = translator.translate("We work."), translator.trace("We work.")
    assert trace.text == translation.text
    assert trace.target_pieces[: len(translation.pieces)] == translation.pieces
    assert float(trace.log_probabilities.sum()) == pytest.approx(translation.log_probability, abs=1e-3)
    torch.testing.assert_close(
        trace.attention, translator.translate("We work.", attention=True).attention[: len(trace.target_pieces)]
    )
    shorter = Translator.load(tiny_run, shortlist=True)
    assert shorter.trace("We work.").text == str(shorter.translate("We work."))
