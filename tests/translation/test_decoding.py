"""Constraints and search methods through the translator, independent of the batch."""

from dataclasses import replace

import pytest
import torch
from translators import CPU, LIMITS, SENTENCES, TEXTS, member, randomize, tokenizer, translator

from seq2seq import Request, SearchConfig, Translator
from seq2seq.errors import ConfigError, DataError
from seq2seq.inference.member import Member
from seq2seq.inference.shortlist import Shortlist
from seq2seq.metrics.similarity import Similarity
from seq2seq.model import AttentionKind, Network
from seq2seq.search import Hypothesis, Method, beam_search
from seq2seq.search.constrained import all_complete
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.token_bytes import separates_words
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer
from seq2seq.translation.config import Copy
from seq2seq.translation.decoding import check_glossary, constraint, decode, rank, sentence_seed
from seq2seq.translation.types import Glossary

METHODS = {
    Method.beam: LIMITS,
    Method.sampling: replace(LIMITS, method=Method.sampling, n_best=3, top_k=20),
    Method.diverse_beam: replace(LIMITS, method=Method.diverse_beam, beam_size=4, groups=2, n_best=3),
    Method.minimum_bayes_risk: replace(LIMITS, method=Method.minimum_bayes_risk, samples=8, n_best=2),
}
PREFIXES = ["Ein Ma", "Die ", "x中y", "Wo ist", "Wir arbeiten. Da", "?"]


@pytest.mark.parametrize("method", METHODS)
def test_translations_do_not_depend_on_the_batch_with_any_method(method):
    own = translator(1, 2)
    requests = [
        Request(text, prefix, ("Haus",) if method is Method.beam and "Haus" in text else ())
        for text in SENTENCES
        for prefix in ("", "Die F")
    ]
    together = own.translate(requests, search=METHODS[method])
    turned = own.translate(requests[::-1], search=METHODS[method])[::-1]
    for request, one, other in zip(requests, together, turned, strict=True):
        alone = own.translate(request, search=METHODS[method])
        assert one.tokens == other.tokens == alone.tokens
        assert one.score == pytest.approx(alone.score, abs=1e-4)
        assert [each.text for each in one.n_best] == [each.text for each in alone.n_best]
        assert one.text.startswith(request.prefix)


@pytest.mark.parametrize("method", METHODS)
def test_no_method_repeats_a_token_outside_a_prefix_whatever_the_batch(method):
    own = translator(1, 2)
    usual = replace(METHODS[method], max_length_offset=12)
    search = replace(usual, no_repeat_ngram=1, repetition_penalty=1.1)
    requests = [Request(text, prefix) for text in SENTENCES for prefix in ("", "Das Haus, das Haus, das ")]
    plain = [each for one in own.translate(requests[::2], search=usual) for each in (one, *one.n_best)]
    assert any(len(set(each.tokens)) < len(each.tokens) for each in plain), "the models loop"
    together = own.translate(requests, search=search)
    for request, one in zip(requests, together, strict=True):
        assert one.text.startswith(request.prefix)
        assert own.translate(request, search=search).tokens == one.tokens
        for each in (one, *one.n_best):
            added = each.tokens[len(own.members[0].tokenizers.target.encode(request.prefix)) :]
            assert len(set(added)) == len(added)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("beam_size", [1, 3])
def test_translation_starts_with_the_prefix(prefix, beam_size):
    own = translator()
    translation = own.translate("Wo ist der Mann?", prefix=prefix, beam_size=beam_size)
    assert translation.text.startswith(prefix)
    forced = own.translate(translation.source, prefix=translation.text, search=LIMITS.beam(1))
    assert forced.text.startswith(translation.text)


def test_prefix_may_end_within_a_word():
    """The model chooses the token, although the prefix alone would be tokenized differently."""
    own, vocabulary = translator(), tokenizer()
    whole = own.translate("Wir.", beam_size=1, search=replace(LIMITS, max_length_offset=8))
    text = whole.text
    for end in range(1, len(text)):
        if not text[:end].endswith(" "):
            assert (
                own.translate("Wir.", prefix=text[:end], search=replace(LIMITS, beam_size=30)).text[:end] == text[:end]
            )
    assert vocabulary.encode("Schlüss")[-1:] != vocabulary.encode("Schlüssel")[-1:]


