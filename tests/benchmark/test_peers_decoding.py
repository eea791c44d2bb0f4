"""The speed of translation beside other toolkits: order, batches, conversion, tables. No peer is installed here."""

import io
import json
import re
import shlex
import sys
from argparse import Namespace
from itertools import product
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import sacrebleu
import torch
import yaml
from comparing import write_lines
from model_folders import model_folder, tokenizers_of
from safetensors.torch import load_file, save_file

from seq2seq import Translator
from seq2seq.model.config import ModelConfig
from seq2seq.tokenizer.tokenizer import Tokenizers
from tests.tools.peers import convert, decoding, eole, lstm, speed, speed_table, worker
from tests.tools.peers.speed import BEAM, GREEDY, OWN_BATCHES, SINGLE, SITUATIONS, Answer, Measured, System
from tests.tools.peers.text import Text, prepare

WORDS = ["the", "a", "dog", "cat", "sees", "hears"]
SENTENCES = [
    f"{' '.join(words)} sees the cat {'a dog' * (place % 3)}" for place, words in enumerate(product(WORDS, repeat=3))
]
TOKENIZER = tokenizers_of(281).source


@pytest.fixture
def arguments(tmp_path) -> Namespace:
    """A corpus of made-up pairs, and the arguments of the tool with a run and without peers."""
    for split, count in (("train", 50), ("dev", 4), ("test", 12)):
        write_lines(tmp_path / f"{split}.en", SENTENCES[:count])
        write_lines(tmp_path / f"{split}.de", [line.upper() for line in SENTENCES[:count]])
    words = [str(tmp_path), str(tmp_path / "out"), "--runs", str(tmp_path / "run"), "--precisions", "float32"]
    return decoding.parsed(words)


@pytest.fixture
def text(arguments) -> Text:
    return prepare(arguments, arguments.folder / "text", TOKENIZER)


def test_all_read_the_vocabulary_of_the_run(arguments, text):
    assert (text.folder / "joint.model").read_bytes() == TOKENIZER.to_bytes()
    prepare(arguments, text.folder, TOKENIZER)
    arguments.vocabulary = TOKENIZER.size  # of a folder that tests.tools.peers made
    with pytest.raises(SystemExit, match="another vocabulary"):
        prepare(arguments, text.folder, tokenizers_of(279).source)


def test_a_folder_of_the_other_tool_is_taken_as_it_is(arguments):
    arguments.vocabulary = 281
    made = prepare(arguments, arguments.folder / "text")
    files = {path.name: path.read_bytes() for path in made.folder.iterdir()}
    assert prepare(arguments, made.folder, made.tokenizer).tokenizer is made.tokenizer
    assert {path.name: path.read_bytes() for path in made.folder.iterdir()} == files


class Echo:
    """The process of a system that writes text or tokens back in capital letters."""

    def __init__(self, seconds: float) -> None:
        self.stdin = self
        self.stdout = self
        self.seconds = seconds
        self.requests: list[dict] = []

    def write(self, line: str) -> None:
        self.requests.append(json.loads(line))

    def flush(self) -> None:
        pass

    def readline(self) -> str:
        return json.dumps({"lines": self.requests[-1]["lines"], "seconds": self.seconds})


def system(name: str, group: str = "eole", parameters: int = 1000) -> System:
    return System(name, group, parameters, [])


def test_others_get_tokens_sorted_by_length_and_answers_are_returned_in_order(text):
    for group, encode in (("ours", list), ("opennmt", text.tokens)):
        process = Echo(1.5)
        each = speed.Worker(system("x", group), text, process, Path())  # type: ignore[arg-type]
        sources = ["the dog sees a cat", "a", "the cat"]
        assert each.translate(sources, 5, 32) == Answer(sources, 1.5)
        assert each.translate(sources, 1, 1) == Answer(sources, 1.5)
        by_length, single = process.requests
        assert by_length == {"lines": encode(["a", "the cat", "the dog sees a cat"]), "beam": 5, "batch": 32}
        assert single == {"lines": encode(sources), "beam": 1, "batch": 1}, "one at a time: the order of the file"


def test_a_process_that_ends_is_one_line(text):
    each = speed.Worker(system("eole LSTM"), text, Namespace(stdin=io.StringIO(), stdout=io.StringIO()), Path("x.log"))  # type: ignore[arg-type]
    with pytest.raises(SystemExit, match=r"eole LSTM ended: read x\.log"):
        each.translate(["the dog"], 5, 1)


