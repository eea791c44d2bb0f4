"""Near copies between sets and within one."""

from seq2seq.corpora.corpus import Pair
from seq2seq.doctor.arrays import PairArrays, SentenceArray, pair_statistics
from seq2seq.doctor.near import find_near_copies
from seq2seq.doctor.reasons import Reason

TEXTS = {
    "test": [Pair("The river runs past our house.", "a b c d e f"), Pair("Nothing like it.", "q r s t u v")],
    "train": [
        Pair("The river runs past our house!", "g h i j k l"),  # near the first test source
        Pair("The river runs past our house.", "m n o p a x"),  # equal: another finding
        Pair("Something else entirely.", "Q R S T U V."),  # near the second test target
        Pair("We went home early in the evening.", "y z y z y"),
        Pair("we went home early, in the evening", "Y Z Y Z Y!"),  # near the pair before
        Pair("We went home early in the evening.", "w w w k k"),  # another translation
        Pair("", ""),
    ],
}


def test_near_copies_are_found_by_set_side_and_partner():
    statistics = {
        name: pair_statistics(PairArrays(*(SentenceArray([*side]) for side in zip(*pairs, strict=True)), {}))
        for name, pairs in TEXTS.items()
    }
    found = find_near_copies(TEXTS, statistics, ["test", "validation"])
    assert found["test"] == []
    assert [
        (finding.reason, finding.side, finding.rows.tolist(), finding.partners.tolist(), finding.partner_corpus)
        for finding in found["train"]
    ] == [
        (Reason.near_duplicate, "", [4], [3], ""),
        (Reason.near_overlap, "source", [0], [0], "test"),
        (Reason.near_overlap, "target", [2], [1], "test"),
    ]


def test_no_pairs_have_no_near_copies():
    statistics = {"train": pair_statistics(PairArrays(SentenceArray([]), SentenceArray([]), {}))}
    assert find_near_copies({"train": []}, statistics, []) == {"train": []}
