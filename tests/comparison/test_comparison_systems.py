"""What compares with what."""

import json

import pytest
from comparing import FIRST, REFERENCES, SECOND, common, scored_run, write_lines

from seq2seq.comparison.systems import outputs_of, read_systems, setting_differences
from seq2seq.errors import DataError, RunError, Seq2SeqError


def refused(names, references=REFERENCES, **changes) -> str:
    with pytest.raises(Seq2SeqError) as raised:
        read_systems([str(name) for name in names], common(references, **changes))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def change(folder, **entries):
    """Set entries of the test scores; a dictionary is merged."""
    path = folder / "scores.json"
    scores = json.loads(path.read_text())
    for name, value in entries.items():
        scores["test"][name] = {**scores["test"][name], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(scores))


def test_runs_and_files_are_read(tmp_path):
    run = scored_run(tmp_path / "a", FIRST)
    path = write_lines(tmp_path / "b.txt", SECOND)
    first, second = read_systems([str(run), str(path)], common())
    assert (first.name, first.first.lines) == (str(run), FIRST)
    assert first.first.record["search"] == {"beam_size": 5}
    assert second.first.lines == SECOND
    assert list(second.first.record) == ["hypotheses"]


def test_a_pattern_or_a_folder_of_runs_is_one_system(tmp_path):
    for seed in (1, 2, 10):
        scored_run(tmp_path / "sweep" / str(seed), FIRST, seed=seed)
    (tmp_path / "sweep" / "notes").mkdir()
    write_lines(tmp_path / "x1.de", SECOND)
    write_lines(tmp_path / "x2.de", FIRST)
    systems = read_systems([str(tmp_path / "sweep"), str(tmp_path / "x*.de")], common())
    assert [[output.name.rpartition("/")[2] for output in system.outputs] for system in systems] == [
        ["1", "2", "10"],
        ["x1.de", "x2.de"],
    ]


def test_settings_that_differ_between_runs(tmp_path):
    dropout = {"dropout": 0.3, "layers": 1}
    for seed in (1, 2):
        scored_run(tmp_path / "base" / str(seed), FIRST, seed=seed)
        scored_run(tmp_path / "new" / str(seed), SECOND, seed=seed, training={"updates": 5, "device": f"d{seed}"})
    scored_run(tmp_path / "one", SECOND, model=dropout, training={"updates": 9}, choices={"optimizer": "Adam"})
    path = write_lines(tmp_path / "x.de", SECOND)
    base, new, one, text = map(str, (tmp_path / "base", tmp_path / "new", tmp_path / "one", path))
    assert setting_differences(read_systems([base, text], common())) == {}
    assert setting_differences(read_systems([base, new], common())) == {}, "the same seeds, other devices"
    assert setting_differences(read_systems([base, text, one], common())) == {
        "seed": {base: [1, 2], one: [1]},
        "training.updates": {base: [5], one: [9]},
    }


def test_a_name_that_matches_nothing_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such run folder or file, and no match"):
        outputs_of(str(tmp_path / "nowhere*"))
    with pytest.raises(DataError, match="is not a run folder and contains none"):
        outputs_of(str(tmp_path))


def test_seeds_of_one_system_may_be_trained_in_several_places_on_the_same_text(tmp_path):
    def runs(*hashes):
        for seed, hash_ in enumerate(hashes, 1):
            record = {"data.test.file": {"path": f"/machine{seed}/test.tsv", "in_run": "../test.tsv", "hash": hash_}}
            scored_run(tmp_path / hashes[1] / f"run{seed}", FIRST, seed=seed, files=record)
        return tmp_path / hashes[1]

    read_systems([str(runs("one", "one"))], common())
    assert "files.data.test.file.hash is one in one, other in the other" in refused([runs("one", "other")])


def test_seeds_of_one_system_differ_in_the_seed_only(tmp_path):
    for seed, dropout in ((1, 0.1), (2, 0.3)):
        scored_run(tmp_path / f"run{seed}", FIRST, seed=seed, model={"dropout": dropout})
    reported = refused([tmp_path / "run*"])
    assert "not seeds of one system: model.dropout is 0.1 in one, 0.3 in the other" in reported
    folder = scored_run(tmp_path / "twice" / "0", FIRST)
    other = scored_run(tmp_path / "twice" / "1", FIRST)
    (other / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    change(other, models=json.loads((folder / "scores.json").read_text())["test"]["models"])
    assert "are the same model" in refused([tmp_path / "twice"])


def test_other_references_are_refused(tmp_path):
    run = scored_run(tmp_path / "a", FIRST)
    reported = refused([run], references=[*REFERENCES[:4], "Wir schlafen."])
    assert "scored against other references" in reported
    assert f"evaluate run={run}" in reported or f"evaluate.py run={run}" in reported


def test_other_signatures_are_refused(tmp_path):
    run = scored_run(tmp_path / "a", FIRST, lowercase=True)
    assert "was scored with nrefs:1|case:lc" in refused([run])
    run = scored_run(tmp_path / "b", FIRST)
    path = run / "scores.json"
    path.write_text(path.read_text().replace("tok:13a", "tok:intl"))
    assert "tok:intl" in refused([run])


def test_changed_models_and_translations_are_refused(tmp_path):
    run = scored_run(tmp_path / "a", FIRST)
    write_lines(run / "hypotheses.test.beam.txt", SECOND)
    assert "hypotheses.test.beam.txt is not the text that was scored" in refused([run])
    run = scored_run(tmp_path / "b", FIRST)
    (run / "model.safetensors").write_bytes(b"trained further")
    assert "has another model than the scored one" in refused([run])


def test_a_run_without_scores_is_refused_with_the_evaluate_command(tmp_path):
    run = scored_run(tmp_path / "a", FIRST)
    assert "has no greedy translations of test in scores.json: evaluate it" in refused([run], search="greedy")
    assert "no beam translations of validation" in refused([run], entry="validation")
    scores = json.loads((run / "scores.json").read_text())
    del scores["test"]["references"]
    (run / "scores.json").write_text(json.dumps(scores))
    assert "older version and lacks references" in refused([run])
    (run / "scores.json").write_text("[]")
    assert "scores.json is damaged" in refused([run])
    (run / "scores.json").unlink()
    assert "has no beam translations" in refused([run])


def test_a_file_of_another_length_is_refused(tmp_path):
    path = write_lines(tmp_path / "short.txt", FIRST[:3])
    assert "has 3 lines and the test set 5 sentences" in refused([path])
    run = scored_run(tmp_path / "a", FIRST)
    assert isinstance(read_systems([str(run)], common())[0].first.record["models"][0], str)
    (run / "config.yaml").write_text("model: {layers: 2}\n")
    with pytest.raises(RunError, match="another model"):
        read_systems([str(run)], common())
