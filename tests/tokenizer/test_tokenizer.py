import threading
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sentencepiece import SentencePieceTrainer

from seq2seq.errors import DataError
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.normalization import normalize
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD, UNK, Tokenizer, load_tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer

TEXT = [
    "the small dog sees a cat and the cat sees the small dog",
    "a small cat sat on the mat <s> in the sun <0x0A> <unk>",
    "die kleine Katze schläft auf dem Sofa",
    "der kleine Hund sieht die kleine Katze",
    "",
    "tabs\tand  spaces",
]
SIZE = 285


@pytest.fixture(scope="module", params=[Algorithm.unigram, Algorithm.bpe, Algorithm.char])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return train_tokenizer(TEXT, TokenizerConfig(algorithm=request.param, size=SIZE), "the test text")


any_text = st.text(st.characters(exclude_categories=[]))  # all of Unicode, lone surrogates too
marks = st.sampled_from(
    ["<s>", "</s>", "<unk>", "<pad>", "<0x0A>", "\u2581", "\u2585", " \u2047 ", "\0", "\ud800", " "]
)


@given(st.one_of(any_text, st.lists(st.one_of(any_text, marks)).map("".join)))
@example("a\0b\x01\x7f")
@example("<s> <0x0A> <unk>")
@example("👩‍👩‍👧 🏳️‍🌈 e\u0301 \u0301a")
@example(" \u2003\u2581 \t\n")
@example("\ud83d\ude00")
@example("\u2028a\u0085b\u2029")
@example("\ufeffa\ufffe")
@example("")
def test_decoding_gives_back_any_text(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == normalize(text)
    assert not set(ids) & {UNK, BOS, EOS, PAD}


@given(any_text)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once.encode().decode() == once  # no surrogate is left


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  a \t\u00a0 b\r\n", "a b"),
        ("a\u2581b", "a b"),
        ("e\u0301", "é"),
        ("a\ud800b", "a\ufffdb"),
        ("ﬁ ² Ⅳ", "ﬁ ² Ⅳ"),  # NFC keeps what NFKC would rewrite
        (" \u2028 ", ""),
    ],
)
def test_normalization(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_batches_tokens_and_special_tokens(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("the cat")
    assert tokenizer.encode_all(["the cat", "", "日本"]) == [ids, [], tokenizer.encode("日本")]
    assert "".join(tokenizer.tokens(ids)).replace("\u2581", " ").strip() == "the cat"
    assert tokenizer.decode([BOS, *ids, UNK, EOS, PAD, PAD]) == "the cat"
    assert tokenizer.size == SIZE
    assert tokenizer.tokens([UNK, BOS, EOS, PAD]) == ["<unk>", "<s>", "</s>", "<pad>"]


def test_decoded_text_is_one_line_for_any_ids(tokenizer: Tokenizer) -> None:
    newline = tokenizer.tokens(range(tokenizer.size)).index("<0x0A>")
    assert tokenizer.decode([*tokenizer.encode("the"), newline, *tokenizer.encode("cat")]) == "the cat"


def test_bytes_and_files_keep_the_model(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.model").write_bytes(tokenizer.to_bytes())
    for same in (Tokenizer.from_bytes(tokenizer.to_bytes()), Tokenizer.load(tmp_path / "a.model")):
        assert same.to_bytes() == tokenizer.to_bytes()
        assert same.encode("the cat 日本") == tokenizer.encode("the cat 日本")


def test_files_that_are_not_tokenizers(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "a.model"
    with pytest.raises(DataError, match=r"a\.model cannot be read"):
        Tokenizer.load(path)
    with pytest.raises(DataError, match="cannot be read"):
        Tokenizer.load(tmp_path)
    for data in (
        b"",
        b"not a model",
        tokenizer.to_bytes()[:-10],
        tokenizer.to_bytes()[: len(tokenizer.to_bytes()) // 2],
    ):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"a\.model"):
            Tokenizer.load(path)
    SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT), model_prefix=str(tmp_path / "foreign"), vocab_size=45, minloglevel=2
    )
    with pytest.raises(
        DataError, match=r"foreign\.model: unk, bos, eos, pad have the ids \(0, 1, 2, -1\): train it with"
    ):
        Tokenizer.load(tmp_path / "foreign.model")


def test_threads_share_a_tokenizer(tokenizer: Tokenizer) -> None:
    texts = [f"the cat {number} 日本" for number in range(200)]
    expected = tokenizer.encode_all(texts)
    results: list[list[list[int]]] = []
    threads = [
        threading.Thread(target=lambda: results.append([tokenizer.encode(text) for text in texts])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_loading_from_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tokenizer\.model cannot be read"):
        load_tokenizers(tmp_path)


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    return train_tokenizer(TEXT, TokenizerConfig(algorithm=Algorithm.word, size=19, tags=["<2de>"]), "the test text")


some_words = st.sampled_from(["the", "cat", "dog", "a", "small", "unseen", "<2de>"])


@given(st.lists(st.one_of(marks, some_words, any_text)).map(" ".join))
@example("<unk> <s> </s> <pad> unseen unseen \u2585 the")
def test_known_words_are_decoded_and_each_other_word_is_unknown(words: Tokenizer, text: str) -> None:
    ids = words.encode(text)
    known = words.words()
    split = normalize(text).split()
    assert ids == [known.get(word, UNK) for word in split]
    assert words.decode(ids) == " ".join(word if word in known else "<unk>" for word in split)
    assert words.encode_all([text, "the cat"]) == [ids, words.encode("the cat")]


def test_only_a_word_vocabulary_is_word_level(words: Tokenizer, tokenizer: Tokenizer) -> None:
    assert words.word_level
    assert {"the", "cat", "dog", "kleine", "Katze", "<2de>"} <= words.words().keys()
    assert not tokenizer.word_level
    assert tokenizer.words() == {}
    assert Tokenizer.from_bytes(words.to_bytes()).word_level
    assert words.decode([BOS, UNK, UNK, EOS, PAD]) == "<unk> <unk>"


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_tag_is_one_token_in_every_position(algorithm: Algorithm) -> None:
    size = 20 if algorithm is Algorithm.word else SIZE + 10
    config = TokenizerConfig(algorithm=algorithm, size=size, tags=["<2de>", "<bt>"])
    tokenizer = train_tokenizer(TEXT, config, "the test text")
    [tag], [other] = tokenizer.ids_of_tags(["<2de>"]), tokenizer.ids_of_tags(["<bt>"])
    ids = tokenizer.encode("<2de> the cat <bt> <2de>")
    assert [i for i in ids if i in (tag, other)] == [tag, other, tag]
    assert tokenizer.decode(ids) == "<2de> the cat <bt> <2de>"
    assert tokenizer.size <= size


def test_a_missing_tag_is_one_line(tokenizer: Tokenizer, words: Tokenizer) -> None:
    assert tokenizer.ids_of_tags([]) == frozenset()
    for vocabulary in (tokenizer, words):
        with pytest.raises(DataError, match="has no token <bt>: train it with --user_defined_symbols=<bt>") as error:
            vocabulary.ids_of_tags(["<bt>"])
        assert "\n" not in str(error.value)
