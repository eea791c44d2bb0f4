"""The enums of the model settings."""

from enum import StrEnum

import pytest
from omegaconf import OmegaConf

from seq2seq.model import choices
from seq2seq.model.choices import CellKind
from seq2seq.model.config import EncoderConfig, ModelConfig

WORDS = [kind for kind in vars(choices).values() if isinstance(kind, type) and issubclass(kind, StrEnum)]


@pytest.mark.parametrize("words", [kind for kind in WORDS if kind is not StrEnum])
def test_names_are_equal_in_python_and_yaml(words: type[StrEnum]) -> None:
    assert [member.name for member in words] == [member.value for member in words]


@pytest.mark.parametrize("cell", CellKind)
def test_a_yaml_name_is_an_enum_member_in_python(cell: CellKind) -> None:
    settings = OmegaConf.merge(OmegaConf.structured(ModelConfig), {"decoder": {"cell": cell.value}})
    assert OmegaConf.to_object(settings).decoder.cell is cell


def test_a_python_string_is_accepted_as_a_choice() -> None:
    settings = ModelConfig(attention="general", encoder=EncoderConfig(direction="gnmt"))
    assert settings.attention is choices.AttentionKind.general
    assert settings.encoder.direction is choices.Direction.gnmt


def test_lstms_and_simple_recurrent_units_have_a_cell_state() -> None:
    assert {str(cell) for cell in CellKind if cell.has_cell_state} == {
        "lstm",
        "layer_norm_lstm",
        "ssru",
        "sru",
        "slstm",
    }
