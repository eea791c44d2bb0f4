"""Language models: log-probabilities, perplexity and suggestions, compared with arithmetic by hand."""

import math
import pickle
from collections.abc import Sequence

import pytest
import torch

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.corpora.monolingual import TargetSide
from seq2seq.data.config import BatchConfig
from seq2seq.data.preparation import encode_corpus
from seq2seq.errors import ConfigError, DataError, RunError
from seq2seq.evaluation.validation import Validator
from seq2seq.inference.member import Member
from seq2seq.model import BridgeKind, DecoderConfig, EncoderConfig, ModelConfig, Network, Tying
from seq2seq.system.precision import Precision
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.token_bytes import split_prefix, token_bytes
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD, UNK, Tokenizer, Tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer
from seq2seq.translation.language_model import LanguageModel

TEXTS = ["Wo ist mein Schlüssel?", "Wir arbeiten.", "Der Mann arbeitet.", "Wo ist der Mann?", "Das Haus ist alt."] * 4
CPU = torch.device("cpu")


def model_config(**others: object) -> ModelConfig:
    encoder, decoder = EncoderConfig(layers=0), DecoderConfig(layers=2, size=10)
    settings = {"embedding_size": 6, "bridge": BridgeKind.zero, "tying": Tying.none, "dropout": 0.0, **others}
    return ModelConfig(encoder=encoder, decoder=decoder, **settings)  # type: ignore[arg-type]


def language_model(tokenizer: Tokenizer, seed: int = 1, spread: float = 1.0) -> LanguageModel:
    network = Network(model_config(), tokenizer.size, tokenizer.size, joint=True).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-spread, spread, generator=generator)
        network.output.weight.mul_(3)
    return LanguageModel(Member.prepare(network, Tokenizers(tokenizer, tokenizer), CPU))


@pytest.fixture(scope="module")
def subwords() -> Tokenizer:
    return train_tokenizer(TEXTS, TokenizerConfig(size=300), "lines")


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    return train_tokenizer(TEXTS, TokenizerConfig(size=20, algorithm=Algorithm.word), "lines")


def distribution(model: LanguageModel, before: Sequence[int]) -> torch.Tensor:
    """Return probabilities (V,) of the next token by the training pass."""
    target = torch.tensor([[BOS, *before]])
    with torch.no_grad():
        logits = model.member.network(torch.tensor([[EOS]]), torch.tensor([1]), target, torch.tensor([len(before)]))
    return logits[0].double().softmax(0)


def test_uniform_model_has_the_vocabulary_size_as_perplexity(subwords):
    model = language_model(subwords, spread=0.0)
    perplexity = model.perplexity(TEXTS)
    assert perplexity.per_token == pytest.approx(subwords.size)
    assert perplexity.sentences == 20
    assert perplexity.words == sum(len(text.split()) + 1 for text in TEXTS)
    assert perplexity.tokens == sum(len(subwords.encode(text)) + 1 for text in TEXTS)
    assert perplexity.per_word == pytest.approx(subwords.size ** (perplexity.tokens / perplexity.words))
    assert model.log_probability("") == pytest.approx(-math.log(subwords.size))


def test_perplexity_matches_the_validation_loss(subwords, tmp_path):
    model = language_model(subwords)
    texts = [*TEXTS, " ", ""]  # validation leaves out blank lines too
    pairs = [Pair("", text) for text in texts]
    corpus = TargetSide(PairList("lines", pairs))
    table = encode_corpus(corpus, model.member.tokenizers, tmp_path / "lines.arrow", None)
    validator = Validator(table, pairs, model.member.tokenizers, BatchConfig(tokens=64), Precision.float32)
    outcome = validator(model.member.network, 7)
    assert outcome.bleu is None
    assert model.perplexity(iter(texts)).per_token == pytest.approx(math.exp(outcome.loss), rel=1e-5)


def test_log_probability_is_the_sum_over_tokens_and_eos(subwords):
    model = language_model(subwords)
    for text in TEXTS[:3]:
        ids = subwords.encode(text)
        expected = sum(
            math.log(float(distribution(model, ids[:place])[token])) for place, token in enumerate([*ids, EOS])
        )
        assert model.log_probability(text) == pytest.approx(expected, rel=1e-5)


def test_log_probabilities_do_not_depend_on_the_batch(subwords):
    model = language_model(subwords)
    texts = ["", *TEXTS[:5], "Wo " * 300, "Ärger 中文"]
    alone = [model.log_probability(text) for text in texts]
    assert model.log_probabilities(texts) == pytest.approx(alone, rel=1e-5)
    assert model.log_probabilities(texts[::-1]) == pytest.approx(alone[::-1], rel=1e-5)
    assert model.log_probabilities([]) == []


def test_perplexity_of_blank_text_raises(subwords):
    with pytest.raises(DataError, match=r"^there is no text to score, every line is blank; [^\n]*$"):
        language_model(subwords).perplexity(["", " \u2581 "])


def test_overflowing_perplexity_is_infinite(subwords):
    model = language_model(subwords, spread=0.0)
    with torch.no_grad():
        model.member.network.output.bias[EOS] = -1e6
    assert model.perplexity(["Wo"]).per_word == math.inf


