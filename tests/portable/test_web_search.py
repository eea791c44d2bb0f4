"""The page's search in node against seq2seq.search, over tables of made-up log-probabilities."""

import math
import random
from typing import Any

import numpy as np

from seq2seq.search import SearchConfig, search
from seq2seq.search.streaming import stream_beam_search
from tests.node import run_node
from tests.portable.test_portable_search import BOS, EOS, table_stepper

CODE = """
// An engine over a table (T, V, V), as TableStepper: the table of the token before the last one is added.
class TableEngine {
  constructor(table, search, special) {
    Object.assign(this, { table, config: { search, special } });
  }
  reserve() {}
  encode() {
    [this.position, this.before] = [0, [this.config.special.bos]];
  }
  decode(tokens) {
    const scores = this.table[this.position].map((row) => row.map((value) => (value === null ? -Infinity : value)));
    const sum = (token, before) => scores[token].map((value, i) => value + Math.fround(scores[before][i] / 3));
    this.rows = tokens.map((token, row) => Float32Array.from(sum(token, this.before[row])));
    [this.position, this.before] = [this.position + 1, tokens];
  }
  best(totals, wanted) {
    const sum = (value, row) => Math.fround(value + totals[row]);
    const sums = (values, row) => [...values].map((value, token) => ({ sum: sum(value, row), row, token }));
    const all = this.rows.flatMap(sums).filter(({ sum }) => sum > -Infinity);
    return all.sort((a, b) => b.sum - a.sum).slice(0, wanted);
  }
  logProbabilities(row) {
    return this.rows[row];
  }
  placeOf(token) {
    return token;
  }
  select(rows) {
    this.before = rows.map((row) => this.before[row]);
  }
  attentionWeights() {
    return null;
  }
}
const results = [];
for (const { table, search, length } of input.cases) {
  const partial = [];
  const engine = new TableEngine(table, search, input.special);
  const found = await translate(engine, new Array(length).fill(0), { onToken: (ids) => partial.push(ids) });
  results.push({ found, partial });
}
return results;
"""


def random_settings(draw: random.Random) -> dict[str, Any]:
    beam_size = draw.randint(1, 6)
    return {
        "beam_size": beam_size,
        "n_best": draw.choice([1, beam_size]),
        "length_penalty": draw.choice([0.0, 0.7, 1.0]),
        "max_length_ratio": draw.choice([0.0, 1.0, 2.0]),
        "max_length_offset": draw.randint(0, 3),
        "no_repeat_ngram": draw.randint(0, 3),
        "repetition_penalty": draw.choice([1.0, 1.3]),
    }


def test_hypotheses_and_reports_are_those_of_the_search_with_torch():
    draw = random.Random(1)
    steppers, cases = [], []
    for seed in range(60):
        length, impossible = draw.randint(1, 3), draw.choice([0.0, 0.3, 0.8, 1.0])
        steppers.append(table_stepper(seed, length, impossible))
        table = steppers[-1].table_TVV.where(steppers[-1].table_TVV.isfinite(), math.nan).double().numpy()
        rows = np.where(np.isnan(table), None, table).tolist()  # JSON has no infinity
        cases.append({"table": rows, "search": random_settings(draw), "length": length})
    results = run_node(["search.js"], CODE, {"cases": cases, "special": {"bos": BOS, "eos": EOS}})
    for stepper, one, result in zip(steppers, cases, results, strict=True):
        config = SearchConfig(**one["search"])
        [wanted] = search(stepper, config)
        assert [(each["ids"], each["finished"]) for each in result["found"]] == [
            (each.tokens, each.finished) for each in wanted
        ]
        for name, words in (("logProbability", "log_probability"), ("score", "score")):
            found = [-math.inf if each[name] is None else each[name] for each in result["found"]]
            np.testing.assert_allclose(found, [getattr(each, words) for each in wanted], rtol=1e-6)
        *partial, _ = stream_beam_search(stepper, config)
        assert result["partial"] == [each.tokens for each in partial]


def test_settings_that_are_not_given_are_those_of_the_model():
    """Settings of config.json hold where the caller gives none; its n-best list fits a smaller beam."""
    stepper = table_stepper(3, 2)
    search_settings = random_settings(random.Random(5)) | {"beam_size": 4, "n_best": 4}
    case = {"table": stepper.table_TVV.tolist(), "search": search_settings, "length": 2}
    code = CODE.replace("{ onToken", "{ beamSize: 2, onToken")
    [result] = run_node(["search.js"], code, {"cases": [case], "special": {"bos": BOS, "eos": EOS}})
    [wanted] = search(stepper, SearchConfig(**search_settings | {"beam_size": 2, "n_best": 2}))
    assert [each["ids"] for each in result["found"]] == [each.tokens for each in wanted]
