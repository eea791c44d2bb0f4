"""A silent unit: nothing of it is left in a replay, everything is as before afterwards, and BLEU is measured so."""

import pytest
import torch
from letters import lettered
from networks import ARRANGEMENTS, SAMPLES

from seq2seq.analysis.ablation import Silencer, Unit, cell_at
from seq2seq.analysis.recording import Place, Reading, Side, replay
from seq2seq.analysis.teacher_forcing import taught
from seq2seq.corpora.corpus import Pair
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig, Tying

PAIRS = [Pair("abc", "de"), Pair("edcba", "abcd"), Pair("a,b", "b")]


@pytest.mark.parametrize("config", [SAMPLES[1], SAMPLES[6], SAMPLES[7], SAMPLES[8], SAMPLES[9]], ids=range(5))
def test_a_silent_unit_is_zero_at_every_step_and_nowhere_else(config):
    member = lettered(config)
    batches = taught(member, PAIRS)
    silencer = Silencer(member, batches)
    source_BS, lengths_B, target_BT, *_ = batches[0].batch
    with torch.no_grad():
        usual = replay(silencer.network, source_BS, lengths_B, target_BT)
    for number, layer in enumerate(usual.layers):
        with silencer.silent(Unit(layer.place, 1)), torch.no_grad():
            seen = replay(silencer.network, source_BS, lengths_B, target_BT).layers[number]
        assert not seen.hidden_BTH[..., 1].any()
        assert seen.cell_BTH is None or not seen.cell_BTH[..., 1].any()
        assert seen.hidden_BTH[..., 0].any()
    assert silencer.measure() == silencer.loss
    for one, other in zip(member.network.parameters(), silencer.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_a_silent_unit_costs_is_the_loss_without_it():
    """Against the same network with the unit's way out cut by hand: its column in all that reads it."""
    config = ModelConfig(
        embedding_size=3,
        encoder=EncoderConfig(layers=0),
        decoder=DecoderConfig(size=4, readout_size=5),
        tying=Tying.none,
    )
    member = lettered(config)
    silencer = Silencer(member, taught(member, PAIRS))
    (one,) = silencer.try_out([Unit(Place(Side.decoder, 1, Reading.forward), 2)], PAIRS, translated=1)
    cut = lettered(config)
    with torch.no_grad():
        cut.network.decoder.layers[0].weight_hh_l0[:, 2] = 0
        cut.network.decoder.readout.weight[:, 2] = 0
    assert one.loss == pytest.approx(Silencer(cut, taught(cut, PAIRS)).loss - silencer.loss, abs=1e-6)
    assert one.bleu is None, "a language model translates nothing"


def test_every_unit_is_guessed_and_the_guess_finds_the_unit_that_matters():
    """All units but one are cut off from the output, so all others are silent already."""
    config = ModelConfig(
        embedding_size=3,
        encoder=EncoderConfig(layers=0),
        decoder=DecoderConfig(size=4, readout_size=5),
        tying=Tying.none,
    )
    member = lettered(config)
    with torch.no_grad():
        member.network.decoder.readout.weight[:, [0, 1, 2]] = 0
        member.network.decoder.layers[0].weight_hh_l0.zero_()
    guessed = Silencer(member, taught(member, PAIRS)).guess()
    assert len(guessed) == 4
    assert guessed[0][0].number == 3
    assert [value for _, value in guessed[1:]] == [0, 0, 0]


def test_bleu_is_that_of_the_weights_as_they_are(monkeypatch):
    member = lettered(ARRANGEMENTS[1], spread=1.5)
    silencer = Silencer(member, taught(member, PAIRS))
    units = [unit for unit, _ in silencer.guess()[:3]]
    assert len(silencer.guess()) == 2 * 3 + 3 * 5
    found = silencer.try_out(units, PAIRS, translated=2)
    assert [one.loss for one in found] == sorted((one.loss for one in found), reverse=True)
    assert [one.bleu is None for one in found] == [False, False, True]
    with silencer.silent(found[0].unit):
        assert silencer.bleu(PAIRS) - found[0].bleu == pytest.approx(Silencer(member, silencer.batches).bleu(PAIRS))
    assert str(found[0].unit) == f"{found[0].unit.place}.{found[0].unit.number}"


def test_a_place_that_is_not_there():
    network = lettered(SAMPLES[0]).network
    assert cell_at(network, Place(Side.encoder, 1, Reading.forward)) is network.encoder.layers[0].forward_cell
    for place in (
        Place(Side.encoder, 1, Reading.reversed),
        Place(Side.encoder, 5, Reading.forward),
        Place(Side.decoder, 3, Reading.forward),
    ):
        with pytest.raises(KeyError):
            cell_at(network, place)
