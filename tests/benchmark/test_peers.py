"""Transformers of other toolkits: their size and settings, the text, resuming, the table. No peer is installed here."""

import json
import math
import os
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import mean

import pytest
import sacrebleu
import torch
import yaml
from comparing import write_lines
from safetensors.torch import load_file, save_file

from seq2seq.corpora.corpus import Pair
from tests.tools.peers import __main__ as peers
from tests.tools.peers import eole, joeynmt
from tests.tools.peers.table import Row, Trained, Translated, compared, table
from tests.tools.peers.text import LONGEST, Text, pairs_of, prepare
from tests.tools.peers.transformer import SHAPES, TRIES, average, run

WORDS = "the,a,red,green,old,new,house,tree,river,sea,sees,finds,takes,gives,here,there"
SENTENCES = [f"{a} {b} {c}." for a, b in product(WORDS.split(","), repeat=2) for c in ("the", "a", "red")]


@pytest.fixture
def arguments(tmp_path) -> Namespace:
    """A corpus of made-up pairs in tmp_path/corpus, with all arguments of the tool."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_lines(folder / "train.en", [*SENTENCES, " ", "x " * (LONGEST + 1)])
    write_lines(folder / "train.de", [*map(str.upper, SENTENCES), "blank source", "too long"])
    for split, start in (("val", 5), ("test", 11)):
        write_lines(folder / f"{split}.en", SENTENCES[start::97])
        write_lines(folder / f"{split}.de", map(str.upper, SENTENCES[start::97]))
    return Namespace(
        **{"text": folder, "folder": tmp_path / "out", "source": "en", "target": "de", "validation": "val"},
        **{"test": "test", "pairs": None, "vocabulary": 320, "joeynmt": Path("python"), "eole": None},
        **{"systems": ["eole:tiny", "joeynmt:tiny"], "updates": 100, "tries": 2, "seeds": [1, 2]},
        **{"ours": ["training.updates=7"]},
    )


@pytest.fixture
def text(arguments) -> Text:
    return prepare(arguments, arguments.folder / "text")


@pytest.mark.parametrize("name", SHAPES)
def test_weights_are_those_of_pytorchs_transformer(name):
    shape = SHAPES[name]
    network = torch.nn.Transformer(
        shape.width, shape.heads, shape.layers, shape.layers, shape.feed_forward, batch_first=True, device="meta"
    )
    expected = sum(weights.numel() for weights in network.parameters()) + 1000 * shape.width
    if shape.norm == "post":  # PyTorch's class normalizes after the last layers whatever the order
        expected -= 2 * 2 * shape.width
    assert shape.parameters(1000) == expected


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("wanted", "vocabulary"), [(84_528, 400), (1_000_000, 3000), (2_900_000, 5000), (9e6, 8000)])
def test_shapes_are_scaled_to_the_number_of_weights(name, wanted, vocabulary):
    shape, published = SHAPES[name].scaled(int(wanted), vocabulary), SHAPES[name]
    assert shape.parameters(vocabulary) == pytest.approx(wanted, rel=0.05 if wanted < 1e6 else 0.005)
    assert shape.width % (2 * shape.heads) == 0
    assert (shape.layers, shape.dropout) == (published.layers, published.dropout)
    assert published.noam_factor(8000) == pytest.approx(shape.noam_factor(8000))
    if wanted > 1e6:
        assert shape.feed_forward / shape.width == pytest.approx(published.feed_forward / published.width, rel=0.35)


@pytest.mark.parametrize(("updates", "warmup"), [(8000, 2000), (400, 100), (1, 1)])
def test_the_learning_rate_has_its_maximum_after_the_warmup(updates, warmup):
    shape = SHAPES["tiny"]
    assert shape.warmup_of(updates) == warmup

    def rate(step: int) -> float:  # Vaswani et al. 2017, eq. 3
        return shape.noam_factor(updates) * shape.width**-0.5 * min(step**-0.5, step * warmup**-1.5)

    assert rate(warmup) == pytest.approx(0.005)
    assert max(map(rate, range(1, updates + 1))) == rate(warmup)


def test_every_try_changes_the_settings_and_ours_are_as_many(text):
    for system in (
        peers.Ours(text, ["updates=10"]),
        peers.Transformer(text, joeynmt.JoeyNMT(Path()), SHAPES["masakhane"], [10] * len(TRIES)),
        peers.Transformer(text, eole.Eole(Path()), SHAPES["tiny"], [10] * len(TRIES)),
    ):
        settings = [system.settings(number) for number in range(len(TRIES))]
        assert len({json.dumps(each) for each in settings}) == len(TRIES) == len(peers.TRIES)
    assert settings[0]["norm"] == "pre", "eole has no decoder with the other order"


def test_text_is_the_same_for_all(arguments, text):
    assert len((text.folder / "train.en").read_text().splitlines()) == len(SENTENCES)
    assert pairs_of(text.folder, "test", ("en", "de")) == [Pair(line, line.upper()) for line in SENTENCES[11::97]]
    tokens = (text.folder / "train.pieces.de").read_text().splitlines()
    assert [text.text(line) for line in tokens] == [line.upper() for line in SENTENCES]
    assert text.text(text.tokens(["Ωδή 12 <unk> the sea"])[0]) == "Ωδή 12 <unk> the sea"
    assert text.text("<s> ▁the </s>") == text.text("▁the")
    for name in ("joeynmt", "eole"):
        assert len(text.file("vocabulary", name).read_text().split("\n")) == text.tokenizer.size - 4 + 1
    first = {path.name: path.read_bytes() for path in text.folder.iterdir()}
    prepare(arguments, text.folder)
    assert {path.name: path.read_bytes() for path in text.folder.iterdir()} == first
    arguments.pairs = 10
    with pytest.raises(SystemExit, match="name another FOLDER"):
        prepare(arguments, text.folder)
    arguments.pairs = None
    changed = arguments.text / "test.de"
    changed.write_text(changed.read_text().replace("A", "B", 1))
    with pytest.raises(SystemExit, match="other text"):
        prepare(arguments, text.folder)


@pytest.mark.parametrize("config", [joeynmt.config, eole.config])
@pytest.mark.parametrize("name", SHAPES)
def test_configs_name_files_that_exist_and_have_the_shape(text, tmp_path, config, name):
    shape = SHAPES[name].scaled(100_000, text.tokenizer.size)
    settings = yaml.safe_load(yaml.safe_dump(config(text, shape, tmp_path / "run", 3, 400)))
    leaves = [*leaves_of(settings)]
    assert {400, 3, 20, 100, shape.width, shape.feed_forward, shape.layers, shape.heads, 4096} <= set(leaves)
    paths = [leaf for leaf in leaves if str(leaf).startswith(str(text.folder))]
    assert len(paths) >= 4
    for path in paths:
        endings = ("", ".en", ".de")
        assert any(Path(f"{path}{ending}").is_file() for ending in endings), path


def leaves_of(settings):
    for value in settings.values() if isinstance(settings, dict) else settings:
        if isinstance(value, dict | list):
            yield from leaves_of(value)
        else:
            yield value


def test_checkpoints_are_averaged():
    checkpoints = {"a": {"w": torch.tensor([1.0, 3.0])}, "b": {"w": torch.tensor([3.0, 4.0])}}
    assert average(["a", "b"], checkpoints.__getitem__)["w"].tolist() == [2, 3.5]


def test_a_program_that_fails_is_one_line(tmp_path):
    log = tmp_path / "logs" / "log"
    assert run(["sh", "-c", "cat; echo warning >&2"], log, "text") == "text"
    assert log.read_text() == "warning\ntext"
    with pytest.raises(SystemExit, match=f"code 3: read {log}"):
        run(["sh", "-c", "echo why; exit 3"], log)
    assert log.read_text() == "why\n"


def test_variables_that_suit_our_kernels_do_not_reach_other_programs():
    ours = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    code = (
        "import os, sys; from tests.tools.peers import __main__; from tests.tools.peers.transformer import run; "
        f"from pathlib import Path; print(os.environ['{ours}'], run(['env'], Path(sys.argv[1])))"
    )
    outside = {name: value for name, value in os.environ.items() if name != ours}
    command = [sys.executable, "-c", code, os.devnull]
    own, printed = subprocess.run(command, env=outside, stdout=subprocess.PIPE, text=True, check=True).stdout.split(
        " ", 1
    )
    assert int(own) > 0
    assert "PATH=" in printed
    assert ours not in printed


@pytest.fixture
def fakes(monkeypatch) -> list[str]:
    """Systems that train and translate at once; the returned list gets what they do."""
    done: list[str] = []
    clock = [0.0]

    def train(start, each, parameters):
        def trained(self, settings, folder, seed):
            assert not folder.exists()
            folder.mkdir(parents=True)
            done.append(f"train {folder.parent.name}/{folder.name}")
            (folder / "settings.json").write_text(json.dumps(settings))
            updates = settings.get("updates", 7)
            clock[0] += start + each * updates
            return parameters, updates

        return trained

    def translate(self, folder, sources, beam):
        done.append(f"translate {folder.parent.name}/{folder.name} {len(sources)} {beam}")
        good = json.loads((folder / "settings.json").read_text())
        better = good.get("tokens") == TRIES[1]["tokens"] or good.get("overrides") == ["training.updates=7"]
        return Translated([line.upper() if better else line for line in sources], 10.0 * beam)

    monkeypatch.setattr(peers, "processor_seconds", lambda: clock[0])
    monkeypatch.setattr(peers.Ours, "train", train(32, 4, 150_000))
    monkeypatch.setattr(peers.Transformer, "train", train(10, 2, 150_100))
    for system in (peers.Ours, peers.Transformer):
        monkeypatch.setattr(system, "translate", translate)
    return done


def test_settings_are_chosen_and_nothing_that_is_finished_is_repeated(arguments, text, fakes):
    rows = peers.side_by_side(arguments, text)
    assert [row.name for row in rows] == ["ours", "joeynmt-tiny-equal-time", "joeynmt-tiny"]
    ours, equal_time, published = rows
    assert [row.trainings[0].updates for row in rows] == [7, 25, 100], "60 seconds are 10 and 2 for each update"
    assert [each.settings["overrides"] for each in ours.trainings] == [["training.updates=7"]] * 2
    assert {each.settings["tokens"] for each in equal_time.trainings} == {TRIES[1]["tokens"]}, "the better try"
    assert {each.settings["tokens"] for each in published.trainings} == {4096}
    assert len([line for line in fakes if line.startswith("train")]) == (2 + 1) + 2 * 2 + (2 + 1) + 2
    assert [published.speeds(), equal_time.minutes(), ours.minutes()] == [[10, 50], 1, 1]
    fakes.clear()
    assert peers.side_by_side(arguments, text) == rows
    assert fakes == []
    (arguments.folder / "joeynmt-tiny" / "0.2.json").unlink()
    (arguments.folder / "joeynmt-tiny" / "0.2" / "half").touch()
    assert peers.side_by_side(arguments, text) == rows
    assert fakes == ["train joeynmt-tiny/0.2"]


def test_other_settings_in_the_same_folder_are_refused(arguments, text, fakes):
    peers.side_by_side(arguments, text)
    arguments.ours = ["training.updates=8"]
    with pytest.raises(SystemExit, match="other settings: name another FOLDER"):
        peers.side_by_side(arguments, text)


def test_sentences_are_sorted_for_a_peer_and_returned_in_order(text):
    class Peer:
        def translate(self, folder, lines, beam):
            assert [line.count(" ") for line in lines] == sorted(line.count(" ") for line in lines)
            return lines, 2.0

    system = peers.Transformer(text, Peer(), SHAPES["tiny"], [1])  # type: ignore[arg-type]
    found = system.translate(Path(), ["the green tree gives a river.", "sea.", "the house."], 5)
    assert found == Translated(["the green tree gives a river.", "sea.", "the house."], 1.5)


def test_the_table():
    test = [Pair(line, line.upper()) for line in SENTENCES[:12]]
    right, half = [pair.target for pair in test], [pair.target.lower()[:-4] + "OLD." for pair in test]
    trained = [Trained({"updates": 7}, 1_234_567, 8000, seconds) for seconds in (60, 120)]
    ours = Row("ours", trained, [Translated(half, 30)] * 2, [Translated(right, 20), Translated(half, 10)])
    peer = Row("peer", trained[:1] * 2, [Translated(half, 40)] * 2, [Translated(half, 9), Translated(half, 8)])
    cased, lower = (compared([ours, peer], test, "de", lowercase=lowercase) for lowercase in (False, True))
    found = table([ours, peer], cased, lower, [1.25, 2.0]).split("\n")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[:4]]
    assert {len(row) for row in rows} == {13}
    expected = mean([100, sacrebleu.corpus_bleu(half, [right]).score])
    assert rows[2][:5] == ["ours", "1,234,567", "8,000", "1.5", f"{expected:.1f} ± {rows[2][4].split()[-1]}"]
    assert float(rows[2][4].split()[-1]) == pytest.approx((100 - expected) * math.sqrt(2), abs=0.1)
    lowered = sacrebleu.corpus_bleu(half, [right], lowercase=True).score
    assert rows[3][5] == f"{lowered:.1f} ± 0.0"
    assert rows[2][8:] == ["1.2", "30", "15", "-", "-"]
    assert rows[3][9:11] == ["40", "8"]
    assert "–" in rows[3][11], "the range over seeds"
    assert "- peer is better than ours in training time, greedy speed." in found
    assert any("case:lc" in line for line in found)
    assert "peer: {'updates': 7}" in found


PERPLEXITIES = [math.nan, 4.0, 6.5, 5.0]
"""After 100, 200, 300 and 400 updates: the mean of the best two is that of 200 and 400."""


def test_predicted_time_needs_a_machine_that_is_quiet(text, tmp_path, fakes, monkeypatch):
    system = peers.Transformer(text, joeynmt.JoeyNMT(Path()), SHAPES["tiny"], [1])
    assert peers.updates_within(310, system, 0, tmp_path, 1) == 150
    assert peers.updates_within(1, system, 0, tmp_path, 1) == 1
    monkeypatch.setattr(peers, "processor_seconds", lambda: 1.0)
    with pytest.raises(SystemExit, match="quiet machine"):
        peers.updates_within(310, system, 0, tmp_path / "again", 1)


def test_joeynmt_keeps_the_mean_of_its_best_checkpoints(text, tmp_path, monkeypatch):
    folder = tmp_path / "1.1"

    def fake(command, log, given="", variables=None):
        assert command[:4] == ["python", "-m", "joeynmt", "train"]
        settings = yaml.safe_load(command[4].read_text())
        (Path(settings["model_dir"]) / "tensorboard").mkdir(parents=True)
        (folder / "train.log").write_text("x - Total params: 1234\n")
        lines = [
            f"Steps: {100 * n}\tloss: 3.0\tacc: 0.1\tppl: {p:.5f}\tLR: 0.1\t\n" for n, p in enumerate(PERPLEXITIES, 1)
        ]
        (folder / "validations.txt").write_text("".join(lines))
        for number in range(1, 5):
            torch.save({"model_state": {"w": torch.tensor([float(number)])}}, folder / f"{100 * number}.ckpt")
        (folder / "best.ckpt").symlink_to("200.ckpt")
        return ""

    monkeypatch.setattr(joeynmt, "run", fake)
    shape = replace(SHAPES["tiny"], average=2)
    assert joeynmt.JoeyNMT("python").train(text, shape, folder, 1, 400) == 1234
    assert [path.name for path in folder.glob("*.ckpt")] == ["final.ckpt"]
    assert torch.load(folder / "final.ckpt")["model_state"]["w"].tolist() == [3]


def test_eole_keeps_the_mean_of_its_best_checkpoints(text, tmp_path, monkeypatch):
    folder = tmp_path / "1.1"

    def fake(command, log, given="", variables=None):
        assert command[:3] == [Path("bin/eole"), "train", "-config"]
        model = Path(yaml.safe_load(command[3].read_text())["training"]["model_path"])
        for number in (1, 2, 3, 4, 5):  # the last step is saved without a validation
            (model / f"step_{number * 3}").mkdir(parents=True)
            save_file({"w": torch.tensor([float(number)])}, model / f"step_{number * 3}" / "model.00.safetensors")
        lines = [f"[INFO] Validation perplexity: {perplexity:g}\n" for perplexity in PERPLEXITIES]
        log.write_text("".join(["* number of parameters: 1234\n", *lines]))
        return ""

    monkeypatch.setattr(eole, "run", fake)
    shape = replace(SHAPES["tiny"], average=2)
    assert eole.Eole(Path("bin/python")).train(text, shape, folder, 1, 13) == 1234
    assert [path.name for path in folder.iterdir()] == ["final"]
    assert load_file(folder / "final" / "model.00.safetensors")["w"].tolist() == [3]
