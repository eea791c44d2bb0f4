"""The text of a model card: Markdown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.corpora.languages import language_tag
from seq2seq.corpora.mixture import add_tag
from seq2seq.errors import DISTRIBUTION, shown
from seq2seq.model import ModelConfig
from seq2seq.model.weights import read_size
from seq2seq.run.card_facts import METRICS, TO_FILL_IN, Result, languages, without_folders
from seq2seq.run.folder import CARD, CONFIG, MODEL, RunFolder

LIMITS = """\
It is made for sentences like those it was trained on, one at a time. On other subjects, styles and dialects it is worse
than the scores say. Like all such models it can leave out, repeat or invent content, also in fluent sentences, and it
repeats the errors and biases of its training text. Have a person who knows both languages check what matters:
do not use it alone for medical, legal or safety purposes, or for decisions about people.
"""

LANGUAGE_MODEL_LIMITS = """\
It is made to score text like that it was trained on, and to suggest next words. Its suggestions are probable text, not
facts, and repeat the errors and biases of the training text.
"""

SYNTHETIC = """\
The built-in corpus is synthetic, with a small vocabulary and a few sentence patterns: this model translates nothing
else, and its scores must not be compared with scores on real text.
"""


def card_text(
    run: RunFolder,
    folder: Path,
    name: str,
    facts: Mapping[str, Any],
    found: Sequence[Result],
    licence: str,
    repository: str | None,
) -> str:
    """All sections, under the name of the model.

    Args:
        run, folder, name, repository: as of `seq2seq.run.card.model_card`.
        facts: of `recorded_facts`.
        found: the scores.
        licence: the lines of the front matter.
    """
    sections = {
        "Use": _use(run, folder, repository),
        "Data": _data(run, facts),
        "Model": _model(run, folder, facts),
        "Training": _training(run, folder),
        "Evaluation": _evaluation(found),
        "Intended use and limits": _limits(run),
        "Licence": _licence(run, licence),
    }
    body = "\n".join(f"## {title}\n\n{text.strip()}\n" for title, text in sections.items())
    return f"# {_plain(name)}\n\n{_summary(run, facts.get('version'))}\n\n{body}\n"


def _summary(run: RunFolder, version: str | None) -> str:
    names = [_language_name(code) for code in languages(run)]
    model = run.section("model", ModelConfig)
    cells = " and ".join(dict.fromkeys(str(part.cell) for part in (model.encoder, model.decoder) if part.layers))
    made = f"made with seq2seq{f' {_plain(version)}' if version else ''}."
    if run.is_language_model:
        return f"A recurrent language model ({cells}) of {names[0]}, {made}"
    return f"A recurrent translation model ({cells}) from {names[0]} to {names[1]}, one sentence at a time, {made}"


def _language_name(code: str) -> str:
    """The English name of a language with its code."""
    import langcodes  # takes 30 ms to import

    if not language_tag(code):
        return _plain(code) or "a language that the settings do not name"
    return f"{langcodes.Language.get(code).display_name()} ({_plain(code)})"


def _use(run: RunFolder, folder: Path, repository: str | None) -> str:
    """Three lines of Python, and a command."""
    place = f"hf://{repository}" if repository else "FOLDER"
    where = "" if repository else "`FOLDER` is the folder of this file."
    text = add_tag("Some text.", run.flat_settings.get("data.source_tag"))
    if (folder / "config.json").is_file():
        return _use_of_export(text)
    if run.is_language_model:
        return f"""{where}

```python
import seq2seq
model = seq2seq.LanguageModel.load("{place}")
print(model.suggest("Some"))
```

    seq2seq-suggest run={place} prefix="Some"
"""
    return f"""{where}

```python
import seq2seq
translator = seq2seq.Translator.load("{place}")
print(translator.translate({text!r}))
```

    seq2seq-translate run={place} input=in.txt output=out.txt

