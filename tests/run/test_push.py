"""Models are sent to a hub and opened from it; the hub is a server of the test, and there is no network."""

import hashlib
import os
import sys
from pathlib import Path

import pytest
import yaml
from hub_server import TOKEN, commit_hash, hub_server
from model_folders import model_folder

from seq2seq import Run, Translator
from seq2seq.comparison.systems import outputs_of
from seq2seq.config.preflight import check_command
from seq2seq.corpora.config import DataConfig
from seq2seq.corpora.corpus import PairList
from seq2seq.errors import ConfigError, RunError, Seq2SeqError
from seq2seq.run.card import is_generated, write_card
from seq2seq.run.folder import CARD, RunFolder
from seq2seq.run.push import files_to_send, public_settings, push_to_hub
from seq2seq.run.vocabulary import prepare_tokenizers
from seq2seq.serving.config import ServeConfig
from seq2seq.serving.runs import load_translators
from seq2seq.system.atomic import make_folder
from seq2seq.system.hub import HubModel, local_folder, results_folder
from seq2seq.tokenizer.config import TokenizerConfig

SECRET = "Geheimer Satz."

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # large files, in huggingface_hub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with hub_server(monkeypatch, str(tmp_path / "cache")) as hub:
        yield hub


@pytest.fixture
def owner(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)


@pytest.fixture
def run(tmp_path) -> Path:
    """A run folder as training leaves it, on text in a private folder."""
    private = tmp_path / "private"
    private.mkdir()
    (private / "train.de").write_text(SECRET, "utf-8")
    data = DataConfig()
    data.train.target = str(private / "train.de")
    folder = model_folder(tmp_path / "mine", data=data)
    for name in ("run.log", "metrics.jsonl", "scores.json", "hypotheses.test.beam.txt", "checkpoints/last.pt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{{}} {SECRET}" if name != "scores.json" else "{}", "utf-8")
    write_card(folder)
    return folder


def test_only_the_files_of_the_model_are_sent(hub, owner, run, tmp_path, caplog):
    caplog.set_level("INFO", "seq2seq")
    address = push_to_hub(run, "owner/model")
    assert address.startswith(f"{hub.address}/owner/model/commit/")
    files = hub.newest("owner/model")
    assert sorted(files) == ["README.md", "config.yaml", "model.safetensors", "tokenizer.model"]
    assert all(name in caplog.text for name in files), "what is sent is listed"
    assert "names no licence" in caplog.text
    for name in ("model.safetensors", "tokenizer.model"):
        assert files[name] == (run / name).read_bytes()
    for content in files.values():
        assert str(tmp_path).encode() not in content, "folders may be private"
        assert SECRET.encode() not in content
    assert b'Translator.load("hf://owner/model")' in files["README.md"]


def test_a_model_of_the_hub_translates_like_the_folder_that_was_sent(hub, owner, run, monkeypatch):
    push_to_hub(run, "owner/model")
    monkeypatch.delenv("HF_TOKEN")
    expected = Translator.load(run).translate("the dog")
    for name in ("hf://owner/model", Path("hf://owner/model")):
        actual = Translator.load(name).translate("the dog")
        assert (actual.tokens, actual.score) == (expected.tokens, expected.score)
    assert Run.open("hf://owner/model").metadata == Run.open(run).metadata


def test_only_the_files_of_a_model_are_fetched(hub, owner, run):
    push_to_hub(run, "owner/model")
    hub.commits["owner/model"][-1] |= {"evil.py": b"1 / 0", "optimizer.pt": b"0" * 100, "more/config.yaml": b"a: 1"}
    folder = local_folder("hf://owner/model")
    assert sorted({*hub.fetched}) == ["README.md", "config.yaml", "model.safetensors", "tokenizer.model"]
    assert sorted(os.listdir(folder)) == sorted({*hub.fetched})


@pytest.mark.slow
def test_the_cache_is_used_without_a_network(monkeypatch, tmp_path, run):
    with hub_server(monkeypatch, str(tmp_path / "cache")) as hub:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        push_to_hub(run, "owner/model")
        push_to_hub(run, "owner/other")
        fetched = local_folder("hf://owner/model")
    assert local_folder("hf://owner/model") == fetched
    with pytest.raises(RunError, match=r"hf://owner/other is not in the cache, and the hub cannot be reached: check"):
        local_folder("hf://owner/other")
    with pytest.raises(RunError, match=r"owner/model failed .*check the connection"):
        push_to_hub(run, "owner/model")
    assert len(hub.commits["owner/model"]) == 1


