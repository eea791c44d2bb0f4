"""The report of a comparison."""

import json
from dataclasses import replace

import pytest
from comparing import FIRST, REFERENCES, SECOND
from test_comparison_comparison import compared

from seq2seq.comparison.pages import as_text
from seq2seq.comparison.report import as_dict, sections, write
from seq2seq.metrics.score import score


def test_the_text_has_every_figure():
    comparison = compared([FIRST], [SECOND])
    text = as_text(sections(comparison))
    bleu = score(FIRST, REFERENCES, bootstrap=30).bleu
    assert f"0.0   {bleu.score:.1f} [{bleu.ci95[0]:.1f}, {bleu.ci95[1]:.1f}]" in text
    assert f"BLEU  {bleu.signature}" in text
    assert "p, paired bootstrap (Koehn 2004): bs:30, seed:12345" in text
    assert "p, approximate randomization (Riezler & Maxwell 2005): ar:40, seed:12345" in text
    assert "p of the bootstrap is too small for 5 sentences: it needs 20 or more" in text
    assert "words of the references by how often they occur in the references" in text
    assert "system 1 beside system 0: most different sentences" in text
    assert "over seeds" not in text
    assert "not corrected" not in text


def test_the_report_names_seeds_and_several_comparisons():
    text = as_text(sections(compared([FIRST, SECOND], [SECOND], [REFERENCES], randomization=0)))
    assert "mean ± standard deviation" in text
    (row,) = [line for line in text.split("\n") if line.startswith("  system 0 ") and "±" in line]
    assert row.count("±") == 3
    assert "system 0: 0.0 only" in text
    assert "median and range over pairs of seeds" in text
    assert "not corrected for 2 comparisons" in text


@pytest.mark.parametrize("ending", [".json", ".md", ".html"])
def test_files_have_the_same_content(tmp_path, ending):
    comparison = compared([FIRST], [SECOND], randomization=0)
    path = tmp_path / f"report{ending}"
    write(comparison, sections(comparison), path)
    text = path.read_text(encoding="utf-8")
    assert SECOND[3] in text
    assert comparison.systems[0].scores[0]["bleu"].signature.split("|")[1] in text
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_json_has_every_result():
    comparison = compared([FIRST, SECOND], [SECOND])
    read = json.loads(json.dumps(as_dict(comparison)))
    assert read["references"] == "hash"
    first = read["systems"][0]
    assert first["over_seeds"]["ter"]["seeds"] == 2
    assert first["outputs"][0]["scores"]["bleu"] == comparison.systems[0].scores[0]["bleu"].as_dict()
    (contrast,) = read["contrasts"]
    assert len(contrast["tests"]["randomization"]["chrf"]["p"]) == 2
    assert contrast["wins_by_length"][-1]["sentences"] == 5
    assert contrast["most_different"][0]["reference"] in REFERENCES


def test_the_report_shows_the_settings_that_differ(tmp_path):
    comparison = compared([FIRST], [SECOND], randomization=0)
    assert "settings that differ" not in as_text(sections(comparison)), "files have no settings"
    shared = {"run": "a", "model.dropout": 0.3, "data.more": [], "choices.optimizer": "Adam"}
    other = {**shared, "run": "b", "model.dropout": None, "choices.optimizer": "SGD", "data.more": [{"file": "x" * 99}]}
    systems = []
    for measured, settings in zip(comparison.systems, (shared, other), strict=True):
        outputs = [replace(output, settings=settings) for output in measured.system.outputs]
        systems.append(replace(measured, system=replace(measured.system, outputs=outputs)))
    comparison = replace(comparison, systems=systems)
    table = as_text(sections(comparison)).partition("settings that differ\n")[2].partition("\n\n")[0]
    lines = [line.split() for line in table.splitlines()]
    assert lines[0] == ["setting", "system", "0", "system", "1"]
    assert lines[1] == ["model.dropout", "0.3", "null"]
    assert lines[2][:2] == ["data.more", "[]"]
    assert len(table.splitlines()[2]) < 100
    assert lines[3] == ["optimizer", "Adam", "SGD"]
    found = json.loads(json.dumps(as_dict(comparison)))["settings_that_differ"]
    assert found["model.dropout"] == {"system 0": [0.3], "system 1": [None]}
    write(comparison, sections(comparison), tmp_path / "report.html")
    assert "settings that differ" in (tmp_path / "report.html").read_text(encoding="utf-8")