class Clocked:
    """A system whose calls take the time that a function gives; ``calls`` is shared."""

    def __init__(self, name: str, group: str, text: Text, calls: list[tuple], seconds) -> None:
        self.system = system(name, group)
        self.text = text
        self.calls = calls
        self.seconds = seconds

    def translate(self, sources, beam, batch) -> Answer:
        self.calls.append((self.system.name, len(sources), beam, batch))
        return Answer([line.upper() for line in sources], self.seconds(batch, len(self.calls)))


def test_systems_are_measured_in_turn_with_their_fastest_batch(arguments, text, monkeypatch):
    monkeypatch.setattr(speed, "PAUSE", 0)
    calls: list[tuple] = []
    workers = [
        Clocked("ours", "ours", text, calls, lambda batch, call: float(call)),
        Clocked("A", "eole", text, calls, lambda batch, call: abs(batch - 64) + 1.0),
        Clocked("B", "ctranslate2", text, calls, lambda batch, call: batch + 1.0),
    ]
    test = decoding.pairs_of(text.folder, "test", ("en", "de"))
    table = speed.measure(workers, test, rounds=2, batches=[32, 64, 128], single=3)  # type: ignore[arg-type]
    assert [name for name, *_ in calls[:3]] == ["ours", "A", "B"], "all are loaded before the first is measured"
    for situation, beam in ((BEAM, 5), (GREEDY, 1)):
        of = [call for call in calls[3:] if call[1] == len(test) and call[2] == beam]
        assert [call[0] for call in of] == ["ours", *["A"] * 4, *["B"] * 4, *["ours", "A", "B"] * 2]
        assert [call[3] for call in of[9:]] == [OWN_BATCHES, 64, 32] * 2
        found = table[situation.name]
        assert [found[name].batch for name in ("ours", "A", "B")] == [OWN_BATCHES, 64, 32]
        assert found["A"].seconds == [1.0, 1.0]
        assert found["ours"].seconds[1] - found["ours"].seconds[0] == 3, "of the rounds, not of the first pass"
    assert [call for call in calls if call[1] == 3] == [(name, 3, 5, 1) for name in ("ours", "A", "B")] * 3
    assert table[SINGLE.name]["B"].seconds == [2.0, 2.0]
    best = table[BEAM.name]["ours"]
    assert best.bleu == pytest.approx(100)
    assert best.tokens == sum(len(ids) + 1 for ids in TOKENIZER.encode_all([line.upper() for line in SENTENCES[:12]]))


def measurement(sentences: int, tokens: int, bleu: float, *seconds: float, batch: int = 32) -> Measured:
    return Measured(batch, ["x"] * sentences, tokens, bleu, list(seconds))


def cells(table: str) -> list[list[str]]:
    rows = [line.strip("| ").split(" | ") for line in table.split("\n") if line.startswith("| ")]
    assert len({len(row) for row in rows}) == 1
    return rows


def test_tables_and_goals():
    systems = [system("ours", "ours"), system("A", "opennmt"), system("B", "eole"), system("T", "transformer")]
    systems.append(system("C", "ctranslate2"))
    batched = {
        "ours": measurement(100, 1000, 35.0, 1.0, 2.0, 1.5, batch=OWN_BATCHES),  # 66.7 sentences per second
        "A": measurement(100, 500, 34.0, 7.0, 8.0, 7.5),
        "B": measurement(100, 1250, 34.0, 7.0, 8.0, 7.5),  # as fast as A by sentences, faster than it by tokens
        "T": measurement(100, 1000, 36.0, 3.0, 3.0, 3.0),
        "C": measurement(100, 1000, 35.0, 1.5, 1.5, 1.5),
    }
    greedy = {name: each._replace(bleu=each.bleu - 0.6) for name, each in batched.items()}
    single = {name: measurement(10, 100, 35.0, 0.1, 0.2, 0.1) for name in batched}
    single["C"] = measurement(10, 100, 35.1, 0.3, 0.3, 0.3)
    table = {BEAM.name: batched, GREEDY.name: greedy, SINGLE.name: single}
    rows = cells(speed_table.situation_table(BEAM, systems, table))
    assert rows[1] == ["ours", "1,000", "own", "35.0", "66.7 (50.0–100.0)", "667", "-"]
    assert rows[2] == ["A", "1,000", "32", "34.0", "13.3 (12.5–14.3)", "67", "5.00 (4.00–7.00), by tokens 10.00"]
    rows = cells(speed_table.situation_table(SINGLE, systems, table))
    assert [row[4] for row in rows[1:]] == ["10.0 (10.0–20.0)"] * 4 + ["30.0 (30.0–30.0)"]
    goals = {row[0]: row[1] for row in cells(speed_table.goal_table(systems, table))[1:]}
    assert list(goals.values()) == [
        *("passed: 5.00, by tokens 10.00", "missed: 5.00, by tokens 4.00"),
        *("missed: 1.00, by tokens 1.00", "missed: 1.00, by tokens 1.00"),
        "missed: -0.60",
        *("passed: 1.00 times, BLEU +0.00", "passed: 1.00 times, BLEU +0.00", "missed: 3.00 times, BLEU -0.10"),
    ]
    document = speed_table.document(systems, table, ["a note"], "de")
    assert document.startswith("a note\n\nBLEU: nrefs:1|case:mixed|eff:no|tok:13a")
    assert re.findall("## (.*)", document) == [*(each.name for each in SITUATIONS), "Goals"]
    assert sacrebleu.__version__ in document


