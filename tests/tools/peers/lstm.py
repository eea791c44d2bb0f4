"""Train LSTMs of OpenNMT-py 3.5 and eole 0.6 with the sizes of ours, for the speed of translation (`decoding.py`).

Embeddings, bidirectional encoder, decoder with attention (general) and, as is their default, input feeding; source,
target and output layer have separate tables. Adam without a schedule. The checkpoint with the lowest validation
perplexity is kept. `eole.py` shows how eole is installed. OpenNMT-py needs an environment of its own; it asks for a
torch below 2.3, which is left aside:

    python3 -m venv ../opennmt-py
    ../opennmt-py/bin/pip install torch==2.13.0
    ../opennmt-py/bin/pip install --no-deps OpenNMT-py==3.5.1
    ../opennmt-py/bin/pip install configargparse pyyaml six numpy sentencepiece sacrebleu tensorboard \
        'ctranslate2>=4,<5' 'pyonmttok>=1.37,<2' flask waitress rapidfuzz pyahocorasick 'setuptools<81'
    ../opennmt-py/bin/pip install --only-binary :all: spacy fasttext-wheel
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from seq2seq.model.config import ModelConfig
from tests.tools.peers.eole import Eole, text_config, training_config
from tests.tools.peers.text import Text
from tests.tools.peers.transformer import best, run

VALIDATIONS = 10
"""Validations of a training; each saves a checkpoint."""

ENVIRONMENT = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
"""OpenNMT-py's checkpoints hold an ``argparse.Namespace``, which PyTorch refuses to load otherwise."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of an LSTM model."""

    embedding: int
    hidden: int
    """Units of the decoder; the encoder has half of them in each direction."""
    layers: int
    """Of the encoder, and of the decoder."""

    @classmethod
    def of(cls, model: ModelConfig) -> "Sizes":
        """Those of a model of ours: its decoder's, where encoder and decoder differ."""
        return cls(model.embedding_size, model.decoder.size + model.decoder.size % 2, model.decoder.layers)


def training(text: Text, updates: int) -> dict[str, Any]:
    """The settings of training, which both toolkits name in the same way."""
    return {
        **training_config(text, updates, 4096, VALIDATIONS),
        "learning_rate": 0.001,
        "decay_method": "none",
        "learning_rate_decay": 1.0,
        "max_grad_norm": 5.0,
        "dropout": [0.3],
        "batch_size_multiple": 1,
    }


def opennmt_config(text: Text, sizes: Sizes, folder: Path, seed: int, updates: int) -> dict[str, Any]:
    """The settings of OpenNMT-py."""
    return {
        **text_config(text, folder, seed),
        "encoder_type": "brnn",
        "decoder_type": "rnn",
        "rnn_type": "LSTM",
        "enc_layers": sizes.layers,
        "dec_layers": sizes.layers,
        "word_vec_size": sizes.embedding,
        "hidden_size": sizes.hidden,
        "global_attention": "general",
        "input_feed": 1,
        "save_model": str(folder / "model"),
        "report_every": max(1, updates // VALIDATIONS),
        **training(text, updates),
    }


def eole_config(text: Text, sizes: Sizes, folder: Path, seed: int, updates: int) -> dict[str, Any]:
    """The settings of eole, whose architecture "rnn" has no bidirectional encoder."""
    stack = {"layers": sizes.layers, "rnn_type": "LSTM"}
    return {
        **text_config(text, folder, seed),
        "report_every": max(1, updates // VALIDATIONS),
        "model": {
            "architecture": "custom",
            "hidden_size": sizes.hidden,
            "layers": sizes.layers,
            "embeddings": {"word_vec_size": sizes.embedding},
            "encoder": {"encoder_type": "brnn", **stack},
            "decoder": {
                "decoder_type": "rnn",
                "global_attention": "general",
                "bidirectional_encoder": True,
                **stack,
            },
        },
        "training": {"model_path": str(folder / "model"), "compute_dtype": "fp32", **training(text, updates)},
    }


@dataclass(frozen=True)
class LSTM:
    """An LSTM of a peer, trained by the Python of its environment."""

    text: Text
    python: Path
    sizes: Sizes
    updates: int

    def settings(self, number: int) -> dict[str, Any]:
        """The settings; ``number`` is ignored, as nothing is tuned."""
        return {"updates": self.updates, **asdict(self.sizes)}


class OpenNMTLSTM(LSTM):
    """An LSTM of OpenNMT-py."""

    def train(self, settings: dict[str, Any], folder: Path, seed: int) -> tuple[int, int]:
        """Train, keep the best checkpoint as ``final.pt``, and return the numbers of weights and of updates."""
        folder.mkdir(parents=True)
        path = folder.with_name(f"{folder.name}.train.yaml")
        config = opennmt_config(self.text, self.sizes, folder, seed, self.updates)
        path.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
        log = path.with_suffix(".log")
        run([self.python.with_name("onmt_train"), "-config", path], log, variables=ENVIRONMENT)
        printed = log.read_text("utf-8")
        steps = sorted(folder.glob("model_step_*.pt"), key=lambda step: int(step.stem.removeprefix("model_step_")))
        scores = [float(score) for score in re.findall(r"[Vv]alidation perplexity: (\S+)", printed)]
        best(scores, steps, 1)[0].rename(folder / "final.pt")
        for step in folder.glob("model_step_*.pt"):
            step.unlink()
        return int(re.findall(r"number of parameters: (\d+)", printed)[-1]), self.updates


class EoleLSTM(LSTM):
    """An LSTM of eole."""

    def train(self, settings: dict[str, Any], folder: Path, seed: int) -> tuple[int, int]:
        """Train, keep the best checkpoint in ``final``, and return the numbers of weights and of updates."""
        config = eole_config(self.text, self.sizes, folder, seed, self.updates)
        return Eole(self.python).fit(config, folder, 1), self.updates
