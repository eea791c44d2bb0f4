"""Terms and what they must become."""

import pytest

from seq2seq.errors import DataError
from seq2seq.translation.glossary import Glossary

TERMS = Glossary([("key", "Schlüssel"), ("front door key", "Haustürschlüssel"), ("C++", "C++"), ("Man", "Mann")])


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("Where is my key?", ("Schlüssel",)),
        ("my front  door KEY, man", ("Haustürschlüssel", "Mann")),
        ("keys and monkeys and a woman", ()),
        ("a key and a key", ("Schlüssel",)),
        ("in C++, and C++", ("C++",)),
        ("", ()),
    ],
)
def test_terms_are_found_as_whole_words_whatever_their_case(source, wanted):
    assert TERMS.phrases(source) == wanted


def test_a_file_has_a_term_a_line(tmp_path):
    path = tmp_path / "terms.tsv"
    path.write_text("key\tSchlüssel\n\n the  man \tder Mann\n", encoding="utf-8")
    assert Glossary.load(path).phrases("The man has a key.") == ("der Mann", "Schlüssel")
    assert Glossary([]).phrases("key") == ()
    path.write_text("key\tSchlüssel\nman Mann\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"terms.tsv, line 2: a term, a tab and its translation are needed, got 'man Mann'$"
    ):
        Glossary.load(path)
