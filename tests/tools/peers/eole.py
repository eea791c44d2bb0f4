"""Train and run a Transformer of eole 0.6; `lstm.py` has its LSTM.

It needs an environment of its own:

    python3 -m venv ../eole
    ../eole/bin/pip install torch==2.13.0
    ../eole/bin/pip install --no-deps eole==0.6.4
    ../eole/bin/pip install configargparse 'numpy>=2' pydantic pyyaml rapidfuzz rich sacrebleu safetensors \
        'sentencepiece<=0.2.2' six subword-nmt tensorboard 'pyonmttok>=1.38.1,<2' 'ctranslate2>=4,<5' huggingface_hub \
        pyahocorasick tokenizers waitress torch-optimi pandas aiohttp fastapi uvicorn requests
    ../eole/bin/pip install --only-binary :all: spacy fasttext-wheel
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from safetensors.torch import load_file, save_file

from seq2seq.system.capability import prefers_bfloat16
from tests.tools.peers.text import Text
from tests.tools.peers.transformer import VALIDATIONS, Shape, average, best, run


def text_config(text: Text, folder: Path, seed: int) -> dict[str, Any]:
    """The settings of text and vocabulary, which OpenNMT-py names in the same way."""
    sides = {"path_src": text.source, "path_tgt": text.target}

    def files(split: str) -> dict[str, str]:
        return {name: str(text.file(f"{split}.pieces", side)) for name, side in sides.items()}

    return {
        "seed": seed,
        "overwrite": True,
        "save_data": str(folder / "data"),
        "data": {"corpus_1": files("train"), "valid": files("validation")},
        "src_vocab": str(text.file("vocabulary", "eole")),
        "tgt_vocab": str(text.file("vocabulary", "eole")),
        "share_vocab": True,
        "vocab_size_multiple": 1,
        "src_vocab_size": text.tokenizer.size,
        "tgt_vocab_size": text.tokenizer.size,
    }


def training_config(text: Text, updates: int, tokens: int, validations: int) -> dict[str, Any]:
    """The settings of training that all architectures share, which OpenNMT-py names in the same way.

    Args:
        text: is read in buckets, which leave out a pair that they have twice.
        updates: of a training.
        tokens: of a batch.
        validations: of a training; each saves a checkpoint.
    """
    validate = max(1, updates // validations)
    return {
        "world_size": 1,
        "gpu_ranks": [],
        "optim": "adam",
        "normalization": "tokens",
        "batch_type": "tokens",
        "batch_size": tokens,
        "accum_count": [1],
        "bucket_size": min(32768, text.pairs),
        "num_workers": 0,
        "valid_batch_size": tokens,
        "train_steps": updates,
        "valid_steps": validate,
        "save_checkpoint_steps": validate,
    }


def config(text: Text, shape: Shape, folder: Path, seed: int, updates: int) -> dict[str, Any]:
    """The settings of eole."""
    return {
        **text_config(text, folder, seed),
        "report_every": max(1, updates // VALIDATIONS),
        "model": {
            "architecture": "transformer",
            "layers": shape.layers,
            "heads": shape.heads,
            "hidden_size": shape.width,
            "transformer_ff": shape.feed_forward,
            "add_qkvbias": True,
            "add_final_linear_bias": True,  # else of the decoder only
            "add_ffnbias": True,
            "generator_bias": False,
            "share_embeddings": True,
            "share_decoder_embeddings": True,
            "embeddings": {"word_vec_size": shape.width, "position_encoding": True},
        },
        "training": {
            "model_path": str(folder / "model"),
            "compute_dtype": "bf16" if shape.bfloat16 else "fp32",
            "param_init_method": "xavier_uniform",
            "adam_beta2": shape.beta2,
            "decay_method": "cosine",  # it ends at zero, which suits a training whose length is known
            "learning_rate": shape.learning_rate,
            "warmup_steps": shape.warmup_of(updates),
            "max_grad_norm": 0.0,
            "dropout": [shape.dropout],
            "attention_dropout": [shape.attention_dropout],
            "label_smoothing": shape.label_smoothing,
            "log_attention_entropy": False,  # costs time
            **training_config(text, updates, shape.tokens, VALIDATIONS),
        },
    }


class Eole(NamedTuple):
    """Eole, run by the Python of its environment."""

    python: Path

    def adapted(self, shape: Shape) -> Shape:
        """What eole makes of a shape: its decoder normalizes before sublayers, and embeddings have the same dropout.

        It multiplies in bfloat16 on a processor where ours does.
        """
        bfloat16 = prefers_bfloat16(torch.device("cpu"))
        return replace(shape, norm="pre", embedding_dropout=shape.dropout, bfloat16=bfloat16)

    def train(self, text: Text, shape: Shape, folder: Path, seed: int, updates: int) -> int:
        """Train, keep the mean of the best checkpoints in ``final``, and return the number of weights."""
        return self.fit(config(text, shape, folder, seed, updates), folder, shape.average)

    def fit(self, settings: dict[str, Any], folder: Path, checkpoints: int) -> int:
        """As `train`, with all settings of eole and the number of checkpoints in the mean."""
        path = folder.with_name(f"{folder.name}.train.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
        log = path.with_suffix(".log")
        run([self.python.with_name("eole"), "train", "-config", path], log)
        printed = log.read_text("utf-8")
        steps = sorted((folder / "model").glob("step_*"), key=lambda step: int(step.name.removeprefix("step_")))
        scores = [float(score) for score in re.findall(r"Validation perplexity: (\S+)", printed)]
        kept = best(scores, steps, checkpoints)
        mean = average([step / "model.00.safetensors" for step in kept], load_file)
        kept[0].rename(folder / "final")
        save_file(mean, folder / "final" / "model.00.safetensors")
        shutil.rmtree(folder / "model")
        return int(re.findall(r"number of parameters: (\d+)", printed)[-1])

    def translate(self, folder: Path, sources: Sequence[str], beam: int) -> tuple[list[str], float]:
        """Translate lines of tokens into lines of tokens, and return the seconds without loading."""
        source, output = (folder.with_name(f"{folder.name}.predict.{name}") for name in ("src", "tgt"))
        source.write_text("\n".join(sources) + "\n", "utf-8")
        log = folder.with_name(f"{folder.name}.predict.log")
        command = [self.python.with_name("eole"), "predict", "-model_path", folder / "final", "-src", source]
        search = ["-beam_size", beam, "-batch_size", 32, "-batch_type", "sents", "-max_length", 1000, "-report_time"]
        search += ["-top_k", int(beam == 1)]  # its greedy search, which is faster than a beam of 1
        run([*command, "-output", output, *search], log)
        printed = log.read_text("utf-8")
        seconds = re.findall(r"(?:Step 0 time|Subsequent prediction time including all) \(s\): ([\d.]+)", printed)
        return output.read_text("utf-8").removesuffix("\n").split("\n"), sum(map(float, seconds))
