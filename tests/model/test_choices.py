"""The words that a model's settings choose from."""

from enum import StrEnum

import pytest
from omegaconf import OmegaConf

from seq2seq.model import choices
from seq2seq.model.choices import CellKind
from seq2seq.model.config import EncoderConfig, ModelConfig

WORDS = [kind for kind in vars(choices).values() if isinstance(kind, type) and issubclass(kind, StrEnum)]


@pytest.mark.parametrize("words", [kind for kind in WORDS if kind is not StrEnum])
def test_words_are_spelt_alike_in_python_and_yaml(words: type[StrEnum]) -> None:
    assert [member.name for member in words] == [member.value for member in words]


@pytest.mark.parametrize("cell", CellKind)
def test_a_word_of_yaml_is_a_choice_in_python(cell: CellKind) -> None:
    settings = OmegaConf.merge(OmegaConf.structured(ModelConfig), {"decoder": {"cell": cell.value}})
    assert OmegaConf.to_object(settings).decoder.cell is cell


def test_a_word_of_python_is_a_choice_too() -> None:
    settings = ModelConfig(attention="general", encoder=EncoderConfig(direction="gnmt"))
    assert settings.attention is choices.AttentionKind.general
    assert settings.encoder.direction is choices.Direction.gnmt


def test_only_lstms_carry_a_cell_state() -> None:
    assert {cell.value for cell in CellKind if cell.has_cell_state} == {"lstm", "layer_norm_lstm"}
