"""Malicious run folders: no command follows them to other files, to the environment or to the terminal."""

import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from seq2seq.comparison.systems import ComparisonKey, read_systems
from seq2seq.config.printing import printed_log, safe_terminal
from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.config import DataConfig
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.errors import ConfigError, DataError, RunError, Seq2SeqError
from seq2seq.evaluation.evaluate import evaluate_on_test, write_scores
from seq2seq.inference.shortlist import Shortlist
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig, Network
from seq2seq.model.weights import save_weights
from seq2seq.report.help import overrides
from seq2seq.run.folder import RunFolder, load_run
from seq2seq.run.provenance import model_hash, read_scores
from seq2seq.run.resume import open_run
from seq2seq.system.lock import LOCK, locked
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import EOS, UNK, load_tokenizers, save_tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers
from seq2seq.training import Adam, Cosine
from seq2seq.training.averaging import average_checkpoints
from seq2seq.training.checkpoints import Checkpoints
from seq2seq.training.log import read_metrics
from seq2seq.training.warm_start import load_start_weights

CONFIG = {
    "model": {"embedding_size": 4, "encoder": {"size": 2}, "decoder": {"size": 3}, "attention": "general"},
    "search": {"max_length_ratio": 0.1, "max_length_offset": 2, "beam_size": 2},
    "data": {"target_language": "de"},
}
PAIRS = [Pair("the dog sees a cat", "der Hund sieht eine Katze")] * 4
SECRET = "the user's own\n"


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A tiny untrained model."""
    folder = tmp_path_factory.mktemp("runs") / "original"
    folder.mkdir()
    tokenizers = build_tokenizers(TokenizerConfig(size=281), PairList("pairs", PAIRS))
    save_tokenizers(tokenizers, folder)
    torch.manual_seed(1)
    config = ModelConfig(
        embedding_size=4, encoder=EncoderConfig(size=2), decoder=DecoderConfig(size=3), attention="general"
    )
    size = tokenizers.target.size
    save_weights(Network(config, size, size, joint=True), folder / "model.safetensors")
    pieces = torch.arange(size, dtype=torch.int32)
    Shortlist(pieces[:, None], torch.tensor([EOS, UNK], dtype=torch.int32), size).save(folder / "shortlist.safetensors")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder


@pytest.fixture
def run(original, tmp_path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(original, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def secret(tmp_path) -> Path:
    """A file of the user outside the run folder."""
    path = tmp_path / "secret"
    path.write_text(SECRET)
    return path


@pytest.fixture
def texts(tmp_path) -> list[str]:
    """Overrides that name a test set."""
    for side, lines in zip(("source", "target"), zip(*PAIRS, strict=True), strict=True):
        (tmp_path / side).write_text("".join(f"{line}\n" for line in lines))
    return [f"data.test.{side}={tmp_path / side}" for side in ("source", "target")]


# Links


def test_no_file_is_written_through_a_link(recipe, run, secret, texts):
    names = ["hypotheses.test.greedy.txt", "hypotheses.test.beam.txt", "scores.json"]
    for name in names:
        (run / f"{name}.tmp").symlink_to(secret)
        if name != "scores.json":
            (run / name).symlink_to(secret)
    outcome = recipe("evaluate", f"run={run}", *texts, "bootstrap=10")
    assert outcome.code == 0, outcome.err
    assert secret.read_text() == SECRET
    assert not any((run / name).is_symlink() for name in names)
    assert len((run / names[0]).read_text().splitlines()) == len(PAIRS)


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("quantize", "tokenizer.other.model"),
        ("average", "tokenizer.other.model"),
        ("quantize", "shortlist.safetensors"),
    ],
)
def test_a_model_folder_contains_no_linked_file(recipe, run, secret, tmp_path, program, name):
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(secret)
    (tmp_path / "again").symlink_to(run)
    more = [f"runs=[{tmp_path / 'again'}]"] if program == "average" else []
    outcome = recipe(program, f"run={run}", f"output={tmp_path / 'made'}", *more)
    if name == "shortlist.safetensors":
        assert (outcome.code, outcome.err.count("\n")) == (1, 1)
        assert "shortlist.safetensors is damaged" in outcome.err
        assert not (tmp_path / "made").exists()
        return
    assert outcome.code == 0, outcome.err
    files = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    assert set(files) == {"README.md", "config.yaml", "model.safetensors", "shortlist.safetensors", "tokenizer.model"}
    for name in set(files) - {"README.md", "model.safetensors", "shortlist.safetensors"}:
        assert files[name] == (run / name).read_bytes()
    lists, copied = (load_file(folder / "shortlist.safetensors") for folder in (run, tmp_path / "made"))
    assert lists.keys() == copied.keys()
    assert all(torch.equal(lists[name], copied[name]) for name in lists), "only metadata may be new"


def test_the_hash_of_a_model_covers_only_files_that_are_loaded(run, tmp_path):
    before = model_hash(run)
    os.mkfifo(run / "tokenizer.other.model")  # reading it never ends, since nothing writes to it
    assert model_hash(run) == before


@pytest.mark.parametrize("what", ["link", "link to nowhere", "pipe", "folder", "file"])
def test_a_file_that_is_not_a_lock_file_is_not_opened(tmp_path, secret, what):
    folder = tmp_path / "folder"
    folder.mkdir()
    lock, nowhere = folder / LOCK, tmp_path / "nowhere"
    {
        "link": lambda: lock.symlink_to(secret),
        "link to nowhere": lambda: lock.symlink_to(nowhere),
        "pipe": lambda: os.mkfifo(lock),
        "folder": lock.mkdir,
        "file": lambda: lock.write_text(SECRET),
    }[what]()
    with pytest.raises(RunError, match=r"\.lock is not a lock file: remove it") as error, locked(folder):
        pass
    assert "\n" not in str(error.value)
    assert secret.read_text() == SECRET
    assert os.path.lexists(lock)
    assert not nowhere.exists()
    if what == "file":
        assert lock.read_text() == SECRET


def training() -> TrainConfig:
    return TrainConfig(optimizer=Adam(), schedule=Cosine())


def test_training_does_not_write_into_a_linked_folder(tmp_path):
    open_run(tmp_path / "run", training())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "update-0000001.safetensors").touch()
    (tmp_path / "run" / "checkpoints").symlink_to(tmp_path / "mine")
    with pytest.raises(RunError, match="checkpoints is a link to a folder, where training would write and delete"):
        open_run(tmp_path / "run", training())
    (tmp_path / "again").symlink_to(tmp_path / "run")
    (tmp_path / "run" / "checkpoints").unlink()
    open_run(tmp_path / "again", training())  # the run folder itself may be a link


# Interpolation

FAN_OUT = "\n".join(f"  a{n}: ${{.a{n + 1}}}${{.a{n + 1}}}" for n in range(40)) + "\n  a40: x\n"


@pytest.mark.parametrize(
    "text",
    [
        "model: {embedding_size: 4}\ndata: {target_language: '${oc.env:SECRET}'}\n",
        'data: {target_language: "$\\x7Boc.env:SECRET}"}\n',
        "data: {target_language: de, '${oc.env:SECRET}': de}\n",
        f"data:\n  target_language: ${{.a0}}\n{FAN_OUT}",
    ],
)
def test_interpolations_in_a_saved_config_are_rejected(run, monkeypatch, text):
    monkeypatch.setenv("SECRET", "hunter2")
    (run / "config.yaml").write_text(text)
    for read in (RunFolder.open, load_run, lambda folder: RunFolder.open(folder).section("data", DataConfig)):
        with pytest.raises(RunError, match=r"config\.yaml is damaged \(it has interpolations") as error:
            read(run)
        assert "hunter2" not in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("depth", [25, 200, 400, 5_000])
def test_a_deeply_nested_config_is_one_line(run, depth):
    (run / "config.yaml").write_text("data: " + "{a: " * depth + "1" + "}" * depth)
    with pytest.raises(RunError, match=r"config\.yaml is damaged \((it is nested|maximum recursion)") as error:
        RunFolder.open(run).section("data", DataConfig)
    assert "\n" not in str(error.value)


def test_no_run_is_created_with_a_config_that_cannot_be_read(tmp_path):
    config = training()
    config.data.source_tag = "${tag}"
    with pytest.raises(ConfigError, match=r"a setting has \$\{ in its value"):
        open_run(tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


# Files whose headers exceed their content

GIBIBYTES = 4
HUGE = GIBIBYTES * 2**30


def sparse(path: Path, tensors: dict[str, tuple[str, list[int], int]]) -> None:
    """A safetensors file with a header for tensors (type, shape, bytes) and a sparse body."""
    header, end = {}, 0
    for name, (kind, shape, size) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(path, 8 + len(text) + end)
    assert path.stat().st_blocks * 512 < 100_000


@contextmanager
def limited_memory() -> Iterator[None]:
    """Limit the address space of this process to a quarter of the size of the files."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + HUGE // 4, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


