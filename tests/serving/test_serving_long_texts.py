"""Long texts: split into sentences as `Translator.translate` splits them, within the limits."""

from dataclasses import replace

import pytest
from server_tools import SMALL, serving, translators

from seq2seq.portable.segmentation import MAX_SEGMENT
from seq2seq.serving.config import LimitsConfig, ServeConfig

TRANSLATORS = translators()
SENTENCE = "Die Frau mit dem alten Haus ruft ihn an, und der Mann arbeitet."
LONG = " ".join([SENTENCE] * 24)
SPLIT = {"text": LONG, "prefix": "Das", "phrases": ["Haus"]}


@pytest.fixture(scope="module")
def client():
    limits = replace(SMALL, characters=4000, sentences=30, batch=30, body=60000)
    with serving(TRANSLATORS, ServeConfig(port=0, limits=limits)) as client:
        yield client


def test_the_text_of_a_first_time_user_is_within_the_default_limits():
    assert MAX_SEGMENT < 1739 < LimitsConfig().characters


@pytest.mark.parametrize("run", TRANSLATORS)
def test_a_long_text_is_translated_as_on_the_command_line(client, run):
    texts, options = ["Wir.", LONG, " " * 2000], {"n_best": 2, "beam_size": 3}
    assert len(LONG) > MAX_SEGMENT
    reply = client.post("/api/translate", run=run, sentences=texts, **options)
    assert reply.status == 200, reply.body
    for message, expected in zip(reply.json["translations"], TRANSLATORS[run].translate(texts, **options), strict=True):
        assert (message["source"], message["text"]) == (expected.source, expected.text)
        assert message["score"] == pytest.approx(expected.score, abs=1e-5)
        assert message["log_probability"] == pytest.approx(expected.log_probability, abs=1e-4)
        assert [each["text"] for each in message["n_best"]] == [each.text for each in expected.n_best]


def test_a_long_text_has_no_attention_weights(client):
    reply = client.post("/api/translate", sentences=["Wir.", LONG], attention=True)
    assert [each["attention"] is None for each in reply.json["translations"]] == [False, True]


def test_constraints_of_a_long_text_hold(client):
    (message,) = client.post("/api/translate", sentences=[SPLIT]).json["translations"]
    expected = TRANSLATORS["attends"].translate(LONG, prefix="Das", phrases=["Haus"])
    assert message["text"] == expected.text
    assert message["text"].startswith("Das")


def test_a_long_text_is_streamed(client):
    text = (" " * 400).join(["Wir arbeiten."] * 4)
    *growing, (name, done) = client.events(text=text, beam_size=2)
    assert (name, done["text"]) == ("done", TRANSLATORS["attends"].translate(text, beam_size=2).text)
    assert len(growing) >= 3
    assert all(done["text"].startswith(message["text"]) for _, message in growing)


def test_a_text_is_split_into_lines_and_segments(client):
    reply = client.post("/api/segments", text=f"Wir.\r\n\u200b\n {LONG}\nWir. Wir.")
    assert reply.json == {"run": "attends", "lines": [["Wir."], [], [SENTENCE] * 24, ["Wir. Wir."]]}
    whole = client.post("/api/translate", sentences=[LONG]).json["translations"][0]["text"]
    parts = client.post("/api/translate", sentences=reply.json["lines"][2]).json["translations"]
    assert whole == " ".join(part["text"] for part in parts), "the page translates segment by segment"


@pytest.mark.parametrize(
    ("path", "fields", "words"),
    [
        ("translate", {"sentences": [LONG, LONG]}, "the number of sentences is 48, the limit is 30"),
        ("stream", {"text": " ".join([SENTENCE] * 31)}, "the number of sentences is 31, the limit is 30"),
        ("translate", {"sentences": ["x" * 4001]}, "a text has 4,001 characters, the limit is 4,000"),
        ("segments", {"text": "x" * 4001}, "a text has 4,001 characters, the limit is 4,000"),
        ("alternatives", {"text": LONG}, "the limit is 1,000: split it with /api/segments"),
    ],
)
def test_limits_hold_for_long_texts(client, path, fields, words):
    reply = client.post(f"/api/{path}", **fields)
    assert (reply.status, words in reply.detail) == (413, True), reply.detail


def test_each_segment_has_few_tokens():
    """A face is four bytes, hence at least four tokens of this vocabulary."""
    limits = replace(SMALL, characters=4000, sentences=30, batch=30, tokens=1500, body=60000)
    with serving(TRANSLATORS, ServeConfig(port=0, limits=limits)) as client:
        reply = client.post("/api/translate", sentences=["\N{GRINNING FACE}" * 2000])
    assert (reply.status, "tokens, the limit is 1,500" in reply.detail) == (413, True), reply.detail
