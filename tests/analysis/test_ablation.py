"""An ablated unit is zero in a replay; afterwards the network is unchanged; loss and BLEU are measured without it."""

import pytest
import torch
from letters import lettered
from networks import ARRANGEMENTS, RECENT, SAMPLES

from seq2seq.analysis.ablation import Ablator, Unit, cell_at
from seq2seq.analysis.replay import CellDirection, CellLocation, Side, replay, teacher_forced_batches
from seq2seq.corpora.corpus import Pair
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig, Tying

PAIRS = [Pair("abc", "de"), Pair("edcba", "abcd"), Pair("a,b", "b")]


@pytest.mark.parametrize("config", [SAMPLES[1], *SAMPLES[6:10], *RECENT], ids=range(5 + len(RECENT)))
def test_an_ablated_unit_is_zero_at_every_step_and_other_units_are_not(config):
    member = lettered(config)
    batches = teacher_forced_batches(member, PAIRS)
    ablator = Ablator(member, batches)
    source_BS, lengths_B, target_BT, *_ = batches[0].batch
    with torch.no_grad():
        baseline = replay(ablator.network, source_BS, lengths_B, target_BT)
    for number, layer in enumerate(baseline.layers):
        with ablator.ablated(Unit(layer.location, 1)), torch.no_grad():
            layer_record = replay(ablator.network, source_BS, lengths_B, target_BT).layers[number]
        assert not layer_record.hidden_BTH[..., 1].any()
        assert layer_record.cell_BTH is None or not layer_record.cell_BTH[..., 1].any()
        assert layer_record.hidden_BTH.any()
    assert ablator.loss() == ablator.baseline_loss
    for before, after in zip(member.network.parameters(), ablator.network.parameters(), strict=True):
        assert torch.equal(before, after)


def test_the_change_of_the_loss_is_that_of_a_network_without_the_unit():
    """The reference is the same network with the unit's outgoing weights set to zero by hand."""
    config = ModelConfig(
        embedding_size=3,
        encoder=EncoderConfig(layers=0),
        decoder=DecoderConfig(size=4, readout_size=5),
        tying=Tying.none,
    )
    member = lettered(config)
    ablator = Ablator(member, teacher_forced_batches(member, PAIRS))
    (ablation,) = ablator.measure([Unit(CellLocation(Side.decoder, 1, CellDirection.forward), 2)], PAIRS, translated=1)
    cut = lettered(config)
    with torch.no_grad():
        cut.network.decoder.layers[0].weight_hh_l0[:, 2] = 0
        cut.network.decoder.readout.weight[:, 2] = 0
    assert ablation.loss == pytest.approx(
        Ablator(cut, teacher_forced_batches(cut, PAIRS)).baseline_loss - ablator.baseline_loss, abs=1e-6
    )
    assert ablation.bleu is None, "a language model cannot translate"


def test_every_unit_is_ranked_and_the_only_connected_unit_comes_first():
    """Only one unit is connected to the output."""
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
    ranked = Ablator(member, teacher_forced_batches(member, PAIRS)).ranked_units()
    assert len(ranked) == 4
    assert ranked[0][0].number == 3
    assert [value for _, value in ranked[1:]] == [0, 0, 0]


def test_bleu_is_computed_with_the_current_weights():
    member = lettered(ARRANGEMENTS[1], spread=1.5)
    ablator = Ablator(member, teacher_forced_batches(member, PAIRS))
    units = [unit for unit, _ in ablator.ranked_units()[:3]]
    assert len(ablator.ranked_units()) == 2 * 3 + 3 * 5
    ablations = ablator.measure(units, PAIRS, translated=2)
    assert [ablation.loss for ablation in ablations] == sorted((ablation.loss for ablation in ablations), reverse=True)
    assert [ablation.bleu is None for ablation in ablations] == [False, False, True]
    with ablator.ablated(ablations[0].unit):
        assert ablator.bleu(PAIRS) - ablations[0].bleu == pytest.approx(Ablator(member, ablator.batches).bleu(PAIRS))
    assert str(ablations[0].unit) == f"{ablations[0].unit.location}.{ablations[0].unit.number}"


def test_a_missing_cell_is_a_key_error():
    network = lettered(SAMPLES[0]).network
    assert (
        cell_at(network, CellLocation(Side.encoder, 1, CellDirection.forward)) is network.encoder.layers[0].forward_cell
    )
    for location in (
        CellLocation(Side.encoder, 1, CellDirection.reversed),
        CellLocation(Side.encoder, 5, CellDirection.forward),
        CellLocation(Side.decoder, 3, CellDirection.forward),
    ):
        with pytest.raises(KeyError):
            cell_at(network, location)
