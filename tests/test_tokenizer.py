import logging
import threading
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from sentencepiece import SentencePieceTrainer

from seq2seq.errors import ConfigError, DataError
from seq2seq.text.corpus import PairList
from seq2seq.text.tokenizer import (
    BOS,
    EOS,
    PAD,
    UNK,
    Algorithm,
    Tokenizer,
    TokenizerConfig,
    Tokenizers,
    build_tokenizers,
    load_tokenizers,
    normalize,
    save_tokenizers,
    train_tokenizer,
)
from seq2seq.text.types import Pair

TEXT = [
    "the small dog sees a cat and the cat sees the small dog",
    "a small cat sat on the mat <s> in the sun <0x0A> <unk>",
    "die kleine Katze schläft auf dem Sofa",
    "der kleine Hund sieht die kleine Katze",
    "",
    "tabs\tand  spaces",
]
SIZE = 295


@pytest.fixture(scope="module", params=list(Algorithm))
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
@settings(deadline=None, max_examples=300)
def test_decoding_gives_back_any_text(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == normalize(text)
    assert not set(ids) & {UNK, BOS, EOS, PAD}


@given(any_text)
@settings(deadline=None)
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
def test_normalisation(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_batches_pieces_and_specials(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("the cat")
    assert tokenizer.encode_all(["the cat", "", "日本"]) == [ids, [], tokenizer.encode("日本")]
    assert "".join(tokenizer.pieces(ids)).replace("\u2581", " ").strip() == "the cat"
    assert tokenizer.decode([BOS, *ids, UNK, EOS, PAD, PAD]) == "the cat"
    assert tokenizer.size == SIZE
    assert tokenizer.pieces([UNK, BOS, EOS, PAD]) == ["<unk>", "<s>", "</s>", "<pad>"]


def test_decoded_text_is_one_line_whatever_the_ids(tokenizer: Tokenizer) -> None:
    newline = tokenizer.pieces(range(tokenizer.size)).index("<0x0A>")
    assert tokenizer.decode([*tokenizer.encode("the"), newline, *tokenizer.encode("cat")]) == "the cat"


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_training_is_deterministic(algorithm: Algorithm) -> None:
    config = TokenizerConfig(algorithm=algorithm, size=SIZE)
    assert train_tokenizer(TEXT, config, "x").to_bytes() == train_tokenizer(iter(TEXT), config, "x").to_bytes()


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_too_large_a_size_becomes_the_largest_that_works(
    algorithm: Algorithm, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING, "seq2seq"):
        tokenizer = train_tokenizer(TEXT, TokenizerConfig(algorithm=algorithm), "pairs.tsv")
    assert 260 < tokenizer.size < 8000
    assert [record.getMessage() for record in caplog.records] == [
        f"tokenizer.size=8000 is more than pairs.tsv supports; using {tokenizer.size:,} pieces"
    ]
    assert capfd.readouterr() == ("", "")  # SentencePiece itself says nothing
    assert tokenizer.decode(tokenizer.encode("日本 the")) == "日本 the"


def test_too_small_a_size() -> None:
    with pytest.raises(ConfigError, match=r"tokenizer\.size must be at least 260"):
        train_tokenizer(TEXT, TokenizerConfig(size=100), "x")
    with pytest.raises(ConfigError, match=r"tokenizer\.size=261 .* set tokenizer\.size to at least \d+, or") as error:
        train_tokenizer(TEXT, TokenizerConfig(size=261), "x")
    assert "\n" not in str(error.value)


def test_text_without_words() -> None:
    for text in ([], ["", " \t "]):
        with pytest.raises(DataError, match="pairs has no text to learn a vocabulary from"):
            train_tokenizer(text, TokenizerConfig(), "pairs")


def test_long_sentences_are_learnt_from_too() -> None:
    tokenizer = train_tokenizer(["katze " * 3_000], TokenizerConfig(algorithm=Algorithm.bpe, size=270), "x")
    assert len(tokenizer.encode("katze")) < len(tokenizer.encode("ketza"))


def test_a_sample_is_drawn_from_the_whole_text() -> None:
    text = ["abab baba"] * 50 + ["zyzy yzyz"] * 50
    config = TokenizerConfig(algorithm=Algorithm.bpe, size=266, training_sentences=20)
    tokenizer = train_tokenizer(text, config, "x")
    seen = {letter for piece in tokenizer.pieces(range(260, 266)) for letter in piece}
    assert seen == set("\u2581abyz")


def test_bytes_and_files_keep_the_model(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.model").write_bytes(tokenizer.to_bytes())
    for same in (Tokenizer.from_bytes(tokenizer.to_bytes()), Tokenizer.load(tmp_path / "a.model")):
        assert same.to_bytes() == tokenizer.to_bytes()
        assert same.encode("the cat 日本") == tokenizer.encode("the cat 日本")


def test_files_that_are_no_tokenizer(tokenizer: Tokenizer, tmp_path: Path) -> None:
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
        DataError, match=r"foreign\.model: unk, bos, eos, pad have the ids \(0, 1, 2, -1\); train it with"
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


CORPUS = PairList("pairs", [Pair(TEXT[0], TEXT[2]), Pair(TEXT[1], TEXT[3])] * 3)


@pytest.mark.parametrize("joint", [True, False])
def test_building_saving_and_loading(joint: bool, tmp_path: Path) -> None:
    tokenizers = build_tokenizers(TokenizerConfig(size=290, joint=joint), CORPUS)
    assert tokenizers.joint is joint
    known = {piece for piece in tokenizers.source.pieces(range(tokenizers.source.size)) if "K" in piece}
    assert bool(known) is joint  # the English side alone has never seen a K
    save_tokenizers(tokenizers, tmp_path)
    names = {"tokenizer.model"} if joint else {"tokenizer.source.model", "tokenizer.target.model"}
    assert {path.name for path in tmp_path.iterdir()} == names
    loaded = load_tokenizers(tmp_path)
    assert loaded.joint is joint
    assert [side.to_bytes() for side in loaded] == [side.to_bytes() for side in tokenizers]


def test_loading_from_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tokenizer\.model cannot be read"):
        load_tokenizers(tmp_path)


def test_given_models_are_used(tokenizer: Tokenizer, tmp_path: Path) -> None:
    save_tokenizers(Tokenizers(tokenizer, tokenizer), tmp_path)
    path = str(tmp_path / "tokenizer.model")
    joint = build_tokenizers(TokenizerConfig(source_model=path), CORPUS)
    assert joint.joint
    assert joint.target.to_bytes() == tokenizer.to_bytes()
    separate = build_tokenizers(TokenizerConfig(joint=False, target_model=path, size=277), CORPUS)
    assert separate.target.to_bytes() == tokenizer.to_bytes()
    assert separate.source.size == 277
    with pytest.raises(ConfigError, match=r"set tokenizer\.joint=false"):
        build_tokenizers(TokenizerConfig(source_model=path, target_model="other.model"), CORPUS)


def test_the_settings_are_a_structured_config() -> None:
    config = OmegaConf.merge(OmegaConf.structured(TokenizerConfig), OmegaConf.from_dotlist(["algorithm=bpe"]))
    assert OmegaConf.to_object(config) == TokenizerConfig(algorithm=Algorithm.bpe)
