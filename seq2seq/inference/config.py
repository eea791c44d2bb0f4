"""Settings of the network prepared for search."""

from dataclasses import dataclass
from enum import StrEnum

from seq2seq.settings import setting


class InferencePrecision(StrEnum):
    """Form of the decoder's weights in translation; ``auto`` is the form in which the model folder stores them."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    int8 = "int8"
    tf32 = "tf32"
    """float32 whose products a GPU may round to TF32."""


@dataclass(kw_only=True)
class ShortlistConfig:
    """Length of the lists of a lexical shortlist, and number of pairs to learn them from."""

    translations: int = setting(100, "number of most probable target tokens per source token", at_least=1)
    frequent: int = setting(100, "number of most frequent target tokens, in every shortlist", at_least=0)
    pairs: int = setting(200_000, "maximum number of training pairs to learn the lists from", at_least=1)
