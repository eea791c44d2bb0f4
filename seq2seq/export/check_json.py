"""check.json: translations by PyTorch in float32, with which other devices and engines are compared.

The format is described in `seq2seq.portable.check`.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from seq2seq.errors import RunError
from seq2seq.inference.members import Members
from seq2seq.portable.normalization import is_blank
from seq2seq.portable.translator import Translator
from seq2seq.search import Hypothesis, SearchConfig, search
from seq2seq.tokenizer.sentencepiece_model import PieceType
from seq2seq.tokenizer.tokenizer import EOS, Tokenizer
from seq2seq.translation.decoding import decode

SENTENCES = 20
BEAM_SIZE = 5
LONGEST = 16
"""Source tokens of the longest sentence."""


def check_sentences(members: Members, config: SearchConfig, tag: str | None, portable: Translator) -> dict[str, Any]:
    """The content of check.json.

    Where rounding decides between two translations, devices may differ. So only sentences are recorded whose
    translations by numpy are equal.

    Args:
        members: the exported model in PyTorch, float32.
        config: the exported search settings.
        tag: the first word of each source that the model was trained with; None: none.
        portable: the exported model in numpy.

    Raises:
        RunError: numpy translates less than half of the sentences like PyTorch.
    """
    sentences: list[dict[str, Any]] = []
    texts = sample_texts(members.source_tokenizers[0], tag)
    for text in texts:
        found = _sentence(members, config, portable, text)
        if found is not None:
            sentences.append(found)
        if len(sentences) == SENTENCES:
            break
    if 2 * len(sentences) < min(SENTENCES, len(texts)):
        raise RunError("the exported model gives other translations than PyTorch: please report this")
    return {"sentences": sorted(sentences, key=lambda each: len(each["source_tokens"]))}


def sample_texts(tokenizer: Tokenizer, tag: str | None) -> list[str]:
    """Sentences of random tokens of a vocabulary, different ones, always the same for a vocabulary.

    A model's own text may be private, and need not be at hand.
    """
    _, pieces = tokenizer.vocabulary()
    ids = [id for id, piece in enumerate(pieces) if piece.type is PieceType.normal]
    generator = np.random.default_rng(1)
    texts: dict[str, None] = {}
    for number in range(3 * SENTENCES):
        tokens = generator.choice(ids, 2 + number % (LONGEST - 1))
        text = tokenizer.decode(tokens.tolist())
        if not is_blank(text):
            texts[text if tag is None else f"{tag} {text}"] = None
    return list(texts)


def _sentence(members: Members, config: SearchConfig, portable: Translator, text: str) -> dict[str, Any] | None:
    """The record of a sentence; None if numpy translates it otherwise."""
    encoded, [longest] = members.encoded([text])
    record: dict[str, Any] = {"source": text, "source_tokens": longest}
    for name, beam_size in (("greedy", 1), ("beam", config.beam_size if config.beam_size > 1 else BEAM_SIZE)):
        own = replace(config, beam_size=beam_size, n_best=1)
        with torch.inference_mode():
            [[found]] = search(members.bind(encoded).stepper, own)
        settings = replace(portable.search, beam_size=beam_size, n_best=1)
        same = portable.hypotheses(text, settings)[0]
        if (same.tokens, same.finished) != (found.tokens, found.finished):
            return None
        record[name] = _result(members, found, beam_size)
    return record


def _result(members: Members, found: Hypothesis, beam_size: int) -> dict[str, Any]:
    return {
        "beam_size": beam_size,
        "text": members.restored(decode(members, found), ""),
        "tokens": [*found.tokens, *([EOS] if found.finished else [])],
        "log_probability": found.log_probability,
        "score": found.score,
    }