ONE_TENSOR = [
    ("a.more", "F32", "does not belong to config.yaml: the model of config.yaml has no a.more"),
    ("source_embedding.weight", "F32", "does not belong to config.yaml: "),
    ("source_embedding.weight", "I8", "is damaged (source_embedding.weight has no scales)"),
    ("source_embedding.weight", "F8_E4M3", "is damaged (unsupported tensor type F8_E4M3)"),
    ("source_embedding.weight.scales", "F32", "is damaged (source_embedding.weight.scales fits no matrix)"),
]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize(("name", "kind", "words"), ONE_TENSOR)
def test_shapes_are_checked_against_the_config_before_memory_is_allocated(run, name, kind, words):
    size, network = {"F32": 4, "I8": 1, "F8_E4M3": 1}[kind], load_run(run).network
    sparse(run / "model.safetensors", {name: (kind, [HUGE // size], HUGE)})
    for load in (load_run, lambda folder: load_start_weights(folder, network)):
        with limited_memory(), pytest.raises(RunError) as error:
            load(run)
        assert words in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_shapes_of_shortlists_and_checkpoints_are_checked_before_memory_is_allocated(run):
    loaded = load_run(run)
    rows = loaded.tokenizers.source.size
    columns = HUGE // 4 // rows
    shapes = {"translations": ("I32", [rows, columns], rows * columns * 4), "frequent": ("I32", [1], 4)}
    sparse(run / "shortlist.safetensors", shapes)
    with limited_memory(), pytest.raises(RunError, match=f"translations are {columns:,}, more than 1,000"):
        RunFolder.open(run).load_shortlist(loaded.tokenizers)
    checkpoints = Checkpoints(run / "checkpoints", loaded.network)
    checkpoints.folder.mkdir()
    sparse(checkpoints.weights_path(7), {"output.bias": ("F32", [HUGE // 4], HUGE)})
    with limited_memory(), pytest.raises(RunError, match=r"update-0000007\.safetensors does not belong"):
        checkpoints.average([7])
    with limited_memory(), pytest.raises(RunError, match=r"update-0000007\.safetensors does not belong"):
        average_checkpoints(RunFolder.open(run), loaded, [checkpoints.weights_path(7)])
    with zipfile.ZipFile(checkpoints.last, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a", "w") as file:
        for _ in range(512):
            file.write(bytes(2**20))
    with pytest.raises(RunError, match=r"last\.pt is damaged \(it has 536,870,912 bytes, too many for this network\)"):
        checkpoints.load_state()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_sizes_of_tokenizers_and_logs_are_checked_before_memory_is_allocated(run):
    (run / "metrics.jsonl").write_text('{"kind": "train", "update": 5}\n')
    for name in ("tokenizer.model", "metrics.jsonl"):
        os.truncate(run / name, HUGE)
    with limited_memory(), pytest.raises(DataError, match=r"tokenizer\.model cannot be read: it has more than 100,000"):
        load_tokenizers(run)
    with limited_memory(), pytest.raises(RunError, match=r"metrics\.jsonl is damaged \(line 2 is not a record\)"):
        read_metrics(run / "metrics.jsonl")


LINES = ["3", "[" * 9000, '{"kind": "train"}', '{"kind": "train", "update": "5"}', '{"kind": 3, "update": 5}']


@pytest.mark.parametrize("line", [*LINES, '{"kind": "train", "update": 5, "loss": "low"}', "\udcff"])
def test_a_log_with_invalid_records_is_one_line(run, line):
    path = run / "metrics.jsonl"
    path.write_bytes(f'{{"kind": "train", "update": 5}}\n{line}\n'.encode("utf-8", "surrogateescape"))
    with pytest.raises(RunError, match=r"metrics\.jsonl is damaged \(line 2 is not a record\): delete that line"):
        read_metrics(path)


def test_an_absurd_header_is_one_line(run):
    (run / "model.safetensors").write_bytes((99_000_000).to_bytes(8, "little") + b"{")
    os.truncate(run / "model.safetensors", 99_000_008)
    with pytest.raises(RunError, match="its header has more than 10,000,000 bytes"):
        load_run(run)
    sparse(run / "model.safetensors", {"output.bias": ("F32", [2**40, 2**40, 0], 0)})
    with pytest.raises(RunError, match=r"damaged \(its header lists no tensors\)"):
        load_run(run)


SCORES = {
    "a list": "[]",
    "a list as entry": '{"test": []}',
    "a number as entry": '{"other": 3}',
    "nested": '{"other": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "nested less": '{"other": {"a": ' + "[" * 980 + "]" * 980 + "}}",
    "half a character": '{"other": {"a": "\\ud800"}}',
    "digits": '{"other": {"a": ' + "9" * 5_000 + "}}",
    "bytes": b"\xff",
    "a folder": None,
}


@pytest.mark.parametrize("what", SCORES)
def test_damaged_scores_are_one_line(tmp_path, what):
    path = tmp_path / "scores.json"
    if SCORES[what] is None:
        path.mkdir()
    else:
        path.write_bytes(SCORES[what] if isinstance(SCORES[what], bytes) else SCORES[what].encode())
    for write in (lambda: write_scores(path, "test", {}), lambda: read_scores(path)):
        with pytest.raises(RunError, match=r"scores\.json is damaged \(.*\): delete it and evaluate again") as error:
            write()
        assert "\n" not in str(error.value)


def test_damaged_scores_are_an_error_before_the_translation(recipe, run, texts, monkeypatch):
    (run / "scores.json").write_text(SCORES["nested"])
    monkeypatch.setattr("seq2seq.evaluation.evaluate.translate_distributed", None)
    outcome = recipe("evaluate", f"run={run}", *texts)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert "scores.json is damaged (" in outcome.err


RECORD = {
    "references": "r",
    "models": [None],
    "beam": {"hypotheses": "h", "search": {"beam_size": 2}, "bleu": {"score": 1.0, "signature": "s"}},
}
WRONG = [
    ("search", 3),
    ("search", {"beam_size": {}}),
    ("models", []),
    ("models", "abc"),
    ("models", [3]),
    ("references", 3),
    ("references", None),
    ("hypotheses", {}),
    ("bleu", 3),
    ("bleu", {"signature": 3}),
    ("bleu", {}),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_scores_of_the_wrong_types_are_one_line(run, name, value):
    def comparison_error(entry: dict[str, object]) -> str:
        (run / "scores.json").write_text(json.dumps({"test": entry}))
        with pytest.raises(Seq2SeqError) as error:
            read_systems([str(run)], ComparisonKey("r", 1, {"bleu": "s"}, "test", "beam"))
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "hypotheses.test.beam.txt: no such file" in comparison_error(RECORD), "a valid entry leads to the next check"
    changed = RECORD | {name: value} if name in RECORD else RECORD | {"beam": RECORD["beam"] | {name: value}}
    assert "scores.json is damaged (" in comparison_error(changed)


# Worker processes

PROGRAM = """
import os, sys
from pathlib import Path
from seq2seq.system.workers import ordered_map
os.chdir(sys.argv[1])
print(list(ordered_map(abs, [-1, -2, -3], 2, before_start=0)))
"""


def test_a_worker_process_imports_nothing_from_the_current_folder_or_the_environment(tmp_path):
    for folder in ("here", "environment"):
        (tmp_path / folder).mkdir()
        for name in ("pickle", "signal", "sitecustomize"):
            (tmp_path / folder / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("print", f"os.environ['PYTHONPATH'] = {str(tmp_path / 'environment')!r}\nprint"))
    completed = subprocess.run(
        [sys.executable, program, tmp_path / "here"], capture_output=True, text=True, check=False
    )
    assert (completed.stdout, completed.stderr) == ("[1, 2, 3]\n", "")
    assert not (tmp_path / "executed").exists()


# The terminal

CONTROL_SEQUENCES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe"
ESCAPED = r"\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe"


def has_control_characters(text: str) -> bool:
    """Whether a terminal would do more than print the text."""
    return any(not char.isprintable() for char in text.replace("\n", "").replace("\t", ""))


def test_examples_of_a_test_set_are_escaped(run):
    report = evaluate_on_test(
        run, PairList("pairs", [Pair(f"the dog {CONTROL_SEQUENCES}", f"der Hund {CONTROL_SEQUENCES}")] * 2), "cpu"
    )
    assert not has_control_characters(report)
    assert report.count(ESCAPED) >= 4


@pytest.mark.parametrize("name", ["source_tag", "target_language", "cache"])
def test_settings_of_a_run_have_no_control_characters(run, name):
    values = CONFIG | {"data": {name: f"a{CONTROL_SEQUENCES}"}}
    (run / "config.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(RunError, match="must be one line of text in UTF-8") as error:
        RunFolder.open(run).section("data", DataConfig)
    assert not has_control_characters(str(error.value))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("tag", ["\u202egnp.exe", "it's \u200b\\x41", "$(touch x)", "ä\u2028b"])
def test_a_suggested_command_is_printable_and_equivalent(tag):
    (word,) = overrides(DataConfig(source_tag=tag), "data")
    assert not has_control_characters(word)
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    completed = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True, env=environment)
    assert completed.stdout.decode() == f"data.source_tag={tag}"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_text_is_escaped_on_a_terminal_and_unchanged_in_a_file(tmp_path, monkeypatch):
    text = f"a\tb\nc {CONTROL_SEQUENCES} \u0627\u200c\u0628 \U0001f469\u200d\U0001f4bb\n"
    leader, follower = os.openpty()
    with open(follower, "w", encoding="utf-8") as terminal, open(tmp_path / "file", "w", encoding="utf-8") as file:
        for stream in (terminal, file):
            monkeypatch.setattr(sys, "stdout", stream)
            with safe_terminal():
                print(text, end="", flush=True)
        printed = os.read(leader, 1000).decode().replace("\r\n", "\n")
    os.close(leader)
    assert printed == text.replace(CONTROL_SEQUENCES, ESCAPED)
    assert (tmp_path / "file").read_text(encoding="utf-8") == text


def test_a_warning_is_one_printable_line(capsys):
    with printed_log():
        logging.getLogger("seq2seq").warning("the text %s is odd", f"a\n{CONTROL_SEQUENCES}")
    assert capsys.readouterr().err == rf"the text a\n{ESCAPED} is odd" + "\n"
