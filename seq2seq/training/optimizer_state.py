"""The optimizer of a network, and loading its state.

The module of the settings, `seq2seq.training.optimizer`, does not import PyTorch.
"""

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.model import Network
from seq2seq.training.optimizer import OptimizerConfig


def optimizer_of(network: Network, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Build the optimizer of the network's trainable parameters."""
    trainable = (parameter for parameter in network.parameters() if parameter.requires_grad)
    return config.build(trainable, tables_of(network))


def tables_of(network: Network) -> list[Tensor]:
    """The matrices with one row per token: the embeddings and the output layer."""
    embeddings = [module.weight for module in network.modules() if isinstance(module, nn.Embedding)]
    return [*embeddings, network.output.weight]


def load_state(
    optimizer: torch.optim.Optimizer,
    config: OptimizerConfig,
    state: dict[str, Any],
    tables: Collection[Tensor] = (),
) -> None:
    """Load the state of an optimizer that ``config`` built. Settings such as the learning rate are not loaded.

    Shapes are checked, because fused kernels do not check them and would write outside a smaller tensor. ``tables`` are
    those of `OptimizerConfig.build`.

    Raises:
        ValueError: the state does not fit the optimizer.
        LookupError, TypeError, AttributeError: likewise.
    """
    numbers = {id(table) for table in tables}
    expected_of = {is_matrix: state_after_one_update(config, is_matrix) for is_matrix in (False, True)}
    own = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, parameter in enumerate(parameters):
        saved = state["state"].get(number, {})
        expected = expected_of[parameter.dim() == 2 and id(parameter) not in numbers]
        if saved.keys() not in (expected.keys(), set()):
            raise ValueError(f"parameter {number} has {sorted(saved)}")
        for name, value in saved.items():
            shape = parameter.shape if expected[name].dim() else torch.Size()
            if not isinstance(value, Tensor) or value.shape != shape or not value.is_floating_point():
                raise ValueError(f"{name} of parameter {number}")
    if not {*state["state"]} <= {*range(len(parameters))}:
        raise ValueError("the state has more parameters")
    optimizer.load_state_dict({"state": state["state"], "param_groups": own})


def state_after_one_update(config: OptimizerConfig, is_matrix: bool) -> dict[str, Tensor]:
    """The optimizer state of a matrix, or of a table, after one update: tensors of its shape, or scalars."""
    model = nn.Parameter(torch.zeros(2, 3))
    model.grad = torch.zeros(2, 3)
    optimizer = config.build([model], [] if is_matrix else [model])
    optimizer.step()
    state: dict[str, Tensor] = optimizer.state[model]
    return state
