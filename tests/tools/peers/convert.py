"""Write the Transformer of an eole folder in the format of CTranslate2, which has no converter for eole.

../eole/bin/python tests/tools/peers/convert.py FROM TO

The Python of eole's environment runs it: nothing of this toolkit is imported.
"""

import json
import sys
from pathlib import Path
from typing import Any

Weights = dict[str, Any]


def set_layer(spec: Any, weights: Weights, name: str) -> None:
    """Fill a linear layer, or a layer normalization."""
    norm = hasattr(spec, "gamma")
    setattr(spec, "gamma" if norm else "weight", weights[f"{name}.weight"])
    setattr(spec, "beta" if norm else "bias", weights[f"{name}.bias"])


def set_fused(spec: Any, weights: Weights, names: list[str]) -> None:
    """Fill a linear layer with several, whose outputs are concatenated."""
    import torch

    spec.weight, spec.bias = (torch.cat([weights[f"{name}.{part}"] for name in names]) for part in ("weight", "bias"))


def set_attention(spec: Any, weights: Weights, name: str, norm: str) -> None:
    """Fill the attention of a layer; self-attention has one product for queries, keys and values, the other two."""
    query, key, value = (f"{name}.linear_{part}" for part in ("query", "keys", "values"))
    if len(spec.linear) == 2:
        set_fused(spec.linear[0], weights, [query, key, value])
    else:
        set_layer(spec.linear[0], weights, query)
        set_fused(spec.linear[1], weights, [key, value])
    set_layer(spec.linear[-1], weights, f"{name}.final_linear")
    set_layer(spec.layer_norm, weights, norm)


def set_layers(spec: Any, weights: Weights, side: str) -> None:
    """Fill the encoder or the decoder, except for embeddings and output layer."""
    set_layer(spec.layer_norm, weights, f"{side}.layer_norm")
    for place, layer in enumerate(spec.layer):
        name = f"{side}.transformer_layers.{place}"
        set_attention(layer.self_attention, weights, f"{name}.self_attn", f"{name}.input_layernorm")
        if side == "decoder":
            set_attention(layer.attention, weights, f"{name}.context_attn", f"{name}.precontext_layernorm")
        set_layer(layer.ffn.layer_norm, weights, f"{name}.post_attention_layernorm")
        set_layer(layer.ffn.linear_0, weights, f"{name}.mlp.gate_up_proj")
        set_layer(layer.ffn.linear_1, weights, f"{name}.mlp.down_proj")


def convert(source: Path, target: Path) -> None:
    """Convert a model with one table for both embeddings and the output layer, which has no bias."""
    from ctranslate2.specs.transformer_spec import TransformerSpec
    from safetensors.torch import load_file

    config = json.loads((source / "config.json").read_text("utf-8"))["model"]
    vocabulary = json.loads((source / "vocab.json").read_text("utf-8"))
    weights = load_file(source / "model.00.safetensors")
    spec = TransformerSpec.from_config(config["layers"], config["heads"])
    table = weights["src_emb.embeddings.weight"]
    spec.encoder.embeddings[0].weight = spec.decoder.embeddings.weight = spec.decoder.projection.weight = table
    for side, layers, embedding in (("encoder", spec.encoder, "src_emb"), ("decoder", spec.decoder, "tgt_emb")):
        layers.position_encodings.encodings = weights[f"{embedding}.pe.pe"].squeeze(1)
        set_layers(layers, weights, side)
    spec.config.layer_norm_epsilon = config["decoder"].get("norm_eps", 1e-5)
    spec.config.decoder_start_token = vocabulary["decoder_start_token"]
    spec.register_source_vocabulary(vocabulary["src"])
    spec.register_target_vocabulary(vocabulary["tgt"])
    spec.validate()
    spec.optimize()
    target.mkdir(parents=True)
    spec.save(str(target))


if __name__ == "__main__":
    convert(*map(Path, sys.argv[1:]))
