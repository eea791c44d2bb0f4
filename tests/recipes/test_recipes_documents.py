"""`recipes/translate.py` writes a table, workbook, PO, XLIFF or TMX file back with translations."""

import pytest
from openpyxl import Workbook, load_workbook

FILES = {
    "in.csv": (
        "id,English\n1,We work.\n2,Where is my key?\n",
        "id,English,de\n1,We work.,Wir arbeiten.\n2,Where is my key?,Wo ist mein Schlüssel?\n",
    ),
    "in.po": ('msgid "We work."\nmsgstr ""\n', '#, fuzzy\nmsgid "We work."\nmsgstr "Wir arbeiten."\n'),
    "in.tmx": (
        '<tmx version="1.4"><body><tu><tuv xml:lang="en"><seg>We work.</seg></tuv></tu></body></tmx>',
        '<tmx version="1.4"><body><tu><tuv xml:lang="en"><seg>We work.</seg></tuv>'
        '<tuv xml:lang="de"><seg>Wir arbeiten.</seg></tuv></tu></body></tmx>',
    ),
    "in.xlf": (
        '<xliff version="1.2"><file source-language="en" target-language="de"><body><trans-unit id="1">'
        "<source>We work.</source></trans-unit></body></file></xliff>",
        '<xliff version="1.2"><file source-language="en" target-language="de"><body><trans-unit id="1">'
        '<source>We work.</source><target state="needs-review-translation">Wir arbeiten.</target>'
        "</trans-unit></body></file></xliff>",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_comes_back_with_translations(recipe, learned_run, tmp_path, name):
    text, translated = FILES[name]
    (tmp_path / name).write_text(text, "utf-8")
    command = ["translate", f"run={learned_run}", f"input={tmp_path / name}"]
    outcome = recipe(*command, f"output={tmp_path / f'out.{name}'}")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / f"out.{name}").read_text("utf-8") == translated
    assert "filled" in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, f"out.{name}"]


def test_a_workbook_comes_back_with_a_column(recipe, learned_run, tmp_path):
    book = Workbook()
    for row in (["English", "note"], ["We work.\nWhere is my key?", 1]):
        book.active.append(row)
    book.save(tmp_path / "in.xlsx")
    outcome = recipe(
        "translate", f"run={learned_run}", f"input={tmp_path / 'in.xlsx'}", f"output={tmp_path / 'in.xlsx'}"
    )
    assert outcome.code == 0, outcome.err
    rows = load_workbook(tmp_path / "in.xlsx").active.iter_rows(values_only=True)
    translated = "Wir arbeiten.\nWo ist mein Schlüssel?"
    assert list(rows) == [("English", "note", "de"), ("We work.\nWhere is my key?", 1, translated)]


def test_the_error_of_another_encoding_names_the_setting_of_this_recipe(recipe, learned_run, tmp_path):
    (tmp_path / "in.csv").write_bytes("English;n\nIs it über?;1\n".encode("cp1252"))
    command = ["translate", f"run={learned_run}", f"input={tmp_path / 'in.csv'}", f"output={tmp_path / 'out.csv'}"]
    outcome = recipe(*command)
    assert outcome.code == 1
    assert " encoding=cp1252 reads it" in outcome.err
    assert recipe(*command, "encoding=cp1252").code == 0


def test_an_error_leaves_no_output(recipe, learned_run, tmp_path):
    (tmp_path / "in.tmx").write_text(FILES["in.tmx"][0][:-6], "utf-8")
    command = ["translate", f"run={learned_run}", f"input={tmp_path / 'in.tmx'}"]
    for output, message in (("out.tmx", "damaged XML"), ("out.xlsx", "ends in .xlsx: name a file that ends in .tmx")):
        outcome = recipe(*command, f"output={tmp_path / output}")
        assert outcome.code == 1
        assert message in outcome.err
        assert outcome.err.count("\n") == 1
        assert [path.name for path in tmp_path.iterdir()] == ["in.tmx"]