def test_a_run_folder_translates_in_its_process(tmp_path):
    run = model_folder(tmp_path / "run")
    translate = worker.ours(str(run), "float32")
    translator = Translator.load(run, device="cpu", precision="float32")
    for batch, beam in ((OWN_BATCHES, 5), (1, 1)):
        expected = [each.text for each in translator.translate(SENTENCES[:4], beam_size=beam)]
        assert translate(SENTENCES[:4], beam, batch) == expected


def test_the_systems_and_what_is_kept(arguments, tmp_path, monkeypatch):
    model_folder(tmp_path / "run")
    for name in ("opennmt", "eole"):
        setattr(arguments, name, Path(f"/peers/{name}/bin/python"))
    done: list[str] = []

    def train(self, settings, folder, seed):
        folder.mkdir(parents=True)
        done.append(f"{folder.parent.name}/{folder.name} {settings['updates']} {settings.get('hidden')}")
        return 1234, settings["updates"]

    def measure(workers, test, rounds, batches, single):
        assert (len(test), rounds, batches, single) == (12, 5, [32, 64, 128], 200)
        one = measurement(12, 40, 1.0, 1.0)
        return {situation.name: {each.system.name: one for each in workers} for situation in SITUATIONS}

    for kind in (lstm.OpenNMTLSTM, lstm.EoleLSTM, decoding.Transformer):
        monkeypatch.setattr(kind, "train", train)
    monkeypatch.setattr(decoding, "run", lambda command, log: done.append(f"convert {command[2].parent.name}"))
    monkeypatch.setattr(decoding, "equal_translations", lambda *_: {1: 12, 5: 11})
    monkeypatch.setattr(decoding, "heading", lambda tool: "a processor")
    monkeypatch.setattr(speed.subprocess, "Popen", lambda *_, **__: SimpleNamespace(kill=int, wait=int))
    monkeypatch.setattr(decoding, "measure", measure)
    found, table = decoding.side_by_side(arguments)
    assert done == ["opennmt-lstm/0.1 1000 6", "eole-lstm/0.1 1000 6", "eole-tiny/0.1 8000 None", "convert 0.1"]
    assert list(table[BEAM.name]) == [
        *("ours float32", "OpenNMT-py LSTM", "eole LSTM", "eole Transformer"),
        *("CTranslate2 Transformer float32", "CTranslate2 Transformer int8"),
    ]
    assert "of 12 translations: 12 with beam 1, 11 with beam 5 equal" in found
    done.clear()
    assert decoding.side_by_side(arguments)[0] == found
    assert done == ["convert 0.1"], "trainings are kept"
    arguments.lstm_updates = 7
    with pytest.raises(SystemExit, match="other settings: name another FOLDER"):
        decoding.side_by_side(arguments)


def test_two_vocabularies_are_refused(arguments, tmp_path, monkeypatch):
    model_folder(tmp_path / "run")
    monkeypatch.setattr(decoding.RunFolder, "tokenizers", lambda _: Tokenizers(TOKENIZER, tokenizers_of(279).source))
    with pytest.raises(SystemExit, match="joint"):
        decoding.side_by_side(arguments)


def test_a_missing_peer_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        decoding.parsed(["text", "out", "--runs", "run", "--eole", str(tmp_path / "python")])
    assert "install the peer" in capsys.readouterr().err


