"""Translate in a process of its own, which loads a model once and then answers requests.

PYTHON tests/tools/peers/worker.py TOOLKIT FOLDER [OPTION]

PYTHON is that of the toolkit's environment: nothing of the tests is imported. OPTION is a precision (ours), ``none``
for no length penalty (eole), or the compute type and the length penalty (ctranslate2, ``int8,1``).

Requests and answers are lines of JSON on standard input and output: ``{"lines": [...], "beam": 5, "batch": 32}`` gives
``{"lines": [...], "seconds": ...}``. Lines are text for this toolkit and tokens for the others. Batch 1 is one sentence
at a time. What the toolkit prints goes to standard error.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

Translate = Callable[[list[str], int, int], list[str]]
"""Translates lines with a beam size and a batch size."""


def ours(folder: str, precision: str) -> Translate:
    """A run folder of this toolkit, which chooses its batches itself."""
    from seq2seq import Translator

    translator = Translator.load(folder, device="cpu", precision=precision)

    def translate(lines: list[str], beam: int, batch: int) -> list[str]:
        if batch == 1:
            return [translator.translate(line, beam_size=beam).text for line in lines]
        return [each.text for each in translator.translate(lines, beam_size=beam)]

    return translate


def eole(folder: str, penalty: str) -> Translate:
    """A model of eole, with its default search unless the length penalty is ``none``; beam 1 is its greedy search."""
    from eole.config.run import PredictConfig
    from eole.inference_engine import InferenceEnginePY

    options: dict[str, Any] = {"length_penalty": penalty, "alpha": 0.0} if penalty else {}
    engine = InferenceEnginePY(PredictConfig(model_path=folder, src="none", **options))

    def translate(lines: list[str], beam: int, batch: int) -> list[str]:
        engine.config.batch_size = batch
        found = engine.infer_list(lines, {"beam_size": beam, "top_k": int(beam == 1)})[2]
        return [best[0] for best in found]

    return translate


def opennmt(model: str, _: str) -> Translate:
    """A model of OpenNMT-py, with its defaults; beam 1 is its greedy search."""
    from onmt.inference_engine import InferenceEnginePY
    from onmt.opts import translate_opts
    from onmt.utils.parse import ArgumentParser

    parser = ArgumentParser()
    translate_opts(parser)
    options = parser.parse_args(["-model", model, "-src", "none", "-output", os.devnull])
    ArgumentParser.validate_translate_opts(options)
    ArgumentParser._get_all_transform_translate(options)
    ArgumentParser._validate_transforms_opts(options)
    ArgumentParser.validate_translate_opts_dynamic(options)
    engine = InferenceEnginePY(options)

    def translate(lines: list[str], beam: int, batch: int) -> list[str]:
        options.batch_size = batch
        engine.translator.beam_size, engine.translator.sample_from_topk = beam, int(beam == 1)
        return [best[0] for best in engine.infer_list(lines)[1]]

    return translate


def ctranslate2(folder: str, option: str) -> Translate:
    """A model of CTranslate2, with one worker and as many threads as PyTorch uses in the other processes."""
    from ctranslate2 import Translator

    compute_type, penalty = option.split(",")
    threads = int(os.environ["OMP_NUM_THREADS"])
    translator = Translator(folder, compute_type=compute_type, inter_threads=1, intra_threads=threads)
    search = {"length_penalty": float(penalty), "min_decoding_length": 0}  # empty translations are possible, as in eole

    def translate(lines: list[str], beam: int, batch: int) -> list[str]:
        tokens = [line.split(" ") for line in lines]
        options: dict[str, Any] = {"beam_size": beam, "max_batch_size": batch, **search}
        calls = [[each] for each in tokens] if batch == 1 else [tokens]
        found = [each for call in calls for each in translator.translate_batch(call, **options)]
        return [" ".join(each.hypotheses[0]) for each in found]

    return translate


TOOLKITS: dict[str, Callable[[str, str], Translate]] = {
    "ours": ours,
    "eole": eole,
    "opennmt": opennmt,
    "ctranslate2": ctranslate2,
}


def main() -> None:
    """Load the model, then answer until standard input ends."""
    sys.path[0] = os.getcwd()  # not the folder of this file, whose modules have the names of toolkits
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    toolkit, folder, *option = sys.argv[1:]
    translate = TOOLKITS[toolkit](folder, *(option or [""]))
    for request in map(json.loads, sys.stdin):
        start = time.perf_counter()
        lines = translate(request["lines"], request["beam"], request["batch"])
        answer = {"lines": lines, "seconds": time.perf_counter() - start}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
