"""Other words, and the translations that contain them."""

import pytest
from server_tools import serving, translators
from translators import CPU, LIMITS, SENTENCES, randomize

from seq2seq import Translator
from seq2seq.inference.member import Member
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig, Network
from seq2seq.serving.alternatives import keeps_words
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.token_bytes import token_bytes
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer

TRANSLATORS = translators()


def test_a_prefix_keeps_its_last_word():
    assert keeps_words("Das Haus ist", "Das Haus")
    assert keeps_words("Das Haus", "Das Haus")
    assert not keeps_words("Das Haustier", "Das Haus")


def test_a_script_without_spaces_ends_words_without_them():
    assert keeps_words("子供は本を読む。", "子供")
    assert keeps_words("本。", "本")
    assert keeps_words("2024年", "2024")
    assert keeps_words("文。次の文", "文。")
    assert keeps_words("ไปตลาด", "ไป")
    assert not keeps_words("子犬", "子供")
    assert not keeps_words("한국은", "한국"), "Korean has spaces"
    assert not keeps_words("す し", "す し屋")
    assert not keeps_words("すし", "す", spaced=True)
    assert keeps_words("す し", "す", spaced=True)


@pytest.fixture(scope="module")
def japanese() -> Translator:
    """A translator that has learned nothing, over text without spaces."""
    texts = ["子供は本を読む。", "先生は車を売る。", "彼は家を見る。", "彼女は猫を好む。"]
    pieces = train_tokenizer(texts * 4, TokenizerConfig(size=400), "lines")
    config = ModelConfig(
        embedding_size=6, encoder=EncoderConfig(layers=1, size=5), decoder=DecoderConfig(layers=1, size=8), dropout=0.0
    )
    network = Network(config, pieces.size, pieces.size, joint=True).eval()
    randomize(network, ending=1.0)
    letters = [token for token, text in enumerate(token_bytes(pieces)) if text and len(text) > 2]
    network.output.bias.data[letters] += 20  # no tokens of single bytes
    return Translator([Member.prepare(network, Tokenizers(pieces, pieces), CPU)], LIMITS)


@pytest.mark.parametrize("before", ["", "子供は", "彼は家を", "子供は ", "本。 "])
def test_alternatives_of_a_script_without_spaces_have_no_false_spaces(japanese, before):
    """Only the space after ``before`` is in the text, where it has one."""
    with serving({"japanese": japanese}) as client:
        reply = client.post("/api/alternatives", text="子供", before=before, count=4)
    assert reply.status == 200, reply.body
    assert reply.json["alternatives"]
    for alternative in reply.json["alternatives"]:
        text = alternative["translation"]["text"]
        assert alternative["word"]
        assert text == japanese.translate("子供", prefix=before + alternative["word"]).text
        assert text.startswith(before + alternative["word"])


@pytest.mark.parametrize("before", ["", "Das", " Das  Haus "])
def test_each_word_has_its_probability_and_the_best_translation_that_keeps_it(before):
    translator, words = TRANSLATORS["attends"], " ".join(before.split())
    with serving(TRANSLATORS) as client:
        reply = client.post("/api/alternatives", text=SENTENCES[0], before=before, count=4)
    assert reply.status == 200, reply.body
    alternatives = reply.json["alternatives"]
    assert 0 < len(alternatives) <= 4
    suggestions = translator.suggest(SENTENCES[0], f"{words} ".lstrip(), 5)
    probabilities = {suggestion.word: suggestion.probability for suggestion in suggestions}
    for alternative in alternatives:
        assert alternative["probability"] == pytest.approx(probabilities[alternative["word"]], rel=1e-3)
        prefix = f"{words} {alternative['word']}".strip()
        text = alternative["translation"]["text"]
        assert keeps_words(text, prefix)
        free = translator.translate(SENTENCES[0], prefix=prefix).text
        assert text == (
            free if keeps_words(free, prefix) else translator.translate(SENTENCES[0], prefix=f"{prefix} ").text
        )
    assert (order := [each["probability"] for each in alternatives]) == sorted(order, reverse=True)