def test_the_command_of_the_guide_is_understood(monkeypatch):
    guide = (Path(__file__).parents[2] / "recipes" / "README.md").read_text("utf-8")
    command = re.search(r"python -m tests\.tools\.peers\.decoding ((?:.*\\\n)*.*)", guide)
    assert command is not None
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    arguments = decoding.parsed(shlex.split(command[1]))
    assert arguments.eole is not None
    assert arguments.opennmt is not None


def test_lstms_have_our_sizes(text, tmp_path):
    model = ModelConfig()
    model.embedding_size, model.decoder.size, model.decoder.layers = 192, 367, 2
    sizes = lstm.Sizes.of(model)
    assert sizes == lstm.Sizes(192, 368, 2), "halves of the encoder are equal"
    for config in (lstm.opennmt_config, lstm.eole_config):
        settings = yaml.safe_load(yaml.safe_dump(config(text, sizes, tmp_path / "run", 3, 400)))
        printed = json.dumps(settings)
        for value in (192, 368, 400, 40, "brnn", "general", 0.001):
            assert f": {json.dumps(value)}" in printed
        for path in re.findall(rf'"({re.escape(str(text.folder))}[^"]*)"', printed):
            assert Path(path).is_file()


def test_the_lstm_with_the_lowest_perplexity_is_kept(text, tmp_path, monkeypatch):
    opennmt, other = tmp_path / "opennmt-lstm" / "0.1", tmp_path / "eole-lstm" / "0.1"

    def fake(command, log, given="", variables=None):
        settings = yaml.safe_load(command[-1].read_text())
        for number in (8, 9, 10, 11):  # as text, 10 is before 8
            if "save_model" in settings:
                assert variables["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"
                Path(f"{settings['save_model']}_step_{number}.pt").write_text(f"{number}")
            else:
                folder = Path(settings["training"]["model_path"]) / f"step_{number}"
                folder.mkdir(parents=True)
                save_file({"w": torch.tensor([float(number)])}, folder / "model.00.safetensors")
        lines = [f"Validation perplexity: {perplexity}\n" for perplexity in (9.0, 4.0, 4.5, 5.0)]
        log.write_text("".join(["* number of parameters: 1234\n", *lines]))
        return ""

    for module in (lstm, eole):
        monkeypatch.setattr(module, "run", fake)
    sizes = lstm.Sizes(8, 16, 1)
    assert lstm.OpenNMTLSTM(text, Path("bin/python"), sizes, 11).train({}, opennmt, 1) == (1234, 11)
    assert [path.name for path in opennmt.iterdir()] == ["final.pt"]
    assert (opennmt / "final.pt").read_text() == "9"
    assert lstm.EoleLSTM(text, Path("bin/python"), sizes, 11).train({}, other, 1) == (1234, 11)
    assert load_file(other / "final" / "model.00.safetensors")["w"].tolist() == [9]


def specification(layers: int, heads: int) -> SimpleNamespace:
    """A stand-in for CTranslate2's: the attributes that its ``TransformerSpec`` has before it is filled."""
    empty = SimpleNamespace

    def norm() -> SimpleNamespace:
        return empty(gamma=None, beta=None)

    def attention(count: int) -> SimpleNamespace:
        return empty(linear=[empty(weight=None, bias=None) for _ in range(count)], layer_norm=norm())

    def side(decoder: bool) -> SimpleNamespace:
        stack = [
            empty(
                self_attention=attention(2),
                ffn=empty(layer_norm=norm(), linear_0=empty(weight=None), linear_1=empty(weight=None)),
                **({"attention": attention(3)} if decoder else {}),
            )
            for _ in range(layers)
        ]
        return empty(layer_norm=norm(), layer=stack, position_encodings=empty(), embeddings=empty(), projection=empty())

    encoder = side(decoder=False)
    encoder.embeddings = [empty()]
    spec = empty(encoder=encoder, decoder=side(decoder=True), config=empty(), heads=heads, vocabularies=[])
    spec.register_source_vocabulary = spec.register_target_vocabulary = spec.vocabularies.append
    spec.validate = spec.optimize = lambda: None
    spec.save = lambda folder: (Path(folder) / "model.bin").touch()
    return spec


@pytest.fixture
def eole_folder(tmp_path) -> Path:
    """A Transformer as eole saves it: every weight has a number of its own, as all of its elements."""
    width, inner, layers = 4, 6, 2
    linear = {f"linear_{name}": (width, width) for name in ("query", "keys", "values")}
    linear["final_linear"] = (width, width)
    shapes: dict[str, tuple[int, ...]] = {"src_emb.embeddings.weight": (9, width)}
    for side in ("encoder", "decoder"):
        norms = ["input_layernorm", "post_attention_layernorm"] + ["precontext_layernorm"] * (side == "decoder")
        for place in range(layers):
            name = f"{side}.transformer_layers.{place}"
            for attention in ["self_attn"] + ["context_attn"] * (side == "decoder"):
                shapes |= {f"{name}.{attention}.{part}.weight": shape for part, shape in linear.items()}
            shapes |= {
                f"{name}.mlp.gate_up_proj.weight": (inner, width),
                f"{name}.mlp.down_proj.weight": (width, inner),
            }
            shapes |= {f"{name}.{norm}.weight": (width,) for norm in norms}
        shapes[f"{side}.layer_norm.weight"] = (width,)
    biases = {name.replace("weight", "bias"): shape[:1] for name, shape in shapes.items() if "emb" not in name}
    shapes |= biases | {"src_emb.pe.pe": (20, 1, width), "tgt_emb.pe.pe": (20, 1, width)}
    weights = {name: torch.full(shape, float(number)) for number, (name, shape) in enumerate(shapes.items())}
    weights["decoder.transformer_layers.0.layer_scalar"] = torch.ones(1)  # of other models
    save_file(weights, tmp_path / "model.00.safetensors")
    model = {"layers": layers, "heads": 2, "decoder": {}}
    (tmp_path / "config.json").write_text(json.dumps({"model": model}))
    vocabulary = [f"t{number}" for number in range(9)]
    (tmp_path / "vocab.json").write_text(
        json.dumps({"src": vocabulary, "tgt": vocabulary, "decoder_start_token": "<s>"})
    )
    return tmp_path


def numbers_in(value: object) -> set[float]:
    """Every number in the tensors of a specification."""
    if isinstance(value, torch.Tensor):
        return {*value.flatten().tolist()}
    parts = value if isinstance(value, list) else vars(value).values() if isinstance(value, SimpleNamespace) else []
    return set().union(*map(numbers_in, parts))


def test_every_weight_of_eole_has_its_place_in_ctranslate2(eole_folder, tmp_path, monkeypatch):
    specs: list[SimpleNamespace] = []

    def from_config(layers, heads):
        specs.append(specification(layers, heads))
        return specs[0]

    module = ModuleType("transformer_spec")
    module.TransformerSpec = SimpleNamespace(from_config=from_config)  # type: ignore[attr-defined]
    for name in ("ctranslate2", "ctranslate2.specs"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "ctranslate2.specs.transformer_spec", module)
    convert.convert(eole_folder, tmp_path / "converted")
    assert (tmp_path / "converted" / "model.bin").exists()
    (spec,) = specs
    weights = load_file(eole_folder / "model.00.safetensors")
    expected = {each.flatten()[0].item() for name, each in weights.items() if "scalar" not in name}
    assert numbers_in(spec.encoder) | numbers_in(spec.decoder) == expected
    for side, layers in (("encoder", spec.encoder), ("decoder", spec.decoder)):
        name = f"{side}.transformer_layers.1"
        own, ffn = layers.layer[1].self_attention, layers.layer[1].ffn
        parts = [weights[f"{name}.self_attn.linear_{part}.weight"] for part in ("query", "keys", "values")]
        assert torch.equal(own.linear[0].weight, torch.cat(parts))
        assert torch.equal(own.linear[1].bias, weights[f"{name}.self_attn.final_linear.bias"])
        assert torch.equal(own.layer_norm.gamma, weights[f"{name}.input_layernorm.weight"])
        assert torch.equal(ffn.layer_norm.beta, weights[f"{name}.post_attention_layernorm.bias"])
        assert torch.equal(ffn.linear_0.weight, weights[f"{name}.mlp.gate_up_proj.weight"])
        assert layers.position_encodings.encodings.shape == (20, 4)
    cross, name = spec.decoder.layer[0].attention, "decoder.transformer_layers.0.context_attn"
    assert torch.equal(cross.linear[0].weight, weights[f"{name}.linear_query.weight"])
    parts = [weights[f"{name}.linear_{part}.bias"] for part in ("keys", "values")]
    assert torch.equal(cross.linear[1].bias, torch.cat(parts))
    assert spec.decoder.projection.weight is spec.encoder.embeddings[0].weight
    assert spec.config.decoder_start_token == "<s>"
    assert [len(each) for each in spec.vocabularies] == [9, 9]
