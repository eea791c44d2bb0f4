"""Local-p attention, by hand."""

import math

import pytest
import torch

from seq2seq.model.attention import Window


def window(reach: int, place: float, inputs: torch.Tensor) -> Window:
    """A window at ``place`` (a share of the sentence) for queries of ones."""
    made = Window(inputs.size(2), reach)
    with torch.no_grad():
        made.query_map.weight.fill_(0.5)
        hidden = math.tanh(0.5 * inputs.size(2))
        made.place.weight.fill_(math.log(place / (1 - place)) / hidden / inputs.size(2))
    return made


def test_a_gaussian_around_the_predicted_place():
    """Luong et al. 2015, eq. 10: exp(-(s - p)² / 2σ²), σ = D/2, positions counted from 1, nothing beyond D."""
    queries = torch.ones(1, 1, 3)
    nearness = window(2, 0.5, queries)(queries, None, 8).flatten().tolist()  # p = 4
    assert nearness == pytest.approx([0, math.exp(-2), math.exp(-0.5), 1, math.exp(-0.5), math.exp(-2), 0, 0], abs=1e-6)


def test_each_sentence_has_its_own_length():
    queries = torch.ones(2, 1, 3)
    padding = torch.arange(8) >= torch.tensor([[8], [4]])
    found = window(1, 0.5, queries)(queries, padding, 8)
    assert found.argmax(2).flatten().tolist() == [3, 1]  # p = 4 and p = 2
    alone = window(1, 0.5, queries)(queries[1:], None, 4)
    torch.testing.assert_close(found[1, :, :4], alone[0])


@pytest.mark.parametrize("extreme", [-1e3, 1e3])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_some_position_is_always_near(extreme, length):
    made = Window(2, 1)
    with torch.no_grad():
        made.query_map.weight.fill_(1.0)
        made.place.weight.fill_(extreme)
    padding = (torch.arange(9) >= length).unsqueeze(0)
    nearness = made(torch.ones(1, 1, 2), padding, 9)
    assert (nearness[..., :length] > 0).any()


def test_the_place_is_learnt():
    queries = torch.ones(1, 1, 3)
    made = window(3, 0.4, queries)
    made(queries, None, 6)[..., 4].sum().backward()
    assert made.place.weight.grad.abs().sum() > 0
    assert made.query_map.weight.grad.abs().sum() > 0
