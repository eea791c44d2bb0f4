"""Train and run a Transformer of JoeyNMT 2.3.

It needs an environment of its own:

    python3 -m venv ../joeynmt
    ../joeynmt/bin/pip install torch==2.13.0
    ../joeynmt/bin/pip install --no-deps joeynmt==2.3.0
    ../joeynmt/bin/pip install numpy pyyaml six packaging sacrebleu sacremoses sentencepiece==0.2.0 \
        subword-nmt tensorboard pandas future wrapt importlib_metadata matplotlib
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from tests.tools.peers.text import Text
from tests.tools.peers.transformer import VALIDATIONS, Shape, average, best, run


def config(text: Text, shape: Shape, folder: Path, seed: int, updates: int) -> dict[str, Any]:
    """The settings of JoeyNMT. Text is read in tokens, so that "words" are the tokens of the common vocabulary."""
    side = {"level": "word", "voc_file": str(text.file("vocabulary", "joeynmt")), "max_length": -1}
    layer = {
        "type": "transformer",
        "num_layers": shape.layers,
        "num_heads": shape.heads,
        "hidden_size": shape.width,
        "ff_size": shape.feed_forward,
        "layer_norm": shape.norm,
        "dropout": shape.dropout,
        "embeddings": {"embedding_dim": shape.width, "scale": True, "dropout": shape.embedding_dropout},
    }
    return {
        "name": folder.name,
        "joeynmt_version": "2.3.0",
        "model_dir": str(folder),
        "use_cuda": False,
        "random_seed": seed,
        "data": {
            "train": str(text.folder / "train.pieces"),
            "dev": str(text.folder / "validation.pieces"),
            "dataset_type": "plain",
            "src": {"lang": text.source, **side},
            "trg": {"lang": text.target, **side},
        },
        "training": training_config(shape, updates),
        "testing": {
            "batch_type": "sentence",
            "batch_size": 32,
            "beam_alpha": 1.0,
            "max_output_length": 1,  # of validations, whose translations are not needed
            "eval_metrics": [],
        },
        "model": {
            "initializer": "xavier_uniform",
            "bias_initializer": "zeros",
            "embed_initializer": "xavier_uniform",
            "tied_embeddings": True,
            "tied_softmax": True,
            "encoder": layer,
            "decoder": layer,
        },
    }


def training_config(shape: Shape, updates: int) -> dict[str, Any]:
    """The settings of training."""
    validate = max(1, updates // VALIDATIONS)
    return {
        "optimizer": "adam",
        "adam_betas": [0.9, shape.beta2],
        "scheduling": "noam",  # it falls with the inverse square root of the update
        "learning_rate": shape.learning_rate / shape.warmup_of(updates),  # of the first update
        "learning_rate_factor": shape.noam_factor(updates),
        "learning_rate_warmup": shape.warmup_of(updates),
        "learning_rate_min": 0.0,  # training ends below it
        "normalization": "tokens",
        "label_smoothing": shape.label_smoothing,
        "batch_type": "token",
        "batch_size": shape.tokens,
        "epochs": 1_000_000,
        "updates": updates,
        "validation_freq": validate,
        "logging_freq": validate,
        "early_stopping_metric": "ppl",
        "keep_best_ckpts": -1,
        "print_valid_sents": [],
    }


class JoeyNMT(NamedTuple):
    """JoeyNMT, run by the Python of its environment."""

    python: Path

    def adapted(self, shape: Shape) -> Shape:
        """What JoeyNMT makes of a shape: it has one dropout for attention and the other sublayers."""
        return replace(shape, attention_dropout=shape.dropout)

    def train(self, text: Text, shape: Shape, folder: Path, seed: int, updates: int) -> int:
        """Train, keep the mean of the best checkpoints as ``final.ckpt``, and return the number of weights."""
        self._run("train", config(text, shape, folder, seed, updates), folder, "--skip-test")
        validations = (folder / "validations.txt").read_text("utf-8")
        scores = {
            folder / f"{step}.ckpt": float(ppl) for step, ppl in re.findall(r"Steps: (\d+)\t.*ppl: (\S+)", validations)
        }
        kept = best(scores.values(), scores, shape.average)
        mean = average(kept, lambda path: torch.load(path, weights_only=False)["model_state"])
        for path in folder.glob("*.ckpt"):
            path.unlink()
        torch.save({"model_state": mean}, folder / "final.ckpt")
        shutil.rmtree(folder / "tensorboard")
        printed = re.findall(r"Total params: (\d+)", (folder / "train.log").read_text("utf-8"))
        return int(printed[-1])

    def translate(self, folder: Path, sources: Sequence[str], beam: int) -> tuple[list[str], float]:
        """Translate lines of tokens into lines of tokens, and return the seconds without loading."""
        settings = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
        longest = 2 * max(line.count(" ") + 1 for line in sources) + 5  # as eole
        settings["testing"] |= {"beam_size": beam, "max_output_length": longest}
        settings["testing"]["load_model"] = str(folder / "final.ckpt")
        output = self._run("translate", settings, folder, given="\n".join(sources) + "\n")
        log = (folder / "translate.log").read_text("utf-8")
        return output.removesuffix("\n").split("\n"), float(re.findall(r"Generation took ([\d.]+)", log)[-1])

    def _run(self, mode: str, settings: dict[str, Any], folder: Path, *options: str, given: str = "") -> str:
        path = folder.with_name(f"{folder.name}.{mode}.yaml")
        path.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
        return run([self.python, "-m", "joeynmt", mode, path, *options], path.with_suffix(".log"), given)
