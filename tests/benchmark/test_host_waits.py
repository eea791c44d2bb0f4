"""Where the host would wait for a GPU."""

import json
import re
from pathlib import Path

import pytest
import torch

from seq2seq.benchmark.arrangements import arrangements
from seq2seq.benchmark.host_waits import BOS, EOS, host_waits, network_of, search_waits
from seq2seq.benchmark.meta_device import META, Waits
from seq2seq.data.batch import source_tensors
from seq2seq.inference import NetworkStepper, PreparedDecoder
from seq2seq.inference.config import InferencePrecision
from seq2seq.search.forced import forced_decoding
from seq2seq.system.device import to_device

RECIPES = Path(__file__).parents[2] / "recipes" / "README.md"


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, int]]:
    return host_waits()


@pytest.mark.slow
def test_no_update_waits_and_a_search_step_waits_once(found):
    assert found == {name: {"update": 0, "step": 1} for name in arrangements()}
    assert json.loads(json.dumps(found)) == found


@pytest.mark.slow
def test_the_documentation_has_the_counts(found):
    text = " ".join(RECIPES.read_text(encoding="utf-8").partition("## On a GPU")[2].split())
    counts = [re.search(rf"{what} waits (\d+) times? in all of them", text)[1] for what in ("update", "search step")]
    assert {(str(waits["update"]), str(waits["step"])) for waits in found.values()} == {tuple(counts)}
    assert f"for {len(found)} arrangements" in text


def test_a_search_waits_once_for_the_lengths_before_its_first_step():
    assert len(search_waits(arrangements()["general attention"])[0]) == 1


def test_scoring_given_translations_waits_once():
    waits = Waits()
    network = network_of(arrangements()["general attention"].model, waits).eval()
    with waits, torch.no_grad():
        decoder = PreparedDecoder(network, InferencePrecision.float32)
        places = (to_device(part, META) for part in source_tensors([[5, 7, 3], [8, 6]]))
        result = forced_decoding(NetworkStepper(network, decoder, *places, BOS, EOS), [[4], [3, 9]])
    assert [len(values) for values in result] == [2, 3]
    assert len(waits.found) == 1


@pytest.mark.parametrize(
    ("wait", "count"),
    [
        (lambda tensor: tensor.tolist(), 1),
        (lambda tensor: bool(tensor.any()), 1),
        (lambda tensor: tensor.max().item(), 1),
        (lambda tensor: tensor[tensor > 1], 1),
        (lambda tensor: tensor.nonzero(), 1),
        (lambda tensor: tensor[torch.tensor([0, 1])], 1),
        (lambda tensor: torch.tensor([1, 2, 3], device=META) + tensor, 1),
        (lambda tensor: tensor.new_tensor([1, 2, 3]) + tensor, 1),
        (lambda tensor: torch.ones(3).to(META) + tensor, 1),
        (lambda tensor: torch.ones(3).to(META, non_blocking=True) + tensor, 0),
        (lambda tensor: tensor + torch.ones(()), 0),
        (lambda tensor: tensor.sort().values.cumsum(0).masked_fill(tensor > 1, 0), 0),
    ],
)
def test_operations_that_are_waits(wait, count):
    with Waits() as waits:
        tensor = torch.tensor([1.0, 3.0, 2.0]).to(META, non_blocking=True)
        wait(tensor)
    assert len(waits.found) == count


def test_the_host_reads_the_values_of_the_device():
    with Waits():
        tensor = torch.tensor([1.0, 3.0, 2.0]).to(META, non_blocking=True)
        tensor[0].mul_(5)
        assert tensor.is_meta
        assert tensor.tolist() == [5.0, 3.0, 2.0]
        assert tensor.max().item() == 5.0
        assert tensor[tensor < 4].tolist() == [3.0, 2.0]
