"""Names and shapes without numbers."""

import subprocess
import sys

import pytest
import torch
from networks import EVERY, VOCABULARY

from seq2seq.errors import ConfigError
from seq2seq.model import ModelConfig, Network
from seq2seq.model.choices import Initialization
from seq2seq.model.network import meta_network


@pytest.mark.parametrize("config", EVERY)
def test_it_has_the_names_and_shapes_of_the_network(config):
    config.initialization = Initialization.orthogonal
    wanted = Network(config, VOCABULARY, VOCABULARY, joint=True).named_parameters()
    found = meta_network(config, VOCABULARY, VOCABULARY, joint=True).named_parameters()
    assert [(name, one.shape) for name, one in found] == [(name, one.shape) for name, one in wanted]


def test_nothing_is_drawn_and_nothing_held():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    network = meta_network(ModelConfig(embedding_size=10**9), 10**6, 10**6, joint=True)  # some petabytes
    assert {parameter.device.type for parameter in network.parameters()} == {"meta"}
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_no_network_has_no_outline():
    with pytest.raises(ConfigError):
        meta_network(ModelConfig(attention_heads=2), 9, 9, joint=True)
    with pytest.raises(RuntimeError):
        meta_network(ModelConfig(embedding_size=2**62), 9, 9, joint=True)


def test_no_compiler_is_loaded_for_it():
    program = (
        "import sys; from seq2seq.model import ModelConfig; from seq2seq.model.network import meta_network; "
        "meta_network(ModelConfig(), 9, 9, True); print('sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