def test_weights_are_sent_as_large_files_once(hub, owner, run):
    """The hub takes weights, and all files above 10 MB, outside of the commit (LFS)."""
    push_to_hub(run, "owner/model")
    (run / CARD).write_text("New.", "utf-8")
    push_to_hub(run, "owner/model")
    sent = [(run / name).read_bytes() for name in ("model.safetensors", "tokenizer.model")]
    assert hub.objects == {hashlib.sha256(content).hexdigest(): content for content in sent}
    assert hub.newest("owner/model")["model.safetensors"] == sent[0]


def test_offline_the_cache_is_used_and_what_is_missing_is_one_line(hub, owner, run, monkeypatch):
    push_to_hub(run, "owner/model")
    fetched = local_folder("hf://owner/model")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # read from the environment at import
    hub.commits["owner/model"].append({})
    assert local_folder("hf://owner/model") == fetched
    with pytest.raises(RunError, match=r"^hf://owner/other is not in the cache, and the hub cannot be reached: check"):
        local_folder("hf://owner/other")
    with pytest.raises(RunError, match=r"^owner/model failed \(.*offline.*\): check the connection"):
        push_to_hub(run, "owner/model")


def test_a_run_folder_may_be_on_the_hub_wherever_one_is_named(hub, owner, run, tmp_path, monkeypatch):
    """Also where a file, a pattern or a folder of runs may be named."""
    push_to_hub(run, "owner/model")
    monkeypatch.chdir(tmp_path)
    name = "hf://owner/model"
    [folder] = outputs_of(name)
    assert RunFolder.open(folder).settings["model"] == RunFolder.open(run).settings["model"]
    config = TokenizerConfig(source_model=name)
    corpus = PairList("none", [])
    make_folder(tmp_path / "new")
    tokenizers = prepare_tokenizers(tmp_path / "new", config, corpus)
    assert tokenizers.source.to_bytes() == (run / "tokenizer.model").read_bytes()
    check_command("train", [f"tokenizer.source_model={name}", f"training.start={name}", "run=new/run"])
    check_command("compare", [f"systems=[{name},{run}]"])
    with pytest.raises(ConfigError, match="write hf://USER/NAME"):
        check_command("compare", [f"systems=[hf://model,{run}]"])


@pytest.mark.slow
def test_a_revision_is_a_commit(hub, owner, run):
    first = push_to_hub(run, "owner/model").rpartition("/")[2]
    (run / CARD).write_text("New.", "utf-8")
    push_to_hub(run, "owner/model")
    assert (local_folder("hf://owner/model") / CARD).read_text() == "New.", "a card of the user is sent as it is"
    assert is_generated((local_folder(f"hf://owner/model@{first}") / CARD).read_text("utf-8"))
    with pytest.raises(RunError, match="hf://owner/model@v9 has no such revision: name a branch"):
        local_folder("hf://owner/model@v9")


def test_a_private_repository_is_open_to_its_owner_only(hub, owner, run, monkeypatch):
    push_to_hub(run, "owner/model", private=True)
    assert hub.private == {"owner/model"}
    assert RunFolder.open("hf://owner/model").is_language_model is False
    monkeypatch.delenv("HF_TOKEN")
    for name in ("owner/model", "owner/missing"):
        with pytest.raises(RunError, match=f"hf://{name}@[0-9a-f]+ is not on the hub, or is private: check the name"):
            local_folder(f"hf://{name}@{commit_hash(name, 7)}")  # not in the cache


def test_what_must_be_private_is_not_sent_to_a_public_repository(hub, owner, run):
    push_to_hub(run, "owner/model")
    with pytest.raises(RunError, match="owner/model exists and is public, so nothing was sent: make it private"):
        push_to_hub(run, "owner/model", private=True)
    assert len(hub.commits["owner/model"]) == 1


