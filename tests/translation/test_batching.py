"""Chunks and batches of a stream."""

from dataclasses import replace

import pytest
import torch
from translators import CPU, tokenizer, translator

from seq2seq.errors import DataError
from seq2seq.inference.member import Member
from seq2seq.model import CellKind, DecoderConfig, ModelConfig, Network
from seq2seq.search import Method, SearchConfig
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.translation import batching
from seq2seq.translation.batching import BATCH_TOKENS, GPU_BATCH_TOKENS, batch_tokens, batches, chunked, split_request
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Glossary, Request


def test_batches_separate_phrases_skip_blank_text_and_shrink_for_samples():
    requests = [Request("a"), Request("b", phrases=("x",)), Request(""), Request("c", prefix="y")]
    members = translator().ensemble
    assert list(batches(requests, [[5], [6, 7], [], [8]], SearchConfig(), members)) == [[0, 3], [1]]
    many, tokens = [Request("a")] * 2000, [[5] * 11] * 2000
    usual = list(batches(many, tokens, SearchConfig(), members))
    assert max(map(len, usual)) == BATCH_TOKENS // 12
    drawing = SearchConfig(method=Method.minimum_bayes_risk, samples=32)
    assert max(map(len, batches(many, tokens, drawing, members))) == BATCH_TOKENS // 4 // 12


def test_models_with_a_large_recurrent_state_get_fewer_sentences(monkeypatch):
    """An mLSTM has a matrix per head and hypothesis, which each step copies."""
    pieces = tokenizer()
    network = Network(
        ModelConfig(decoder=DecoderConfig(cell=CellKind.mlstm, size=64)), pieces.size, pieces.size, joint=True
    )
    members = Translator([Member.prepare(network.eval(), Tokenizers(pieces, pieces), CPU)], SearchConfig()).ensemble
    assert members.state_size == 64 + 4 * (16 * 16 + 16 + 1)
    many, tokens = [Request("a")] * 100, [[5] * 3] * 100
    assert [len(rows) for rows in batches(many, tokens, SearchConfig(beam_size=4), members)] == [100]
    monkeypatch.setattr(batching, "STATE_NUMBERS", 30 * 4 * members.state_size)
    assert [len(rows) for rows in batches(many, tokens, SearchConfig(beam_size=4), members)] == [30, 30, 30, 10]
    assert [len(rows) for rows in batches(many, tokens, SearchConfig(beam_size=1000), members)] == [1] * 100


def test_gpu_gets_larger_batches():
    members = translator().ensemble
    assert batch_tokens(members) == BATCH_TOKENS
    on_gpu = replace(members.translators[0], device=torch.device("cuda"))
    assert batch_tokens(replace(members, translators=(on_gpu,))) == GPU_BATCH_TOKENS > BATCH_TOKENS


def test_stream_order_does_not_depend_on_the_chunk_size(monkeypatch):
    texts = ["Wir.", "", "Wo ist der Mann?", "Das Haus."] * 2
    expected = translator().translate(texts)
    monkeypatch.setattr(batching, "CHUNK", 3)
    assert [translation.text for translation in translator().translate(texts)] == [one.text for one in expected]
    assert [one.source for one in expected] == texts


LONG = "Wir sehen das Haus. " * 60


def test_first_segment_of_a_long_text_gets_the_prefix_and_phrases():
    own = translator()
    parts = split_request(own.ensemble, Request(LONG, "Das", ("Haus",)))
    assert len(parts) > 1
    assert parts[0] == Request(parts[0].text, "Das", ("Haus",))
    assert all(part == Request(part.text) for part in parts[1:])
    whole = own.translate(LONG, prefix="Das", phrases=["Haus"])
    assert whole.text == " ".join(translation.text for translation in own.translate(parts))
    assert whole.text.startswith("Das")


def test_each_segment_of_a_long_text_gets_its_own_glossary_terms():
    own, glossary = translator(), Glossary([("Haus", "Schlüssel"), ("Mann", "Frau")])
    text = LONG + "Der Mann arbeitet. " * 30
    parts = split_request(own.ensemble, Request(text, phrases=("Tage.",), glossary=glossary))
    assert len(parts) == 90
    assert parts[0].phrases == ("Tage.", "Schlüssel")
    assert {part.phrases for part in parts[1:60]} == {("Schlüssel",)}
    assert {part.phrases for part in parts[60:]} == {("Frau",)}
    whole = own.translate([Request(text, glossary=glossary), Request("Der Mann.", glossary=glossary)])
    assert whole[0].text.count("Frau") >= 30
    assert whole[0].text.count("Schlüssel") >= 60
    assert "Frau" in whole[1].text


def test_first_segment_has_as_many_sentences_as_the_prefix():
    own = translator()
    parts = split_request(own.ensemble, Request(LONG, "Das Haus. Wir sehen. Da"))
    assert parts[0].text == ("Wir sehen das Haus. " * 3).strip()
    assert own.translate(LONG, prefix="Das Haus. Wir sehen. Da").text.startswith("Das Haus. Wir sehen. Da")


@pytest.mark.parametrize("n_best", [1, 2])
def test_blank_text_has_n_best_like_any_other(n_best):
    blank, other = translator().translate([" ", "Wir."], n_best=n_best)
    assert [alternative.text for alternative in blank.n_best] == [""] * (n_best > 1)
    assert bool(blank.n_best) == bool(other.n_best)


def test_long_text_is_a_separate_batch():
    own = translator()
    assert own.batches(["Wir.", LONG, "", "Haus."]) == [[1], [3, 0]]
    assert split_request(own.ensemble, Request(" " * 5000)) == []


def test_items_before_an_error_are_yielded_first():
    def lines():
        yield from "abc"
        raise DataError("line 4")

    chunks = chunked(lines(), 2)
    assert [next(chunks), next(chunks)] == [["a", "b"], ["c"]]
    with pytest.raises(DataError, match="line 4"):
        next(chunks)
