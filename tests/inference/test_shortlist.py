"""Lexical shortlists of an artificial language in which content word i always becomes `twin(i)`."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from disk import full_disk
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from seq2seq.data.encoding import EncodedChunk, IdLists
from seq2seq.data.ibm_model1 import learn_lexicon
from seq2seq.data.shards import shard_path, write_shard
from seq2seq.data.table import Table
from seq2seq.errors import DataError, RunError
from seq2seq.inference.config import ShortlistConfig
from seq2seq.inference.shortlist import Shortlist

UNK, BOS, EOS, PAD = 0, 1, 2, 3
OF, THE = 5, 6  # target tokens in nearly every sentence, independent of the source
CONTENT = range(10, 30)
SOURCES, TARGETS = 34, 40  # sizes of the vocabularies


def twin(token: int) -> int:
    return 10 + (token - 10) * 7 % 20


def made_up(pairs: int = 400, seed: int = 0) -> list[tuple[list[int], list[int]]]:
    generator = np.random.default_rng(seed)
    sources = [generator.choice(CONTENT, 4, replace=False).tolist() for _ in range(pairs)]
    return [(source, [THE, *map(twin, source), *([OF] if generator.random() < 0.9 else [])]) for source in sources]


def write_table(path: Path, pairs: list[tuple[list[int], list[int]]]) -> Table:
    sides = [
        IdLists(
            np.cumsum([0, *(len(pair[side]) for pair in pairs)]).astype(np.int32),
            np.array([token for pair in pairs for token in pair[side]], dtype=np.uint16),
        )
        for side in (0, 1)
    ]
    write_shard(shard_path(path, 0), "made up", [EncodedChunk(sides[0], sides[1], len(pairs), Counter())], "all kept")
    return Table(path, (1 << 16, 1 << 16))


def learn(table: Table, seed: int = 1, **config: int) -> Shortlist:
    settings = ShortlistConfig(**config)
    learned = learn_lexicon(table, SOURCES, TARGETS, settings.pairs, seed)
    return Shortlist.learn(*learned, SOURCES, TARGETS, settings, eos=EOS, unk=UNK)


def pad(rows: list[list[int]], padding: int = PAD) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows)) + 1
    matrix = [[*row, EOS, *[padding] * (width - 1 - len(row))] for row in rows]
    return torch.tensor(matrix), torch.tensor([len(row) + 1 for row in rows])


def alone(shortlist: Shortlist, source: list[int]) -> list[int]:
    """Return the list of one sentence."""
    chosen = shortlist.choose(*pad([source]))
    assert not chosen.masked_BU.any()
    return chosen.tokens_U.tolist()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return write_table(tmp_path_factory.mktemp("table") / "train", made_up())


@pytest.fixture(scope="module")
def small(table: Table) -> Shortlist:
    return learn(table, translations=3, frequent=2)


def test_every_word_finds_its_translation_where_counts_find_only_function_words(table):
    first = learn(table, translations=1, frequent=0).translations_VK[:, 0].tolist()
    assert [first[word] for word in CONTENT] == [twin(word) for word in CONTENT]
    together = {word: Counter(token for s, t in made_up() if word in s for token in t) for word in CONTENT}
    assert all(counts.most_common(1)[0][0] == THE for counts in together.values())


def test_frequent_tokens_do_not_count_as_translations(small):
    assert small.frequent_F.tolist() == [EOS, UNK, THE, OF]
    assert not np.isin(small.translations_VK.numpy(), [EOS, UNK, THE, OF]).any()


def test_every_list_has_eos_and_unk_and_excludes_bos_and_padding(small):
    for source in ([], [10], [PAD, BOS, 33], list(CONTENT)):
        listed = alone(small, source)
        assert {EOS, UNK} <= set(listed)
        assert not {BOS, PAD} & set(listed)
    assert alone(small, []) == alone(small, [33, 31]) == sorted([EOS, UNK, THE, OF])  # tokens never seen in training


@pytest.mark.parametrize(
    ("frequent", "covered"), [(0, lambda t: set(t) - {THE, OF}), (1, lambda t: set(t) - {OF}), (2, set)]
)
def test_coverage_of_the_training_targets_is_reported(table, frequent, covered):
    shortlist = learn(table, translations=1, frequent=frequent)
    for source, target in made_up():
        assert set(target) & set(alone(shortlist, source)) == covered(target)


def test_a_sentence_allows_only_its_own_tokens(small):
    """Two words have at most three translations each, two frequent tokens and two special tokens."""
    listed = alone(small, [10, 11])
    assert len(listed) <= 2 * 3 + 2 + 2
    assert {twin(10), twin(11)} <= set(listed)
    assert listed == sorted(set(listed))


@given(
    rows=st.lists(st.lists(st.integers(0, SOURCES - 1), max_size=6), min_size=1, max_size=6),
    padding=st.sampled_from([PAD, 10]),
)
def test_a_list_does_not_depend_on_the_batch(small, rows, padding):
    tokens_U, masked_BU = small.choose(*pad(rows, padding))
    assert tokens_U.dtype == torch.int64
    assert masked_BU.shape == (len(rows), len(tokens_U))
    assert [tokens_U[~masked].tolist() for masked in masked_BU] == [alone(small, row) for row in rows]
    assert not masked_BU.all(0).any()  # every token is in some list


def test_ties_are_won_by_the_lower_id(tmp_path):
    table = write_table(tmp_path / "t", [([10], [39, 12, 30, 25]), ([11], [14, 38, 13])])
    shortlist = learn(table, translations=3, frequent=0)
    assert shortlist.translations_VK[10].tolist() == [12, 25, 30]
    assert shortlist.translations_VK[11].tolist() == [13, 14, 38]
    assert learn(table, translations=5, frequent=3).frequent_F.tolist() == [EOS, UNK, 12, 13, 14]


def test_a_sample_is_a_function_of_the_seed(table):
    def lists(seed: int, pairs: int) -> list[list[int]]:
        return learn(table, seed, translations=3, frequent=0, pairs=pairs).translations_VK.tolist()

    assert lists(1, 15) == lists(1, 15)
    assert lists(1, 15) != lists(2, 15)
    assert lists(1, 15) != lists(1, 400) == lists(2, 400) == lists(1, 10**6)


def test_a_table_of_another_vocabulary_is_refused(table):
    with pytest.raises(DataError, match="encode the corpus again"):
        learn_lexicon(table, 20, TARGETS, 100, 1)


def test_a_saved_shortlist_is_loaded_unchanged(small, tmp_path):
    path = tmp_path / "new" / "shortlist.safetensors"
    small.save(path)
    loaded = Shortlist.load(path, SOURCES, TARGETS)
    assert loaded.translations_VK.dtype == loaded.frequent_F.dtype == torch.int32
    assert torch.equal(loaded.translations_VK, small.translations_VK)
    assert torch.equal(loaded.frequent_F, small.frequent_F)
    assert alone(loaded, [10, 20]) == alone(small, [10, 20])


def test_a_failed_write_keeps_the_old_file(small, tmp_path):
    small.save(tmp_path / "shortlist")
    with full_disk(100), pytest.raises(RunError, match="free some space"):
        small.save(tmp_path / "shortlist")
    assert [path.name for path in tmp_path.iterdir()] == ["shortlist"]
    Shortlist.load(tmp_path / "shortlist", SOURCES, TARGETS)


def message(path: Path, source_size: int = SOURCES, target_size: int = TARGETS) -> str:
    with pytest.raises(RunError) as caught:
        Shortlist.load(path, source_size, target_size)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_foreign_missing_and_damaged_files_are_refused(small, tmp_path):
    path = tmp_path / "shortlist"
    assert "rerun the training command" in message(path)
    small.save(path)
    assert "34 source tokens, the model 35" in message(path, source_size=35)
    assert "the model has 20 target tokens" in message(path, target_size=20)
    path.write_bytes(path.read_bytes()[:-8])
    assert "damaged" in message(path)


FRENCH = torch.zeros(3, dtype=torch.int32)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"frequent": None}, "has no frequent"),
        ({"translations": None}, "has no translations"),
        ({"french": FRENCH}, "also has french"),
        ({"frequent": FRENCH.long()}, "frequent are torch.int64"),
        ({"translations": torch.zeros(SOURCES, 2)}, "translations are torch.float32"),
        ({"frequent": FRENCH[None]}, r"frequent have shape \[1, 3\]"),
        ({"frequent": FRENCH[:0]}, r"frequent have shape \[0\]"),
        ({"translations": FRENCH}, r"translations have shape \[3\]"),
        ({"frequent": FRENCH - 1}, "frequent go from -1 to -1"),
        ({"translations": torch.full((SOURCES, 2), -2, dtype=torch.int32)}, "translations go from -2"),
        ({"translations": torch.full((SOURCES, 2), TARGETS, dtype=torch.int32)}, "to 40, the model has 40"),
    ],
)
def test_files_that_are_not_a_shortlist_are_refused(small, tmp_path, change, expected):
    path = tmp_path / "shortlist"
    small.save(path)
    tensors = {name: tensor for name, tensor in (load_file(path) | change).items() if tensor is not None}
    save_file(tensors, path)
    assert re.search(expected, message(path))
    assert "is not a shortlist of this run" in message(path)