def test_who_may_not_write_gets_one_line(hub, run, monkeypatch):
    with pytest.raises(RunError, match="owner/model cannot be written: nobody is logged in; run hf auth login, or"):
        push_to_hub(run, "owner/model")
    monkeypatch.setenv("HF_TOKEN", "hf_of_another")
    with pytest.raises(RunError, match=r"owner/model is not open to this account \(status 401\): run hf auth login"):
        push_to_hub(run, "owner/model")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(RunError, match=r"other/model is not open to this account \(status 403\)"):
        push_to_hub(run, "other/model")
    assert not hub.commits


def test_a_model_of_another_program_is_not_downloaded(hub):
    hub.commits["owner/bert"] = [{"model.safetensors": b"0" * 1000, "tokenizer.model": b"0"}]
    with pytest.raises(RunError, match="hf://owner/bert is not a model of seq2seq"):
        local_folder("hf://owner/bert")
    hub.commits["owner/gated"], hub.gated = hub.commits["owner/bert"], {"owner/gated"}
    with pytest.raises(RunError, match="hf://owner/gated has conditions: accept them on its page"):
        local_folder("hf://owner/gated")
    assert hub.fetched == []


@pytest.mark.parametrize(
    "name",
    [
        *("hf://model", "hf://a/b/c", "hf://a/b@", "hf://", "hf://a/b c", "hf://ä/b", "hf://a/b\n"),
        *("hf://../b", "hf://a/..", "hf://../..", "hf://.a/b", "hf://a/b@../../c", "hf://a/b@/c", "hf://a/b@c/../d"),
    ],
)
def test_a_name_of_another_form_is_one_line(name):
    """Names become paths in the cache, and below runs/hub."""
    with pytest.raises(ConfigError, match="write hf://USER/NAME"):
        local_folder(name)


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"hf://a/b needs the package huggingface_hub: python -m pip .*\[hub\]"):
        local_folder("hf://a/b")


@pytest.mark.slow
def test_linked_files_are_not_sent(hub, owner, run, tmp_path):
    secret = tmp_path / "private" / "train.de"
    for name in (CARD, "tokenizer.other.model"):
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(secret)
    push_to_hub(run, "owner/model")
    assert not any(SECRET.encode() in content for content in hub.newest("owner/model").values())
    (run / "shortlist.safetensors").symlink_to(secret)
    with pytest.raises(Seq2SeqError, match=r"shortlist\.safetensors is damaged"):
        push_to_hub(run, "owner/model")