def test_minimum_bayes_risk_ranks_unfinished_samples_last():
    """As in beam search. A text sampled both finished and unfinished counts as finished."""
    own = translator()

    def one(text: str, score: float, finished: bool) -> Hypothesis:
        return Hypothesis(tokenizer().encode(text), score, score, finished)

    samples = [
        *[one("Das Haus ist alt.", -1.0, False)] * 4,
        one("Wir arbeiten.", -1.0, False),
        one("Wir arbeiten.", -2.0, True),
        one("Die Frau", -3.0, True),
    ]
    config = SearchConfig(method=Method.minimum_bayes_risk, samples=7, n_best=3)
    result = [choice.hypothesis for choice in rank(own.ensemble, samples, config)]
    assert [each.finished for each in result] == [True, True, False]
    assert result[2] == samples[0], "it is most similar to all others, and would rank first"
    assert samples[5] in result


@pytest.mark.parametrize("method", [Method.beam, Method.diverse_beam, Method.minimum_bayes_risk])
def test_n_best_texts_are_unique(method):
    """Different tokens may spell the same text; the best stays, and others fill up the list."""
    own = translator(algorithm=Algorithm.char)
    settings = replace(METHODS[method], n_best=4) if method is not Method.beam else replace(LIMITS, beam_size=12)
    for result in own.translate(SENTENCES, search=replace(settings, n_best=8 if method is Method.beam else 4)):
        texts = [alternative.text for alternative in result.n_best]
        assert len(set(texts)) == len(texts) > 1


def test_best_of_equal_texts_is_kept():
    own = translator()
    search = replace(LIMITS, beam_size=30, n_best=30, max_length_ratio=0.0, max_length_offset=4)
    bound = own.ensemble.bind(own.ensemble.encoded(SENTENCES)[0])
    repeated = 0
    for all_, result in zip(beam_search(bound.stepper, search), own.translate(SENTENCES, search=search), strict=True):
        best: dict[str, float] = {}
        for one in all_:
            best.setdefault(decode(own.ensemble, one), one.score)
        assert [(one.text, pytest.approx(one.score, abs=1e-5)) for one in result.n_best] == list(best.items())
        repeated += len(all_) - len(best)
    assert repeated, "the test needs this case"


FOREIGN = ["Žižek", "Пушкин", "東京で", "Xylophonspieler", "Übermüdung"]


@pytest.mark.parametrize("method", ["greedy", *METHODS])
def test_prefix_words_are_tokenized_as_in_training(method):
    """Complete words that the vocabulary lacks have the tokenizer's tokens, with any method."""
    own, vocabulary = translator(), tokenizer()
    tight = replace(METHODS.get(method, LIMITS.beam(1)), max_length_ratio=0.0, max_length_offset=1)
    for word in FOREIGN:
        for given, partial in ((f"{word} {word} {word}", "Ha"), (f"Der {word}", ""), ("", word)):
            prefix = f"{given} {partial}" if given else partial
            for alternative in (result := own.translate("Wir.", prefix=prefix, search=tight)).n_best or (result,):
                assert alternative.text.startswith(prefix.rstrip()), (method, prefix)
                cut = tuple(vocabulary.tokens(vocabulary.encode(given)))
                assert alternative.tokens[: len(cut)] == cut


def test_long_prefix_without_spaces_is_tokenized_as_in_training():
    own, vocabulary = translator(), tokenizer()
    prefix = "東京" * 40
    cut = vocabulary.tokens(vocabulary.encode(prefix[:-16]))
    assert list(own.translate("Wir.", prefix=prefix).tokens[: len(cut)]) == cut


@pytest.mark.parametrize("phrases", [("Haus",), ("mein Schlüssel", "Frau"), ("Tage.",)])
def test_phrases_occur_as_whole_words(phrases):
    for text in SENTENCES:
        translation = translator().translate(text, phrases=phrases)
        for phrase in phrases:
            assert (
                f" {phrase} " in f" {translation.text.replace('?', ' ').replace(',', ' ')} "
                or phrase in translation.text
            )
            place = translation.text.index(phrase) + len(phrase)
            assert not translation.text[place : place + 1].isalnum()