`seq2seq` is installed as `{DISTRIBUTION}`. In a clone, `seq2seq-translate` is `python recipes/translate.py`.
"""


def _use_of_export(text: str) -> str:
    return f"""Open `index.html` in a browser: it translates without a network. Without PyTorch, in this folder:

    python -m pip install -r requirements.txt
    python translate.py < in.txt > out.txt

Where `seq2seq` is installed, `FOLDER` is the folder of this file:

```python
from seq2seq.portable import Translator
translator = Translator.load("FOLDER")
print(translator.translate({text!r}))
```
"""


def _data(run: RunFolder, facts: Mapping[str, Any]) -> str:
    """Names and sizes of the text of each split."""
    unit = "sentences" if run.is_language_model else "sentence pairs"
    counts = {"train": facts.get("pairs"), "validation": facts.get("validation_pairs"), "test": None}
    rows = [
        [split, ", ".join(parts), "" if counts[split] is None else f"{counts[split]:,}"]
        for split in counts
        if (parts := [*_corpora(run, split)])
    ]
    return _table(["set", "text", f"{unit} used"], rows) or "The settings name no text."


def _corpora(run: RunFolder, split: str) -> Iterator[str]:
    """The corpora of a split: names without folders, and sizes of files as config.yaml records them."""
    settings, builtin = run.flat_settings, "data.builtin"
    names = [f"data.{split}.{side}" for side in ("source", "target", "file")]
    hub_split = settings.get(f"data.{split}.hub_split")
    if run.is_language_model:
        names = names[1:]
    if any(settings.get(name) for name in names):
        yield " and ".join(_file(run, name) for name in names if settings.get(name))
    elif settings.get("data.hub.name"):
        if hub_split:
            subset = settings.get("data.hub.subset")
            hub = without_folders(settings["data.hub.name"])
            yield _plain(f"data set {hub}{f', {subset}' if subset else ''} ({hub_split})")
    elif isinstance(size := settings.get(f"{builtin}.{split}_size"), int):
        yield f"built-in synthetic English–German corpus, {size:,} pairs"
    more = settings.get("data.more")
    for number, part in enumerate(more if split == "train" and isinstance(more, list) else ()):
        places = [f"data.more[{number}].{side}" for side in ("source", "target", "file")]
        files = [_file(run, place, part.get(place.rpartition(".")[2])) for place in places if isinstance(part, dict)]
        weight = part.get("weight", 1) if isinstance(part, dict) else 1
        yield " and ".join(filter(None, files)) + ("" if weight == 1 else f" (weight {_plain(weight)})")


def _file(run: RunFolder, name: str, value: Any = None) -> str:
    """The name of the file of a setting, with its size if config.yaml records it; empty if there is none."""
    value = run.flat_settings.get(name) if value is None else value
    if value is None:
        return ""
    records = run.settings.get("files")
    record = records.get(name) if isinstance(records, dict) else None
    size = record.get("bytes") if isinstance(record, dict) else None
    return f"`{without_folders(value)}`" + (f" ({_bytes(size)})" if isinstance(size, int) else "")


def _model(run: RunFolder, folder: Path, facts: Mapping[str, Any]) -> str:
    """Architecture, sizes, and the files of an exported folder."""
    model, tokenizers = run.section("model", ModelConfig), run.tokenizers()
    parameters, quantized = read_size(folder / MODEL)
    decoder, encoder = model.decoder, model.encoder
    source, target = tokenizers.source.size, tokenizers.target.size
    attention = f"{model.attention}, order {model.attention_order}, heads {model.attention_heads}"
    sizes = f"{target:,} tokens" if tokenizers.joint else f"{source:,} source and {target:,} target tokens"
    algorithm = run.flat_settings.get("tokenizer.algorithm", "SentencePiece")
    rows = [
        ["encoder", f"{encoder.layers} × {encoder.cell}, {encoder.size} units, {encoder.direction}"],
        ["context", f"{model.summary}, bridge {model.bridge}"],
        ["decoder", f"{decoder.layers} × {decoder.cell}, {decoder.size} units"],
        ["attention", "none" if str(model.attention) == "none" else attention],
        ["embeddings", f"{model.embedding_size}, tying {model.tying}"],
        ["vocabulary", f"{sizes}, {_plain(algorithm)}"],
        ["parameters", f"{parameters:,}"],
        ["weights", f"{'int8' if quantized else 'float32'}, {_bytes((folder / MODEL).stat().st_size)}"],
    ]
    if run.is_language_model:
        rows = [row for row in rows if row[0] not in ("encoder", "context", "attention")]
    origin = facts.get("origin")
    return "\n\n".join(filter(None, [origin and _plain(origin), _table(["part", ""], rows), _exported_files(folder)]))


def _exported_files(folder: Path) -> str:
    """A table of the files of an exported folder; empty for a run folder."""
    if not (folder / "config.json").is_file():
        return ""
    files = [path for path in folder.iterdir() if path.is_file() and path.name != CARD]
    rows = [[f"`{_plain(path.name)}`", _bytes(path.stat().st_size)] for path in sorted(files)]
    engines = {"onnxruntime": "step.onnx", "numpy": MODEL, "a browser": "index.html"}
    present = ", ".join(name for name, file in engines.items() if (folder / file).is_file())
    return f"{_table(['file', 'size'], rows)}\n\nIt runs with {present}; PyTorch is not needed."


def _training(run: RunFolder, folder: Path) -> str:
    """The settings that shaped the weights, and the command that trains again."""
    settings = run.flat_settings
    named = {
        "optimizer": ("choices.optimizer", "optimizer.learning_rate"),
        "schedule": ("choices.schedule", "schedule.warmup"),
        "updates": ("training.updates", "training.accumulate"),
        "batch": ("batch.tokens",),
        "dropout": ("model.dropout", "model.recurrent_dropout", "model.word_dropout"),
        "loss": ("loss.label_smoothing",),
        "selection": ("training.criterion", "training.average"),
        "precision": ("training.precision",),
        "seed": ("seed",),
    }
    rows = [
        [title, ", ".join(f"{name}={_plain(settings[name])}" for name in names if settings.get(name) is not None)]
        for title, names in named.items()
    ]
    table = _table(["part", "settings"], [row for row in rows if row[1]])
    elsewhere = "" if (folder / CONFIG).is_file() else " of the run folder, which is not part of this one,"
    return f"""{table}

