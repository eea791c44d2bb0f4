"""All that choose pieces together."""

import pytest
from translators import member, translator

from seq2seq.errors import ConfigError
from seq2seq.inference.members import Members
from seq2seq.model import AttentionKind


def test_who_attends_and_what_is_worked_out_once():
    assert translator().together.attends
    assert not translator(attention=AttentionKind.none).together.attends
    own = translator(1, 2).together
    assert own.spelling is own.spelling
    assert own.source_tokenizers[0] is own.source_tokenizers[1]
    assert all(own.spelling[piece] for piece in own.inner)


def test_attention_is_cut_to_each_pair():
    own = translator().together
    first, second = own.attention([[5, 6, 7], [8]], [[9], [10, 11]]) or ()
    assert (first.shape, second.shape) == ((2, 4), (3, 2))
    assert translator(attention=AttentionKind.none).together.attention([[5]], [[6]]) is None


def test_without_a_shortlist_every_piece_may_be_demanded():
    own = Members((member(),), None, None, 0.2)
    own.demand_every_piece("anything")
    bound = own.bind(own.encoded(["Wir."])[0])
    assert bound.ids([4, 5]) == [4, 5]
    assert bound.stepper.sentences == 1
    with pytest.raises(ConfigError, match=r"^anything needs the whole target vocabulary: "):
        Members((member(),), object(), None, 0.2).demand_every_piece("anything")