@pytest.mark.parametrize("prefix", ["", "Wo ist ", "Wo ist  \t", "Der Mann\u2581"])
def test_suggestions_of_a_word_vocabulary_match_the_distribution(words, prefix):
    model = language_model(words)
    probabilities = distribution(model, words.encode(prefix))
    probabilities[[BOS, PAD]] = 0
    ends = [number for number in range(words.size) if number not in (BOS, PAD)]
    spelled = {number: token.removeprefix("\u2581") for number, token in enumerate(words.tokens(range(words.size)))}
    expected = {}
    for number in ends:
        if number in (EOS, UNK):  # EOS is suggested; <unk> is not, but keeps its probability
            expected[""] = float(probabilities[EOS])
        else:
            after = distribution(model, [*words.encode(prefix), number])
            expected[spelled[number]] = float(probabilities[number] * after[ends].sum())
    suggestions = model.suggest(prefix, 6)
    assert [suggestion.word for suggestion in suggestions] == sorted(expected, key=lambda word: -expected[word])[
        : len(suggestions)
    ]
    for word, share in suggestions:
        assert share == pytest.approx(expected[word] / float(probabilities.sum()), rel=1e-4)


def test_suggestions_complete_the_partial_word(words):
    suggestions = language_model(words).suggest("Wo ist M", 5)
    assert {suggestion.word for suggestion in suggestions} == {"Mann", "Mann?"}
    assert language_model(words).suggest("Wo ist xyz", 5) == []


def test_suggestions_of_a_subword_vocabulary_match_all_short_spellings(subwords):
    """Compared with all spellings of at most two tokens, by the training pass."""
    model = language_model(subwords, seed=3)
    with torch.no_grad():  # words end soon, and few subwords are probable
        model.member.network.output.bias[EOS] += 6
    model = LanguageModel(Member.prepare(model.member.network, model.member.tokenizers, CPU))
    given = subwords.encode("Wo ist")
    spelled = token_bytes(subwords)
    starts = [number for number, token in enumerate(spelled) if token is not None and token.startswith(b" ")]
    total, expected = 0.0, dict.fromkeys([""], 0.0)
    first = distribution(model, given)
    expected[""] = float(first[EOS])
    total = float(first[[*starts, EOS]].sum())
    for number in starts:
        if number == UNK or spelled[number] == b" ":
            continue
        word = (spelled[number] or b"")[1:].decode()
        ends = distribution(model, [*given, number])[[*starts, EOS]].sum()
        expected[word] = expected.get(word, 0.0) + float(first[number] * ends)
    suggestions = model.suggest("Wo ist ", 4)
    assert suggestions[0].probability > 0.3
    for word, share in suggestions:
        assert share >= expected.get(word, 0.0) / total * (1 - 1e-4)  # more subwords may spell it too
        assert share == pytest.approx(expected.get(word, 0.0) / total, abs=0.05)


def test_partial_word_is_completed(subwords):
    model = language_model(subwords)
    suggestions = model.suggest("Der Ma", 8)
    assert suggestions
    assert all(suggestion.word.startswith("Ma") for suggestion in suggestions)
    assert sum(suggestion.probability for suggestion in suggestions) <= 1 + 1e-6
    assert model.suggest("Der Ma", 8) == suggestions
    assert model.suggest("  Der\u2581 \tMa", 3) == suggestions[:3]


def test_split_prefix():
    assert split_prefix("") == ("", "")
    assert split_prefix("  ") == ("", "")
    assert split_prefix("Wo") == ("", "Wo")
    assert split_prefix("Wo ist\u00a0") == ("Wo ist", "")
    assert split_prefix(" Wo \t ist m") == ("Wo ist", "m")


def test_spelling_of_tokens(subwords):
    spelled = token_bytes(subwords)
    assert [spelled[mark] for mark in (BOS, EOS, PAD)] == [None] * 3
    for text in [*TEXTS[:5], "Ärger 中文 \u0001"]:
        written = b"".join(spelled[token] or b"" for token in subwords.encode(text))
        assert written.decode() == f" {text}".rstrip()


def test_invalid_count_raises(subwords):
    with pytest.raises(ConfigError, match="count must be at least 1"):
        language_model(subwords).suggest("Wo", 0)


def test_translator_is_rejected_as_language_model(tiny_run):
    with pytest.raises(RunError) as caught:
        LanguageModel.load(tiny_run)
    assert str(tiny_run) in str(caught.value)
    assert "model=language_model" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [None, b"Das Haus", 5])
def test_what_is_not_text_is_refused_in_one_line(subwords, text):
    model = language_model(subwords)
    for call in (model.log_probability, model.suggest, model.trace, lambda text: model.perplexity([text])):
        with pytest.raises(DataError, match=f"^(text|prefix) must be a string, got {type(text).__name__}: "):
            call(text)


def test_a_language_model_is_pickled(subwords):
    model = language_model(subwords)
    assert pickle.loads(pickle.dumps(model)).log_probabilities(TEXTS) == model.log_probabilities(TEXTS)


def test_one_string_is_not_taken_for_a_list_of_letters(subwords):
    model = language_model(subwords)
    for call in (model.log_probabilities, model.perplexity):
        with pytest.raises(ConfigError, match="texts is one text, and several are expected: pass a list"):
            call("Das Haus")
