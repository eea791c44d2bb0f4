"""kernels.wasm in node against numpy, and against its source."""

import os
from typing import Any

import numpy as np
import pytest

from tests.node import WEB, run_node
from tests.tools.build_kernels import VERSION, build, installed_compiler

WASM = WEB / "kernels.wasm"

CALL = """
// input.calls: [{name, arguments}]; an argument is a number, or an array {type, values}, whose address is passed.
// Returns the result and the arrays after each call.
const { instance } = await WebAssembly.instantiate(require("fs").readFileSync(input.wasm), {});
const { memory, firstAddress, ...kernels } = instance.exports;
memory.grow(200);
const TYPES = { f32: Float32Array, i16: Int16Array, i8: Int8Array, u32: Uint32Array };
return input.calls.map(({ name, arguments: values }) => {
  let next = Math.ceil(firstAddress.value / 64) * 64;
  const views = [];
  const numbers = values.map((value) => {
    if (typeof value === "number") return value;
    const view = new TYPES[value.type](memory.buffer, next, value.values.length);
    view.set(value.values.map((each) => (each === null ? -Infinity : each)));
    views.push(view);
    next += Math.ceil(view.byteLength / 64) * 64;
    return view.byteOffset;
  });
  const result = kernels[name](...numbers);
  return { result, arrays: views.map((view) => [...view]) };
});
"""


def array(kind: str, values: Any) -> dict[str, Any]:
    flat = np.asarray(values).ravel().tolist()
    return {"type": kind, "values": [None if value == -np.inf else value for value in flat]}


def call(*calls: tuple[Any, ...]) -> list[Any]:
    """Call kernels by name with numbers and arrays; all in one process."""
    listed = [{"name": name, "arguments": arguments} for name, *arguments in calls]
    return run_node([], CALL, {"wasm": str(WASM), "calls": listed})


def test_integer_sums_are_exact_and_never_overflow():
    """14-bit inputs and 8-bit weights exceed 32 bits from 2,065 inputs on, and the lanes of a sum from 8,320 on."""
    random, calls, wanted = np.random.default_rng(1), [], []
    for width, extreme in [(16, False), (2048, False), (2064, True), (4112, True), (12_000, True), (12_000, False)]:
        codes, weights = random.integers(-8127, 8128, (2, width)), random.integers(-127, 128, (8, width))
        if extreme:
            codes[0], weights[1], weights[2] = 8127, 127, -127
        scales, inputs = random.random(8).astype(np.float32), random.random(2).astype(np.float32)
        before = random.random((2, 8)).astype(np.float32)
        sums = (codes @ weights.T).astype(np.float32)
        wanted.append(before + sums * (scales * inputs[:, None]))
        arrays = array("i16", codes), array("f32", inputs), 2, array("i8", weights), array("f32", scales), 8, width
        calls.append(("addIntegerProduct", *arrays, array("f32", before), 8))
    for result, expected in zip(call(*calls), wanted, strict=True):
        np.testing.assert_array_equal(np.float32(result["arrays"][-1]), expected.ravel())


def test_inputs_are_rounded_as_by_numpy():
    inputs = np.float32([*np.linspace(-1, 1, 61), 0.5 / 8127, 1.5 / 8127, -0.5 / 8127])
    [result] = call(("encode", array("f32", inputs), array("i16", [0] * 64), 64))
    np.testing.assert_array_equal(result["arrays"][1], np.rint(inputs * np.float32(8127)))


def test_nonlinearities_are_accurate_everywhere():
    inputs = np.float32([*np.linspace(-95, 95, 2000), *np.linspace(-1e-3, 1e-3, 32), -np.inf, -1e30, 1e30] + [0.0] * 13)
    shifted = np.float32(inputs - 90)  # e^x of numbers below 0
    tanh, powers, total = call(
        ("tanh", array("f32", inputs), len(inputs)),
        ("softmax", array("f32", np.tile([0.0], 5)), 5),
        ("sumOfExponentials", array("f32", shifted[:2000]), 2000, 0),
    )
    np.testing.assert_allclose(tanh["arrays"][0], np.tanh(inputs.astype(np.float64)), rtol=0, atol=1.2e-7)
    np.testing.assert_allclose(powers["arrays"][0], [0.2] * 5, rtol=1e-6)
    exact = np.exp(shifted[:2000].astype(np.float64))
    np.testing.assert_allclose(total["result"], exact.sum(), rtol=2e-7)


def test_excluded_positions_have_no_weight():
    scores = np.float32([1.0, -np.inf, 3.0, -80.0, -200.0] + [9.0] * 11)  # numbers after the fifth are padding
    [result] = call(("softmax", array("f32", scores), 5))
    powers = np.exp(scores[:5].astype(np.float64) - 3)
    np.testing.assert_allclose(result["arrays"][0], [*powers / powers.sum(), *[0.0] * 11], rtol=1e-6, atol=1e-37)
    assert result["arrays"][0][1] == result["arrays"][0][4] == 0


def test_best_sums_are_ranked_and_equal_ones_keep_their_order():
    rows = np.float32([[-1, -2, -2, -9] + [-np.inf] * 12, [-3, -1, -1, -np.inf] + [-np.inf] * 12])
    totals = np.float32([-1, -1])
    empty = array("f32", [0.0] * 9), array("u32", [0] * 9)
    arguments = array("f32", rows), 2, 16, array("f32", totals)
    five, all_of_them = call(("best", *arguments, 5, *empty), ("best", *arguments, 9, *empty))
    assert five["result"] == 5
    assert five["arrays"][3][:5] == [0, 17, 18, 1, 2]
    assert five["arrays"][2][:5] == [-2, -2, -2, -3, -3]
    assert all_of_them["result"] == 7
    assert all_of_them["arrays"][3][:7] == [0, 17, 18, 1, 2, 16, 3]


def test_nothing_lies_where_buffers_go():
    """Math.exp and Math.log of AssemblyScript would keep tables in low memory, and engine.js starts right after."""
    content = WASM.read_bytes()
    sections, at = [], 8
    while at < len(content):
        kind, at = content[at], at + 1
        size, shift = 0, 0
        while True:
            byte, at = content[at], at + 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        sections.append(kind)
        at += size
    data, imports = 11, 2
    assert data not in sections
    assert imports not in sections


def test_the_wasm_is_what_its_source_compiles_to(tmp_path):
    compiler = installed_compiler()
    if compiler is None:
        missing = f"AssemblyScript {VERSION} is not installed: npm install --global assemblyscript@{VERSION}"
        (pytest.fail if "CI" in os.environ else pytest.skip)(missing)
    build(compiler, tmp_path / "kernels.wasm")
    assert (tmp_path / "kernels.wasm").read_bytes() == WASM.read_bytes(), "run python -m tests.tools.build_kernels"
