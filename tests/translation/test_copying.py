"""Copying of words and numbers from the source."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from seq2seq.portable.placeholders import PlaceholderKind, Placeholders
from seq2seq.translation.config import Copy
from seq2seq.translation.copying import copy_from_source, replace_wrong_numbers, word_attention, word_numbers
from seq2seq.translation.decoding import RankedHypothesis, copied
from seq2seq.translation.types import Translation


def translation(source: str, text: str, rows: list[list[float]], tokens=None, source_tokens=None) -> Translation:
    """Return a translation with these attention weights, 0 for EOS."""
    weights = torch.tensor([[*row, 0.0] for row in rows] + [[0.0] * (len(rows[0]) + 1)])
    own = tokens or ["<unk>" if word == "<unk>" else f"▁{word}" for word in text.split()]
    read = source_tokens or [f"▁{word}" for word in source.split()]
    return Translation(source, text, 0.0, 0.0, tuple(own), tuple(read), weights)


def test_unknown_word_becomes_the_most_attended_source_word():
    result = translation("Zoe met Klaus", "<unk> traf <unk>", [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.1, 0.6]])
    assert copy_from_source(result, Copy.unknown) == copy_from_source(result, Copy.all) == "Zoe traf Klaus"
    assert copy_from_source(result, Copy.numbers) == result.text
    assert copy_from_source(replace(result, attention=None), Copy.all) == result.text


def test_attention_is_summed_over_the_tokens_of_a_word():
    result = translation("Zo e Klaus", "<unk>", [[0.3, 0.3, 0.4]], source_tokens=["▁Zo", "e", "▁Klaus"])
    assert copy_from_source(replace(result, source="Zoe Klaus"), Copy.unknown) == "Zoe"
    assert copy_from_source(result, Copy.unknown) == "<unk>", "tokens and words that do not match are unchanged"


def test_wrong_number_becomes_the_missing_source_number():
    rows = [[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.1, 0.2, 0.7]]
    result = translation("in 1984 12", "in 1985 12", rows)
    assert copy_from_source(result, Copy.numbers) == "in 1984 12"
    assert copy_from_source(translation("in 1984 12", "in 1984 12", rows), Copy.numbers) == "in 1984 12"


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        (["1,000"], ["1.000"], ["1.000"]),  # the same digits in another format
        (["3", "pm"], ["15", "Uhr"], ["3", "Uhr"]),
        (["five"], ["5"], ["5"]),  # no number is missing
        (["7", "7"], ["7", "8"], ["7", "7"]),
        (["(42)."], ["(24)."], ["(42)."]),
        (["11-5"], ["11-1"], ["11-5"]),  # the second number, not the 1 within the first
        (["5-11"], ["1-11"], ["5-11"]),
        (["7-8"], ["1-2"], ["7-8"]),
    ],
)
def test_numbers_are_compared_by_their_digits(source, text, expected):
    table = [[1 / len(source)] * len(source)] * len(text)
    assert replace_wrong_numbers(text, source, table) == expected


def test_numbers_are_copied_around_placeholders_with_spaces():
    """A number of a placeholder is neither missing nor changed."""
    placeholders = Placeholders([PlaceholderKind.tags])
    members = SimpleNamespace(
        protected=lambda text, source: placeholders.replace(text, placeholders.symbols(source)),
        restored=lambda text, source: placeholders.restore(text, placeholders.symbols(source)),
        target=SimpleNamespace(decode=lambda tokens: "Siehe ⟨ph1⟩ 13", normalize=str),
        source_tokenizers=[SimpleNamespace(tags=frozenset())],
    )
    found = translation(
        'See <a href="page 5"> 12',
        'Siehe <a href="page 5"> 13',
        [[1.0, 0, 0, 0], [0, 0.5, 0.5, 0], [0, 0.5, 0.5, 0], [0, 0.1, 0.7, 0.2]],
        ["▁Siehe", "▁", "⟨ph1⟩", "▁13"],
        ["▁See", "▁", "⟨ph1⟩", "▁12"],
    )
    candidate = RankedHypothesis(SimpleNamespace(tokens=(5,), finished=True))
    assert copied(members, found, candidate, Copy.numbers) == 'Siehe <a href="page 5"> 12'


@pytest.mark.parametrize(("copy", "text"), [(Copy.numbers, "Ich habe 3 Katzen"), (Copy.unknown, "I habe 3 Katzen")])
def test_tags_at_the_start_of_the_source_are_not_copied(copy, text):
    """The 2 of <2de> is no number of the sentence, and the tag no word."""
    found = translation(
        "<2de> I have three cats",
        "Ich habe 3 Katzen" if copy is Copy.numbers else "<unk> habe 3 Katzen",
        [[0.9, 0.1, 0, 0, 0]] * 4,
        ["▁Ich" if copy is Copy.numbers else "<unk>", "▁habe", "▁3", "▁Katzen"],
        ["▁<2de>", "▁I", "▁have", "▁three", "▁cats"],
    )
    assert copy_from_source(found, copy, {"<2de>"}) == text


@pytest.mark.parametrize(("source", "word"), [("٣ كتب", "3"), ("၁၂ ယောက်", "12"), ("３日", "3")])
def test_numbers_in_digits_of_another_script_are_equal(source, word):
    rows, columns = [[1.0, 0.0]] * 2, source.split()
    assert replace_wrong_numbers([word, "books"], columns, rows) == [word, "books"]
    assert replace_wrong_numbers(["7", "books"], columns, rows)[0] != "7"


def test_tokens_are_numbered_by_word():
    assert word_numbers(["▁Ein", "fach", "▁", "so", "▁da", "<unk>", "."]) == [0, 0, 1, 1, 2, 3, 3]
    assert word_numbers(["a", "b"]) == [0, 0]
    assert word_numbers([]) == []
    assert word_attention(torch.tensor([[0.2, 0.3, 0.5], [0.4, 0.6, 0.0]]), [0, 0], [0, 0, 1])[0] == pytest.approx(
        [0.75, 0.25]
    )