def test_samples_depend_on_seed_and_sentence():
    own, sampling = translator(), METHODS[Method.sampling]
    first, again = own.translate(["Wir.", "Wir.", "Das Haus."], search=sampling)[:2]
    assert [alternative.text for alternative in first.n_best] == [alternative.text for alternative in again.n_best]
    other = own.translate("Wir.", search=replace(sampling, seed=2))
    assert [alternative.text for alternative in first.n_best] != [alternative.text for alternative in other.n_best]
    assert sentence_seed(1, " Wir. ") == sentence_seed(1, "Wir.") != sentence_seed(2, "Wir.")
    assert 0 <= sentence_seed(1, "\ud800") < 2**63


def test_minimum_bayes_risk_matches_expected_utilities():
    own, count = translator(), 12
    samples = own.translate("Wir.", search=replace(METHODS[Method.sampling], n_best=count, top_k=5))
    risk = replace(LIMITS, method=Method.minimum_bayes_risk, samples=count, n_best=3, top_k=5)
    texts = [alternative.text for alternative in samples.n_best]
    similarity = Similarity("chrf")
    worth = {text: sum(similarity([text], other)[0] for other in texts) / count for text in texts}
    translation = own.translate("Wir.", search=risk)
    assert [alternative.utility for alternative in translation.n_best] == pytest.approx(
        sorted(worth.values(), reverse=True)[:3]
    )
    for alternative in translation.n_best:
        assert alternative.utility == pytest.approx(worth[alternative.text])
        assert alternative.score == max(other.score for other in samples.n_best if other.text == alternative.text)


def test_unknown_words_are_copied_by_attention():
    own = translator(algorithm=Algorithm.word)
    network = own.members[0].network
    translations = own.translate(SENTENCES, attention=True, n_best=3)
    copied = own.translate(SENTENCES, copy=Copy.unknown, n_best=3)
    unknown = 0
    for one, other in zip(translations, copied, strict=True):
        for plain, taken in zip(one.n_best, other.n_best, strict=True):
            words, source = plain.text.split(), plain.source.split()
            unknown += words.count("<unk>")
            expected = [
                source[int(plain.attention[place, :-1].argmax())] if word == "<unk>" else word
                for place, word in enumerate(words)
            ]
            assert taken.text.split() == expected
            assert taken.attention is None
    assert unknown, "the test needs this case"
    assert network.config.attention is AttentionKind.general


def test_impossible_requests_raise_one_line():
    own = translator()
    everything = torch.arange(4, own.members[0].tokenizers.target.size, dtype=torch.int32)
    lists = Shortlist(
        torch.full((everything.numel() + 4, 1), -1, dtype=torch.int32), everything, everything.numel() + 4
    )
    short = Translator(own.members, LIMITS, lists)
    cases = [
        (
            lambda: short.translate("Wir.", prefix="D"),
            ConfigError,
            r"^a prefix needs the whole target vocabulary: set shortlist=false$",
        ),
        (lambda: short.translate("Wir.", phrases=["D"]), ConfigError, r"^a phrase needs the whole target vocabulary"),
        (lambda: short.suggest("Wir."), ConfigError, r"^a suggestion needs the whole target vocabulary"),
        (lambda: own.translate("Wir.", copy=Copy.unknown), ConfigError, r"^copy=unknown replaces <unk>, which only"),
        (lambda: own.translate("Wir.", copy="some"), ConfigError, r"^copy must be one of none, unknown, numbers, all,"),
        (
            lambda: translator(attention=AttentionKind.none).translate("Wir.", copy=Copy.numbers),
            ConfigError,
            r"^copy=numbers needs attention, and the model has none: train one with model=attention$",
        ),
        (
            lambda: own.translate("Wir.", beam_size=2, search=METHODS[Method.sampling]),
            ConfigError,
            r"^beam_size=2 does nothing with search.method=sampling: leave it out$",
        ),
        (
            lambda: own.translate("Wir.", phrases=["Haus"], search=METHODS[Method.sampling]),
            ConfigError,
            r"^search.method=sampling cannot force phrases: set search.method=beam$",
        ),
        (lambda: own.translate("Wir.", search=SearchConfig(top_k=2)), ConfigError, "search.top_k=2 does nothing"),
        (
            lambda: own.stream("Wir.", search=METHODS[Method.sampling]),
            ConfigError,
            "search.method=sampling cannot be streamed",
        ),
        (
            lambda: translator(algorithm=Algorithm.word).translate("Wir.", prefix="Katze"),
            DataError,
            "the vocabulary cannot write the prefix 'Katze'",
        ),
    ]
    for ask, kind, message in cases:
        with pytest.raises(kind, match=message) as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_one_attending_member_is_enough_to_copy():
    both = Translator([member(attention=AttentionKind.none), member(seed=2)], LIMITS)
    assert both.translate(TEXTS, copy=Copy.numbers)


