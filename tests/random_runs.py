"""Run folders with random weights, for tests that need several runs."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
import yaml

from seq2seq.model import ModelConfig, Network
from seq2seq.model.weights import save_weights
from seq2seq.run.folder import CONFIG, MODEL, RunFolder
from seq2seq.tokenizer.tokenizer import EOS, Tokenizers, load_tokenizers, save_tokenizers


def random_run(
    run: Path,
    folder: Path,
    seed: int,
    model: Mapping[str, object] | None = None,
    tokenizers: Tokenizers | None = None,
) -> Path:
    """Make a run folder like ``run`` with random weights.

    The weights are large, so that the predictions are peaked, and the bias of EOS makes translations short.

    Args:
        run: the run to copy settings and tokenizers from.
        folder: the new run folder.
        seed: seed of the weights.
        model: changed settings of the model, by dotted name.
        tokenizers: other tokenizers.
    """
    folder.mkdir(parents=True)
    values = yaml.safe_load((run / CONFIG).read_text("utf-8"))
    for name, value in (model or {}).items():
        *parents, last = name.split(".")
        section = values["model"]
        for parent in parents:
            section = section[parent]
        section[last] = value
    (folder / CONFIG).write_text(yaml.safe_dump(values), "utf-8")
    if tokenizers is None:
        for path in run.glob("tokenizer*.model"):
            shutil.copy(path, folder)
    else:
        save_tokenizers(tokenizers, folder)
    read = load_tokenizers(folder)
    network = Network(
        RunFolder.open(folder).section("model", ModelConfig), read.source.size, read.target.size, read.joint
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-0.8, 0.8, generator=generator)
        network.output.bias[EOS] += 3
    save_weights(network, folder / MODEL)
    return folder
