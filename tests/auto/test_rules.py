"""The rules of ``experiment=auto`` are functions of the counts of the text, and grow with it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.auto import rules
from seq2seq.auto.choice import completed
from seq2seq.auto.rules import MORE, POINTER_FROM, RULES, SPECIAL, YOURS, by_pairs, choose
from seq2seq.auto.statistics import SideStatistics, Statistics
from seq2seq.config.automatic import AutoConfig
from seq2seq.config.hydra import compose_train
from seq2seq.settings import walk


@pytest.fixture(scope="module")
def composed():
    return compose_train("auto", ["data.file=x.csv"])


@pytest.fixture(scope="module")
def settings(composed):
    return {name: getattr(value, "value", value) for name, _, value in walk(composed)}


def text(pairs: int, alphabet: int = 60, script: str = "LATIN", copied: float = 0.0, length: int = 30) -> Statistics:
    counts = {"words": 6 * pairs, "types": pairs, "characters": length * pairs, "all_characters": alphabet}
    source = SideStatistics(**counts, alphabet=alphabet, script="LATIN", spaced=True)
    target = replace(source, script=script)
    return Statistics(
        pairs=pairs,
        source=source,
        target=target,
        sampled=pairs,
        alphabet=alphabet,
        all_characters=alphabet,
        copied=copied,
    )


def chosen(statistics, settings, yours=()):
    return {choice.name: choice.value for choice in choose(statistics, settings, AutoConfig(yours=[*yours]).leaves)}


PAIRS = st.integers(10, 3_000_000)
LARGER = ("tokenizer.size", "model.embedding_size", "model.encoder.size", "model.decoder.size", "batch.tokens")
SMALLER = ("model.dropout",)


@given(PAIRS, PAIRS, st.integers(30, 9000), st.sampled_from(["LATIN", "HIRAGANA"]))
def test_more_pairs_never_have_smaller_layers_or_more_dropout(settings, few, many, alphabet, script):
    few, many = sorted((few, many))
    small, large = (chosen(text(pairs, alphabet, script), settings) for pairs in (few, many))
    assert all(small[name] <= large[name] for name in LARGER)
    assert all(small[name] >= large[name] for name in SMALLER)


@pytest.mark.parametrize(("longest", "kept"), [(0, None), (600, None), (900, 400), (90_000, 1000)])
def test_long_pairs_are_kept_up_to_a_limit(settings, longest, kept):
    assert chosen(replace(text(300), longest=longest), settings).get("data.filters.max_length") == kept
    assert (
        chosen(replace(text(300), longest=9000), settings, ["data.filters.max_length"])["data.filters.max_length"]
        == 200
    )


@given(st.integers(1, 3_000_000), st.integers(1, 300))
def test_updates_are_within_the_documented_bounds(settings, pairs, length):
    choices = chosen(text(pairs, length=length), settings)
    assert 1_500 <= choices["training.updates"] <= 30_000
    assert choices["training.updates"] == 12 * choices["training.validate_every"]


@given(PAIRS, PAIRS)
def test_more_pairs_are_never_trained_with_fewer_tokens(settings, few, many):
    few, many = sorted((few, many))
    small, large = (chosen(text(pairs), settings) for pairs in (few, many))
    seen = [each["training.updates"] * each["batch.tokens"] for each in (small, large)]
    assert seen[0] <= seen[1]


@given(PAIRS, st.integers(2, 40_000), st.sampled_from(["LATIN", "CJK"]), st.floats(0, 1), st.integers(3, 900))
def test_choices_are_settings_that_agree(composed, settings, pairs, alphabet, script, copied, length):
    choices = chosen(text(pairs, alphabet, script, copied, length), settings)
    assert choices["tokenizer.size"] >= alphabet + SPECIAL
    assert choices.get("tokenizer.target_size", SPECIAL + alphabet) >= alphabet + SPECIAL
    assert (choices["model.tying"] == "all") == choices["tokenizer.joint"]
    assert ("tokenizer.target_size" in choices) != choices["tokenizer.joint"]
    assert choices["schedule.warmup"] <= choices["training.updates"]
    assert choices["training.updates"] % choices["training.validate_every"] == 0
    completed(composed, choices).check()


@given(st.lists(st.sampled_from(["model.dropout", "batch.tokens", "training.updates", "model.encoder"]), unique=True))
def test_the_users_own_settings_stay(settings, yours):
    choices = choose(text(9000), settings, AutoConfig(yours=yours).leaves)
    own = {choice.name: choice.value for choice in choices if choice.reason == YOURS}
    named = {choice.name for choice in choices for name in yours if f"{choice.name}.".startswith(f"{name}.")}
    assert {*own} == named
    assert all(settings[name] == value for name, value in own.items())


def test_later_rules_follow_the_users_settings(settings):
    own = settings | {"training.updates": 50, "tokenizer.joint": False, "batch.tokens": 512}
    choices = chosen(text(9000), own, ["training.updates", "tokenizer.joint", "batch.tokens"])
    assert (choices["schedule.warmup"], choices["model.tying"]) == (5, "output")
    assert "training.time_limit" not in choices, "a limit would change the user's number"


@pytest.mark.parametrize(
    ("algorithm", "sampled"), [("bpe", True), ("unigram", False), ("word", False), ("char", False)]
)
def test_only_merges_are_skipped(settings, algorithm, sampled):
    choices = chosen(text(9000), settings | {"tokenizer.algorithm": algorithm}, ["tokenizer.algorithm"])
    assert ("tokenizer.sampling" in choices) == sampled


def test_the_pointer_follows_the_share_of_copied_words(settings):
    able = settings | {"model.copy": "none"}
    assert chosen(text(9000, copied=POINTER_FROM), able)["model.copy"] == "pointer"
    assert chosen(text(9000, copied=POINTER_FROM - 0.01), able)["model.copy"] == "none"
    assert "model.copy" not in chosen(text(9000, copied=1.0), able | {"model.attention": "none"})


def test_every_choice_has_a_reason_of_one_line(settings):
    for choice in choose(text(9000, 3000, "CJK"), settings):
        assert choice.reason.strip()
        assert "\n" not in choice.reason
        assert "#" not in choice.reason


def test_a_table_has_a_value_for_every_number_of_pairs():
    assert [by_pairs({10: "a", MORE: "b"}, pairs) for pairs in (0, 10, 11, 10**9)] == ["a", "a", "b", "b"]
    assert len({*RULES}) == len(RULES)


TABLES = {
    "tokenizer.size": rules.VOCABULARY,
    "model.embedding_size": rules.WIDTH,
    "model.decoder.layers": rules.DECODER_LAYERS,
    "model.dropout": rules.DROPOUT,
    "loss.guided_attention": rules.GUIDED_ATTENTION,
    "batch.tokens": rules.BATCH,
}


@pytest.mark.parametrize("name", TABLES)
def test_the_documents_have_the_numbers_of_the_rules(name):
    values = (f"{'more' if pairs == MORE else f'{pairs:,}'}: {value}" for pairs, value in TABLES[name].items())
    row = f"| `{name}` | {', '.join(values)} |"
    assert row in (Path(__file__).parents[2] / "conf/README.md").read_text("utf-8").splitlines()


def test_the_documents_name_every_setting_that_is_chosen(settings):
    section = (Path(__file__).parents[2] / "conf/README.md").read_text("utf-8")
    section = section.partition("\n## Automatic settings\n")[2].partition("\n### ")[0]
    close = replace(text(300, copied=0.5), longest=900)
    far = text(300, alphabet=9000, script="HIRAGANA")
    names = {name for statistics in (close, far) for name in chosen(statistics, settings | {"training.time": None})}
    assert names >= {"data.filters.max_length", "tokenizer.target_size", "tokenizer.character_coverage"}
    assert [name for name in names if not re.search(rf"`{re.escape(name)}[`=]", section)] == []
