"""Old names of settings keep working."""

import pytest

from seq2seq.config import renamed
from seq2seq.config.renamed import RENAMED, rename_overrides, rename_settings


@pytest.mark.parametrize(
    ("override", "current"),
    [
        ("model.old=3", "model.new=3"),
        ("+model.old=3", "+model.new=3"),
        ("++model.old=3", "++model.new=3"),
        ("~model.old", "~model.new"),
        ("model.old=[a.b,c]", "model.new=[a.b,c]"),
        ("section.size=1", "group.section.size=1"),
        ("section={size: 1}", "group.section={size: 1}"),
        ("model.older=3", "model.older=3"),
        ("other.model.old=3", "other.model.old=3"),
        ("run=model.old", "run=model.old"),
        ("-m", "-m"),
    ],
)
def test_an_override_by_an_old_name_sets_the_new_one(override, current):
    overrides, notes = rename_overrides([override], (), {"model.old": "model.new", "section": "group.section"})
    assert overrides == [current]
    assert len(notes) == (override != current)


def test_the_note_names_both_names():
    _, [note] = rename_overrides(["old=1", "seed=2"], ("seed",), {"old": "new", "seed": "x"})
    assert note.startswith("note: ")
    assert "old is now called new" in note


@pytest.mark.parametrize(
    ("values", "current"),
    [
        ({"model": {"old": 3, "size": 4}}, {"model": {"new": 3, "size": 4}}),
        ({"model": {"old": 3, "new": 5}}, {"model": {"new": 5}}),
        ({"model": {"size": 4}}, {"model": {"size": 4}}),
        ({"model": None}, {"model": None}),
        ({"section": {"size": 1}}, {"group": {"section": {"size": 1}}}),
        ({"section": {"size": 1}, "group": {"name": "a"}}, {"group": {"section": {"size": 1}, "name": "a"}}),
        ({"data": {"more": [{"old": 1}, {"file": "x"}]}}, {"data": {"more": [{"new": 1}, {"file": "x"}]}}),
        ({"data": {"more": "text"}}, {"data": {"more": "text"}}),
    ],
)
def test_a_run_with_an_old_name_is_read_as_if_it_had_the_new_one(values, current):
    paths = {"model.old": "model.new", "section": "group.section", "data.more.old": "data.more.new"}
    assert rename_settings(values, paths) == current


def test_a_recipe_accepts_an_old_name_with_a_note(recipe, monkeypatch):
    monkeypatch.setitem(RENAMED, "search.beams", "search.beam_size")
    outcome = recipe("train", "--cfg", "job", "search.beams=3")
    assert outcome.code == 0
    assert "beam_size: 3" in outcome.out
    assert outcome.err == "note: search.beams is now called search.beam_size; the old name works in this version\n"


def test_a_model_folder_with_an_old_name_opens(tiny_run, tmp_path, monkeypatch):
    from seq2seq.run.folder import RunFolder
    from seq2seq.search import SearchConfig

    monkeypatch.setitem(renamed.RENAMED, "search.beams", "search.beam_size")
    text = (tiny_run / "config.yaml").read_text("utf-8")
    (tmp_path / "config.yaml").write_text(text.replace("  beam_size: 2\n", "  beams: 7\n"), "utf-8")
    assert RunFolder.open(tmp_path).section("search", SearchConfig).beam_size == 7
