"""Where scores come from."""

import hashlib
import shutil

import pytest
import yaml

from seq2seq.errors import RunError
from seq2seq.run.provenance import comparable, file_hash, hash_if_run, model_hash, text_hash


def test_the_hash_of_lines_is_the_hash_of_their_file(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes("Grüße\n\nzwei\n".encode())
    assert text_hash(["Grüße", "", "zwei"]) == file_hash(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert text_hash(["Grüße", "zwei"]) != text_hash(["zwei", "Grüße"]) != text_hash([])
    assert text_hash(["\ud800"]) != text_hash(["?"])  # no encoding has a lone surrogate


def test_a_missing_file_is_reported_in_one_line(tmp_path):
    with pytest.raises(RunError, match=r"^.*nowhere cannot be read .*$"):
        file_hash(tmp_path / "nowhere")


def test_the_model_hash_depends_on_the_files_of_the_model_only(tiny_run, tmp_path):
    folder = tmp_path / "moved"
    folder.mkdir()
    for name in ("config.yaml", "tokenizer.model", "model.safetensors"):
        shutil.copy(tiny_run / name, folder)
    before = model_hash(tiny_run)
    assert model_hash(folder) == before == hash_if_run(str(folder))
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["training"]["updates"] = 1_000_000
    config["search"]["beam_size"] = 9
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert model_hash(folder) == before, "training and search settings do not define the model"
    config["model"]["decoder"]["feed_context"] = True
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    hashes = {before, model_hash(folder)}
    for name in ("tokenizer.model", "model.safetensors"):
        (folder / name).write_bytes((folder / name).read_bytes() + b"1")
        hashes.add(model_hash(folder))
    assert len(hashes) == 4


def test_a_folder_that_is_not_a_run_has_no_hash(tmp_path):
    assert hash_if_run("the model") is None
    with pytest.raises(RunError, match="not a run folder"):
        model_hash(tmp_path)


def test_signatures_are_compared_without_their_random_samples():
    one = "nrefs:1|bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
    assert comparable(one) == "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
    assert comparable(one) == comparable("nrefs:1|ar:10|seed:7|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0")
    assert comparable(one) != comparable(one.replace("mixed", "lc"))
