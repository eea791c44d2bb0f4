"""Tables and JSON of figures."""

import json

from laboratories import made_curve, made_score

from seq2seq.figures import report
from seq2seq.figures.bleu_curves import WidthCurve, WidthPoint
from seq2seq.figures.config import Figure, LaboratoryConfig
from seq2seq.figures.contexts import CONTEXT, Point, Projection
from seq2seq.figures.exposure_bias import Exposure, Position
from seq2seq.figures.interpolation import Mixture, Walk


def test_tables_have_a_line_for_each_result():
    panel = Projection(CONTEXT, 512, [Point("We work.", 1.5, -2.25)], (0.5, 0.25))
    assert report.contexts_table([("a", [panel])]).splitlines() == [
        "a: context vectors of width 512; explained variance 50.0% and 25.0%",
        "     1.500   -2.250  We work.",
    ]
    walk = Walk("We work.", "She sleeps.", [Mixture(0.5, "Sie arbeiten.", -3.5, 40.0, 30.0)])
    assert report.interpolation_table([walk]).splitlines()[1] == "  0.50    -3.50  Sie arbeiten."
    lengths = report.lengths_table([made_curve("a", 30), made_curve("b", 40)]).splitlines()
    assert lengths[0].endswith("signature")
    assert lengths[2].split() == ["1–4", "10", "30.0", "[29.0,", "32.0]", "40.0", "[39.0,", "42.0]"]
    assert lengths[-1].split()[:3] == ["all", "20", "30.0"]
    exposure = report.exposure_table([Exposure("a", [Position(1, 50, 1.0, 1.25, (0.2, 0.3), 0.5)], 50, 1.0, 1.25)])
    assert exposure.splitlines()[2].split() == ["1", "50", "1.000", "1.250", "[0.200,", "0.300]", "50.0%"]
    width = report.width_table([WidthCurve("a", [WidthPoint(64, 128, 1234, "runs/a", made_score(30), {})])])
    assert width.splitlines()[2].split() == ["64", "128", "1,234", "30.0", "[29.0,", "32.0]"]


def test_json_names_every_value(tmp_path):
    result = {
        "figure": Figure.lengths,
        "settings": LaboratoryConfig(),
        "found": [made_curve("ä", 30)],
        "path": tmp_path,
    }
    report.write_json(tmp_path / "new" / "lengths.json", result)
    text = (tmp_path / "new" / "lengths.json").read_text("utf-8")
    read = json.loads(text)
    assert "ä" in text
    assert read["figure"] == "lengths"
    assert read["settings"]["lengths"]["bins"] == 6
    assert read["found"][0]["bins"][0]["range"] == {"shortest": 1, "longest": 4}
    assert read["found"][0]["whole"]["bleu"] == {"score": 30, "signature": "signature", "ci95": [29, 32]}
    assert read["path"] == str(tmp_path)