`config.yaml`{elsewhere} holds all settings. With the same text, this trains the model again:

    seq2seq-train experiment=config.yaml run=again
"""


def _evaluation(found: Sequence[Result]) -> str:
    """All scores with signatures and intervals."""
    if not found:
        return "Not evaluated yet."
    rows = [
        [
            f"{_plain(each.split)}: {_plain(each.corpus)}",
            _plain(each.search),
            METRICS.get(each.metric, "perplexity per word"),
            f"{each.score:,.1f}",
            f"{each.interval[0]:,.1f} to {each.interval[1]:,.1f}" if each.interval else "",
            f"`{shown(each.signature)}`".replace("|", "\\|") if each.signature else "",
        ]
        for each in found
    ]
    header = ["test set", "search", "metric", "score", "95 % interval", "sacreBLEU signature"]
    return _table(header, rows)


def _limits(run: RunFolder) -> str:
    if run.is_language_model:
        return LANGUAGE_MODEL_LIMITS
    synthetic = any("built-in" in name for name in _corpora(run, "train"))
    return LIMITS + (f"\n{SYNTHETIC}" if synthetic else "")


def _licence(run: RunFolder, lines: str) -> str:
    if lines == TO_FILL_IN:
        return "Not chosen yet: fill in `license:` at the top of this file, and check what the training text allows."
    named = run.settings.get("licence")
    return _plain(named) if named else "See `license:` at the top of this file."


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; empty without rows."""
    lines = [header, ["---"] * len(header), *rows] if rows else []
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(value: Any) -> str:
    """A value as text of one line that Markdown shows as it is."""
    return re.sub(r"[|<>`\[\]]", lambda match: f"\\{match[0]}", shown(str(value)))


def _bytes(size: int) -> str:
    """A number of bytes in kB or MB, as disks count them."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
