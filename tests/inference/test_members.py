"""The members of an ensemble."""

import pytest
import torch
from translators import member, translator

from seq2seq.errors import ConfigError
from seq2seq.inference import members as members_module
from seq2seq.inference.members import Members
from seq2seq.model import AttentionKind


def test_attending_members_and_cached_attributes():
    assert translator().ensemble.attends
    assert not translator(attention=AttentionKind.none).ensemble.attends
    own = translator(1, 2).ensemble
    assert own.spelling is own.spelling
    assert own.source_tokenizers[0] is own.source_tokenizers[1]
    assert all(own.spelling[token] for token in own.inner)


def test_attention_is_cropped_to_each_pair():
    own = translator().ensemble
    first, second = own.attention([[5, 6, 7], [8]], [[9], [10, 11]]) or ()
    assert (first.shape, second.shape) == ((2, 4), (3, 2))
    assert translator(attention=AttentionKind.none).ensemble.attention([[5]], [[6]]) is None


def test_without_a_shortlist_any_token_can_be_required():
    own = Members((member(),), None, None, 0.2)
    own.require_full_vocabulary("anything")
    bound = own.bind(own.encoded(["Wir."])[0])
    assert bound.ids([4, 5]) == [4, 5]
    assert bound.stepper.sentences == 1
    with pytest.raises(ConfigError, match=r"^anything needs the whole target vocabulary: "):
        Members((member(),), object(), None, 0.2).require_full_vocabulary("anything")


def test_attention_is_computed_for_as_many_sentences_as_memory_allows(monkeypatch):
    members = translator().ensemble
    sources, targets = [[5, 6, 7], [8], [9, 10], [5]], [[11], [12, 13], [14], [15, 16, 17]]
    together = members.attention(sources, targets)
    monkeypatch.setattr(members_module, "ATTENTION_NUMBERS", 1)
    apart = members.attention(sources, targets)
    assert [weights.shape for weights in apart] == [(2, 4), (3, 2), (2, 3), (4, 2)]
    for one, other in zip(together, apart, strict=True):
        assert torch.allclose(one, other, atol=1e-6)