# Phrases in scripts without spaces

JAPANESE = ["私は猫が好き。", "猫は私が好き。", "東京の猫。", "NHKの東京タワー。", "กคีคน"] * 5


def japanese(algorithm: Algorithm = Algorithm.unigram) -> Translator:
    pieces = train_tokenizer(JAPANESE, TokenizerConfig(algorithm=algorithm, size=300), "lines")
    network = Network(member().network.config, pieces.size, pieces.size, joint=True).eval()
    randomize(network, ending=1)
    return Translator([Member.prepare(network, Tokenizers(pieces, pieces), CPU)], LIMITS)


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("猫", "私は猫が好き。", True),
        ("猫", "猫が好き。", True),
        ("猫", "私 猫", True),
        ("東京", "私の東京タワー", True),
        ("タワー", "東京タワーABC", True),
        ("東京", "東 京", False),
        ("ค", "กคี", False),  # not before a mark
        ("ค", "กคน", True),
        ("NHK", "私はNHKの", False),  # a limit: words with spaces begin with one
        ("NHK", "私は NHKの", True),
        ("NHK", "NHKs", False),
        ("NHKの", "私はNHKの", True),
    ],
)
@pytest.mark.parametrize("algorithm", [Algorithm.char, Algorithm.unigram])
def test_phrases_are_found_between_letters_of_scripts_without_spaces(algorithm, phrase, text, expected):
    members = japanese(algorithm).ensemble
    required, progress = constraint(members, phrase), 0
    for token in members.target.encode(text):
        progress = required.advance(progress, token)
    assert all_complete([required], [progress], at_end=True) is expected


@pytest.mark.parametrize("beam_size", [1, 3, 10])
def test_translations_contain_phrases_in_scripts_without_spaces(beam_size):
    own = japanese()
    for phrases in (["猫"], ["東京タワー"], ["猫", "私"], ["犬"], ["NHK", "東京"]):
        text = own.translate("東京の猫。", phrases=phrases, beam_size=beam_size).text
        assert all(phrase in text for phrase in phrases), text


def test_vocabularies_of_words_split_by_spaces_keep_the_space_before_phrases():
    texts = ["私 は 猫 が 好き です 。", "東京 タワー と 東京 です 。"] * 5
    pieces = train_tokenizer(texts, TokenizerConfig(algorithm=Algorithm.bpe, size=285), "lines")
    members = Translator([replace(member(), tokenizers=Tokenizers(pieces, pieces))], LIMITS).ensemble
    assert separates_words(members.spelling)
    assert constraint(members, "東京").tokens == tuple(pieces.encode("東京"))
    assert constraint(members, "東京").word_continuations == members.inner


def test_every_term_of_a_glossary_is_checked_before_a_file_is_translated():
    """The first line with an impossible term may come after thousands of others."""
    members = translator(algorithm=Algorithm.word).ensemble
    check_glossary(members, Glossary([("cat", "Haus")]), SearchConfig())
    with pytest.raises(DataError, match=r"^glossary, term 'cat': the vocabulary cannot write the phrase 'Unbekannt'"):
        check_glossary(members, Glossary([("house", "Haus"), ("cat", "Unbekannt")]), SearchConfig())
    with pytest.raises(ConfigError, match=r"search\.method=sampling cannot force phrases: set search\.method=beam"):
        check_glossary(members, Glossary([("cat", "Haus")]), SearchConfig(method=Method.sampling))