def test_an_exported_folder_is_sent_without_what_was_added_to_it(hub, owner, tmp_path):
    folder = tmp_path / "exported"
    sent = {
        "README.md": "# A",
        "config.json": "{}",
        "model.safetensors": "0",
        "index.html": "<html>",
        "seq2seq_portable/text.py": "1",
    }
    added = ("notes.txt", "in.txt", "seq2seq_portable/x/y.py", "seq2seq_portable/notes.txt")
    for name, text in (sent | dict.fromkeys(added, SECRET)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    (folder / "step.onnx").symlink_to(folder / "notes.txt")
    push_to_hub(folder, "owner/exported")
    assert hub.newest("owner/exported") == {name: text.encode() for name, text in sent.items()}
    (folder / "seq2seq_portable").rename(tmp_path / "elsewhere")
    (folder / "seq2seq_portable").symlink_to(tmp_path / "elsewhere")
    assert "seq2seq_portable/text.py" not in files_to_send(folder, "owner/exported")
    (folder / "model.safetensors").unlink()
    with pytest.raises(RunError, match="is missing, or is a link: export the model again"):
        push_to_hub(folder, "owner/exported")


def test_settings_lose_their_paths_and_nothing_else(run):
    text = (run / "config.yaml").read_text("utf-8")
    before, after = yaml.safe_load(text), yaml.safe_load(public_settings(text))
    assert before.pop("files")
    assert after["data"]["train"]["target"] == "train.de"
    before["data"]["train"]["target"], before["run"] = "train.de", "mine"
    assert after == before
    assert public_settings("a: [~/b, /c/d, 'C:\\e\\f', g/h, 1]\nfiles: {}") == "a:\n- b\n- d\n- f\n- g/h\n- 1\n"


@pytest.mark.slow
def test_results_are_not_written_into_the_cache(hub, owner, run, monkeypatch, tmp_path):
    push_to_hub(run, "owner/model")
    monkeypatch.chdir(tmp_path)
    folder = local_folder("hf://owner/model")
    assert results_folder(folder) == results_folder("hf://owner/model") == Path("runs/hub/owner/model")
    assert results_folder("runs/demo/") == Path("runs/demo")
    strange = Path("models--..--../snapshots/x")
    assert results_folder(tmp_path / strange) == tmp_path / strange
    before = sorted(os.listdir(folder))
    Run.open("hf://owner/model").evaluate([("the dog", "der Hund")])
    assert sorted(os.listdir(folder)) == before
    assert (tmp_path / "runs/hub/owner/model/scores.json").is_file()


def test_names_of_models():
    assert HubModel.parse("hf://a/b@refs/pr/1") == ("a/b", "refs/pr/1")
    assert HubModel.parse(Path("hf://a/b@refs/pr/1")) == HubModel.parse("hf:\\a\\b@refs\\pr\\1")
    assert str(HubModel.parse("hf://a/b")) == "hf://a/b"


def test_recipes_open_and_send_models_of_the_hub(hub, owner, run, recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listed = recipe("push", f"run={run}", "repository=owner/model", "dry_run=true")
    assert (listed.code, hub.commits) == (0, {}), listed.err
    assert "model.safetensors" in listed.out + listed.err
    sent = recipe("push", f"run={run}", "repository=owner/model")
    assert sent.code == 0, sent.err
    assert "run=hf://owner/model" in sent.out
    outcome = recipe("quantize", "run=hf://owner/model@main")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "runs/hub/owner/model-int8/model.safetensors").is_file()
    for command, message in {
        ("push", f"run={run}"): "set repository=USER/NAME",
        ("push", f"run={run}", "repository=model"): "write repository=USER/NAME",
        ("translate", "run=hf://owner/none", "input=in.txt"): "hf://owner/none is not on the hub",
        ("train", "run=hf://owner/model"): "add training.start=hf://owner/model",
    }.items():
        outcome = recipe(*command)
        assert outcome.code == 1
        assert message in outcome.err
        assert outcome.err.count("\n") == 1


@pytest.mark.slow
def test_every_recipe_opens_models_of_the_hub(hub, owner, run, recipe, tmp_path, monkeypatch):
    """Results go to runs/hub/USER/NAME and beside it."""
    monkeypatch.chdir(tmp_path)
    push_to_hub(run, "owner/model")
    push_to_hub(run, "owner/other")
    for name in ("in.txt", "out.txt"):
        Path(name).write_text("the dog\nder Hund\n", "utf-8")
    text = ["data.test.source=in.txt", "data.test.target=out.txt"]
    named = "run=hf://owner/model"
    for command in [
        ("translate", named, "ensemble=[hf://owner/other]", "input=in.txt", "output=translated.txt"),
        ("document", named, "input=in.txt", "output=document.txt"),
        ("score", named, "source=in.txt", "target=out.txt", "output=scores.txt"),
        ("suggest", named, "source=the dog", "prefix=der"),
        ("backtranslate", named, "input=in.txt"),
        ("distill", named, *text, "split=test"),
        ("evaluate", named, *text),
        ("evaluate", "run=hf://owner/other", *text),
        ("compare", "systems=[hf://owner/model,hf://owner/other]", *text, "training_lines=0", "output=[]"),
        ("average", named, "runs=[hf://owner/other]"),
        ("quantize", named),
        ("export", named),
        ("evaluate", "run=runs/hub/owner/model-portable", *text),
        ("compare", "systems=[hf://owner/model,runs/hub/owner/model-portable]", *text, "training_lines=0", "output=[]"),
        ("microscope", named, "text=the dog"),
        ("laboratory", named, "figures=[lengths]", *text),
    ]:
        outcome = recipe(*command)
        untrained = "none of 2 sentences has a translation that ends" in outcome.err
        assert outcome.code == 0 or untrained, (command, outcome.err)
    assert sorted(path.name for path in Path("runs/hub/owner").iterdir()) == [
        *("model", "model-average", "model-int8", "model-laboratory", "model-microscope", "model-portable", "other"),
    ]
    assert [*load_translators(ServeConfig(run="hf://owner/model", runs=["hf://owner/other"]))] == ["model", "other"]
