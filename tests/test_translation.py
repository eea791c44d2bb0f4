"""What is asked of a translator and what it answers."""

from translators import translator

from seq2seq import Copy, Request, Translation


def test_a_request_may_stand_wherever_a_string_may():
    own = translator()
    assert own.translate(Request("Wir.")) == own.translate("Wir.")
    assert own.translate([Request("Wir.", "Das")]) == [own.translate("Wir.", prefix="Das")]
    assert own.translate("Wir.", phrases=["Haus"]) == own.translate(Request("Wir.", phrases=("Haus",)))
    assert list(own.translate(iter(["Wir.", Request("Wir.", "Das")]), prefix="Wo")) == [
        own.translate("Wir.", prefix="Wo"),
        own.translate("Wir.", prefix="Das"),
    ], "a request has conditions of its own"


def test_a_translation_reads_as_its_text_and_copies_are_named_by_words():
    assert str(Translation("a", "b", 0.0, 0.0)) == "b"
    assert [Copy(name) for name in ("none", "unknown", "numbers", "all")] == list(Copy)
