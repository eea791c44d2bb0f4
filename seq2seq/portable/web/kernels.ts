// The arithmetic of exported pages in AssemblyScript, for WebAssembly with 128-bit SIMD: products with 8-bit or float
// weights, recurrent cells, attention and the output layer's softmax. tests/tools/build_kernels.py compiles it.
//
// Every argument that is a `usize` is an address in bytes, chosen by engine.js; nothing here allocates or keeps state.
// Rows are padded with zeros to a multiple of 16 numbers, so that no loop has a remainder: a width called `padded` is
// such a multiple, others are exact. No Math.exp or Math.log: their tables would lie where engine.js puts its buffers.

/** Code of an input of 1: two digits of -64 … 63, 63 · 128 + 63, as in seq2seq/system/integer.py. */
const LEVELS: f32 = 8127;

/** Inputs whose products are summed in 32 bits: 2048 · 8127 · 127 < 2^31. Sums of such blocks are exact in float64. */
const BLOCK: usize = 2048;

/** The first address that engine.js may use. */
export const firstAddress: usize = __heap_base;

// ---- products ----

/** Round `count` numbers (padded) of [-1, 1] to 14-bit integers: code = round(x · 8127). */
export function encode(x: usize, codes: usize, count: usize): void {
  const levels = f32x4.splat(LEVELS);
  for (let i: usize = 0; i < count; i += 8) {
    const low = f32x4.nearest(f32x4.mul(v128.load(x + (i << 2)), levels));
    const high = f32x4.nearest(f32x4.mul(v128.load(x + (i << 2), 16), levels));
    const both = i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(low), i32x4.trunc_sat_f32x4_s(high));
    v128.store(codes + (i << 1), both);
  }
}

/** Widen `count` codes (padded) of 8 bits to 16: a quantized embedding is an input that needs no rounding. */
export function widen(codes: usize, wide: usize, count: usize): void {
  for (let i: usize = 0; i < count; i += 8) v128.store(wide + (i << 1), v128.load_ext<i8>(codes + i));
}

/**
 * Add x W^T to the output rows, with exact integer sums.
 * @param codes       inputs (rows, width), 16 bits
 * @param inputScales value of each input row's code 1 (rows), float32
 * @param weights     (outputs, width), 8 bits; outputs a multiple of 4
 * @param scales      value of each output's code 1 (outputs), float32
 * @param width       padded
 * @param stride      numbers between output rows, float32
 */
export function addIntegerProduct(
  codes: usize, inputScales: usize, rows: usize, weights: usize, scales: usize, outputs: usize, width: usize,
  out: usize, stride: usize
): void {
  for (let o: usize = 0; o < outputs; o += 4) {
    const scale = v128.load(scales + (o << 2));
    // All rows while four rows of weights are in the fastest cache.
    for (let r: usize = 0; r < rows; r++) {
      const sums = integerDots(codes + ((r * width) << 1), weights + o * width, width);
      const scaled = f32x4.mul(sums, f32x4.mul(scale, v128.load32_splat(inputScales + (r << 2))));
      const at = out + ((r * stride + o) << 2);
      v128.store(at, f32x4.add(v128.load(at), scaled));
    }
  }
}

/** The products of one input with four rows of weights, rounded once to float32. */
// @ts-ignore: decorator
@inline
function integerDots(codes: usize, weights: usize, width: usize): v128 {
  let low = f64x2.splat(0), high = f64x2.splat(0);
  for (let begin: usize = 0; begin < width; begin += BLOCK) {
    const end = min(begin + BLOCK, width);
    let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), d = i32x4.splat(0);
    for (let i = begin; i < end; i += 16) {
      const x = v128.load(codes + (i << 1)), y = v128.load(codes + (i << 1), 16);
      let row = weights + i;
      a = i32x4.add(a, i32x4.dot_i16x8_s(x, v128.load_ext<i8>(row)));
      a = i32x4.add(a, i32x4.dot_i16x8_s(y, v128.load_ext<i8>(row, 8)));
      row += width;
      b = i32x4.add(b, i32x4.dot_i16x8_s(x, v128.load_ext<i8>(row)));
      b = i32x4.add(b, i32x4.dot_i16x8_s(y, v128.load_ext<i8>(row, 8)));
      row += width;
      c = i32x4.add(c, i32x4.dot_i16x8_s(x, v128.load_ext<i8>(row)));
      c = i32x4.add(c, i32x4.dot_i16x8_s(y, v128.load_ext<i8>(row, 8)));
      row += width;
      d = i32x4.add(d, i32x4.dot_i16x8_s(x, v128.load_ext<i8>(row)));
      d = i32x4.add(d, i32x4.dot_i16x8_s(y, v128.load_ext<i8>(row, 8)));
    }
    const ab = i32x4.add(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(a, b, 2, 6, 3, 7));
    const cd = i32x4.add(i32x4.shuffle(c, d, 0, 4, 1, 5), i32x4.shuffle(c, d, 2, 6, 3, 7));
    const sums = i32x4.add(i32x4.shuffle(ab, cd, 0, 1, 4, 5), i32x4.shuffle(ab, cd, 2, 3, 6, 7));
    low = f64x2.add(low, f64x2.convert_low_i32x4_s(sums));
    high = f64x2.add(high, f64x2.convert_low_i32x4_s(i32x4.shuffle(sums, sums, 2, 3, 2, 3)));
  }
  return i32x4.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

/** Add x W^T to the output rows in float32; as `addIntegerProduct`, inputs (rows, width). */
export function addFloatProduct(
  x: usize, rows: usize, weights: usize, outputs: usize, width: usize, out: usize, stride: usize
): void {
  for (let o: usize = 0; o < outputs; o += 4) {
    for (let r: usize = 0; r < rows; r++) {
      const at = out + ((r * stride + o) << 2);
      const sums = floatDots(x + ((r * width) << 2), weights + ((o * width) << 2), width);
      v128.store(at, f32x4.add(v128.load(at), sums));
    }
  }
}

/** The products of one input with four rows of weights. */
// @ts-ignore: decorator
@inline
function floatDots(x: usize, weights: usize, width: usize): v128 {
  let a = f32x4.splat(0), b = f32x4.splat(0), c = f32x4.splat(0), d = f32x4.splat(0);
  const bytes = width << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const input = v128.load(x + i);
    let row = weights + i;
    a = f32x4.add(a, f32x4.mul(input, v128.load(row)));
    row += bytes;
    b = f32x4.add(b, f32x4.mul(input, v128.load(row)));
    row += bytes;
    c = f32x4.add(c, f32x4.mul(input, v128.load(row)));
    row += bytes;
    d = f32x4.add(d, f32x4.mul(input, v128.load(row)));
  }
  const ab = f32x4.add(f32x4.shuffle(a, b, 0, 4, 1, 5), f32x4.shuffle(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(f32x4.shuffle(c, d, 0, 4, 1, 5), f32x4.shuffle(c, d, 2, 6, 3, 7));
  return f32x4.add(f32x4.shuffle(ab, cd, 0, 1, 4, 5), f32x4.shuffle(ab, cd, 2, 3, 6, 7));
}

/** Copy one row of `bytes` to each of the output rows, `stride` bytes apart. */
export function broadcast(row: usize, rows: usize, bytes: usize, out: usize, stride: usize): void {
  for (let r: usize = 0; r < rows; r++) memory.copy(out + r * stride, row, bytes);
}

// ---- functions of single numbers ----

/**
 * e^x, relative error about 1e-7; exactly 0 below -87.
 * e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln(2)/2, and e^r by its series: the first term left out is below 6e-9.
 */
// @ts-ignore: decorator
@inline
function exponential(x: v128): v128 {
  const inside = f32x4.ge(x, f32x4.splat(-87));
  x = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-87)), f32x4.splat(88));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504)));
  // ln 2 in two parts; n times the first one is exact.
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-0.00021219444)));
  let sum = f32x4.splat(1 / 5040);
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1 / 720));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1 / 120));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1 / 24));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1 / 6));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(0.5));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return v128.and(f32x4.mul(sum, power), inside);
}

// @ts-ignore: decorator
@inline
function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exponential(f32x4.neg(x))));
}

/** tanh |x| = (1 - t) / (1 + t) with t = e^(-2|x|), and the sign of x: the error is below 1e-7 everywhere. */
// @ts-ignore: decorator
@inline
function tanh4(x: v128): v128 {
  const one = f32x4.splat(1), t = exponential(f32x4.mul(f32x4.abs(x), f32x4.splat(-2)));
  const size = f32x4.div(f32x4.sub(one, t), f32x4.add(one, t));
  return v128.or(size, v128.and(x, f32x4.splat(-0.0)));
}

/** tanh of `count` numbers (padded), in place. */
export function tanh(x: usize, count: usize): void {
  const end = x + (count << 2);
  for (; x < end; x += 16) v128.store(x, tanh4(v128.load(x)));
}

/** The larger of x and 0 for `count` numbers (padded), in place. */
export function relu(x: usize, count: usize): void {
  const end = x + (count << 2);
  for (; x < end; x += 16) v128.store(x, f32x4.pmax(v128.load(x), f32x4.splat(0)));
}

/** out = x + y for `count` numbers (padded). */
export function add(x: usize, y: usize, out: usize, count: usize): void {
  const bytes = count << 2;
  for (let i: usize = 0; i < bytes; i += 16) v128.store(out + i, f32x4.add(v128.load(x + i), v128.load(y + i)));
}

/** The larger of every two neighbours: `count` outputs (padded). */
export function maxout(x: usize, out: usize, count: usize): void {
  for (let i: usize = 0; i < count; i += 4) {
    const low = v128.load(x + (i << 3)), high = v128.load(x + (i << 3), 16);
    const larger = f32x4.pmax(f32x4.shuffle(low, high, 0, 2, 4, 6), f32x4.shuffle(low, high, 1, 3, 5, 7));
    v128.store(out + (i << 2), larger);
  }
}

// ---- recurrent cells; gates hold blocks of `size` (padded) ----

/** The cell state of an LSTM, in place: c' = f · c + i · g. Output: the gate o. Blocks of a row: i, f, g, o. */
// @ts-ignore: decorator
@inline
function lstmCell(gates: usize, cell: usize, block: usize): v128 {
  const i = sigmoid4(v128.load(gates)), f = sigmoid4(v128.load(gates + block));
  const g = tanh4(v128.load(gates + 2 * block)), o = sigmoid4(v128.load(gates + 3 * block));
  v128.store(cell, f32x4.add(f32x4.mul(f, v128.load(cell)), f32x4.mul(i, g)));
  return o;
}

/** LSTM: c' = f · c + i · g, h' = o · tanh(c'). Gates (rows, 4 size); cell and hidden (rows, size) are replaced. */
export function lstm(gates: usize, cell: usize, hidden: usize, rows: usize, size: usize): void {
  const block = size << 2;
  for (let r: usize = 0; r < rows; r++, gates += 3 * block) {
    for (const end = gates + block; gates < end; gates += 16, cell += 16, hidden += 16) {
      const o = lstmCell(gates, cell, block);
      v128.store(hidden, f32x4.mul(o, tanh4(v128.load(cell))));
    }
  }
}

/**
 * LSTM with layer normalization of every gate and of the cell state: h' = o · tanh(LN(c')).
 * @param norms weight and bias of the gates' normalizations (4 size each), then of the cell's (size each)
 * @param units exact size
 */
export function layerNormLstm(
  gates: usize, cell: usize, hidden: usize, rows: usize, size: usize, norms: usize, units: usize
): void {
  const block = size << 2, cellNorm = norms + 8 * block;
  for (let r: usize = 0; r < rows; r++, gates += 4 * block, cell += block, hidden += block) {
    for (let gate: usize = 0; gate < 4 * block; gate += block) {
      normalize(gates + gate, gates + gate, norms + gate, norms + 4 * block + gate, units);
    }
    // The gates are not needed any more: hidden holds o until the cell state is complete and normalized.
    for (let i: usize = 0; i < block; i += 16) v128.store(hidden + i, lstmCell(gates + i, cell + i, block));
    normalize(cell, gates, cellNorm, cellNorm + block, units);
    for (let i: usize = 0; i < block; i += 16) {
      v128.store(hidden + i, f32x4.mul(v128.load(hidden + i), tanh4(v128.load(gates + i))));
    }
  }
}

/** out = (x - mean) / sqrt(variance + 1e-5) · weight + bias over `count` numbers. */
function normalize(x: usize, out: usize, weight: usize, bias: usize, count: usize): void {
  const bytes = count << 2;
  let sum: f64 = 0, squares: f64 = 0;
  for (let i: usize = 0; i < bytes; i += 4) sum += f64(load<f32>(x + i));
  const mean = sum / f64(count);
  for (let i: usize = 0; i < bytes; i += 4) {
    const difference = f64(load<f32>(x + i)) - mean;
    squares += difference * difference;
  }
  const scale = 1 / sqrt<f64>(squares / f64(count) + 1e-5);
  for (let i: usize = 0; i < bytes; i += 4) {
    const normal = f32((f64(load<f32>(x + i)) - mean) * scale);
    store<f32>(out + i, normal * load<f32>(weight + i) + load<f32>(bias + i));
  }
}

/**
 * GRU: h' = (1 - z) · n + z · h with n = tanh(W x + b + r · (W h + b)). Blocks of a row: r, z, n.
 * @param fromInput  W x + b (rows, 3 size)
 * @param fromHidden W h + b (rows, 3 size)
 * @param hidden     (rows, size), replaced
 */
export function gru(fromInput: usize, fromHidden: usize, hidden: usize, rows: usize, size: usize): void {
  const block = size << 2, one = f32x4.splat(1);
  for (let row: usize = 0; row < rows; row++, fromInput += 2 * block, fromHidden += 2 * block) {
    for (const end = fromInput + block; fromInput < end; fromInput += 16, fromHidden += 16, hidden += 16) {
      const r = sigmoid4(f32x4.add(v128.load(fromInput), v128.load(fromHidden)));
      const z = sigmoid4(f32x4.add(v128.load(fromInput + block), v128.load(fromHidden + block)));
      const candidate = f32x4.mul(r, v128.load(fromHidden + 2 * block));
      const n = tanh4(f32x4.add(v128.load(fromInput + 2 * block), candidate));
      const kept = f32x4.mul(z, v128.load(hidden));
      v128.store(hidden, f32x4.add(f32x4.mul(f32x4.sub(one, z), n), kept));
    }
  }
}

// ---- attention ----

/**
 * tanh(query + key) at every position, with coverage tanh(query + key + coverage · weight).
 * @param keys     (positions, size), size padded
 * @param coverage (positions), or 0
 */
export function additiveSums(
  query: usize, keys: usize, positions: usize, size: usize, coverage: usize, weight: usize, out: usize
): void {
  const bytes = size << 2;
  for (let s: usize = 0; s < positions; s++, keys += bytes, out += bytes) {
    if (coverage) {
      const covered = v128.load32_splat(coverage + (s << 2));
      for (let i: usize = 0; i < bytes; i += 16) {
        const sum = f32x4.add(v128.load(query + i), v128.load(keys + i));
        v128.store(out + i, tanh4(f32x4.add(sum, f32x4.mul(covered, v128.load(weight + i)))));
      }
    } else {
      for (let i: usize = 0; i < bytes; i += 16) {
        v128.store(out + i, tanh4(f32x4.add(v128.load(query + i), v128.load(keys + i))));
      }
    }
  }
}

/** Softmax of `count` numbers, in place; the numbers up to the next multiple of 16 are set to 0. */
export function softmax(x: usize, count: usize): void {
  const padded = (count + 15) & ~15, end = x + (padded << 2);
  for (let i = count; i < padded; i++) store<f32>(x + (i << 2), -f32.MAX_VALUE);
  const highest = f32x4.splat(largest(x, padded));
  let sum = f32x4.splat(0);
  for (let at = x; at < end; at += 16) {
    const power = exponential(f32x4.sub(v128.load(at), highest));
    v128.store(at, power);
    sum = f32x4.add(sum, power);
  }
  const total = f32x4.splat(lanesSum(sum));
  for (let at = x; at < end; at += 16) v128.store(at, f32x4.div(v128.load(at), total));
}

/** out = sum over positions of weight · value, over `size` numbers (padded). */
export function weightedSum(weights: usize, values: usize, positions: usize, size: usize, out: usize): void {
  const bytes = size << 2;
  for (let i: usize = 0; i < bytes; i += 64) {
    let a = f32x4.splat(0), b = f32x4.splat(0), c = f32x4.splat(0), d = f32x4.splat(0);
    for (let s: usize = 0, value = values + i; s < positions; s++, value += bytes) {
      const weight = v128.load32_splat(weights + (s << 2));
      a = f32x4.add(a, f32x4.mul(weight, v128.load(value)));
      b = f32x4.add(b, f32x4.mul(weight, v128.load(value, 16)));
      c = f32x4.add(c, f32x4.mul(weight, v128.load(value, 32)));
      d = f32x4.add(d, f32x4.mul(weight, v128.load(value, 48)));
    }
    v128.store(out + i, a);
    v128.store(out + i, b, 16);
    v128.store(out + i, c, 32);
    v128.store(out + i, d, 48);
  }
}

// @ts-ignore: decorator
@inline
function lanesSum(x: v128): f32 {
  return f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

// ---- output layer ----

/** The largest of `count` numbers (padded). */
export function largest(x: usize, count: usize): f32 {
  let high = v128.load(x);
  const end = x + (count << 2);
  for (; x < end; x += 16) high = f32x4.pmax(high, v128.load(x));
  return max(
    max(f32x4.extract_lane(high, 0), f32x4.extract_lane(high, 1)),
    max(f32x4.extract_lane(high, 2), f32x4.extract_lane(high, 3))
  );
}

/** The sum of e^(x - highest) over `count` numbers (padded). */
export function sumOfExponentials(x: usize, count: usize, highest: f32): f64 {
  let low = f64x2.splat(0), high = f64x2.splat(0);
  const shift = f32x4.splat(highest), end = x + (count << 2);
  for (; x < end; x += 16) {
    const power = exponential(f32x4.sub(v128.load(x), shift));
    low = f64x2.add(low, f64x2.promote_low_f32x4(power));
    high = f64x2.add(high, f64x2.promote_low_f32x4(i32x4.shuffle(power, power, 2, 3, 2, 3)));
  }
  const sum = f64x2.add(low, high);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** x = (x - first) - second for `count` numbers (padded): log-softmax, without the digits that one sum would lose. */
export function subtract(x: usize, count: usize, first: f32, second: f32): void {
  const a = f32x4.splat(first), b = f32x4.splat(second), end = x + (count << 2);
  for (; x < end; x += 16) v128.store(x, f32x4.sub(f32x4.sub(v128.load(x), a), b));
}

/**
 * The `wanted` largest sums of a row's total and a number of the row, largest first; of equal ones the first.
 * @param x      (rows, width), width padded
 * @param totals (rows)
 * @param values the sums (wanted), float32
 * @param places r · width + index of each (wanted), 32 bits
 * @returns how many there are that are larger than -infinity
 */
export function best(
  x: usize, rows: usize, width: usize, totals: usize, wanted: usize, values: usize, places: usize
): usize {
  let found: usize = 0, lowest = -f32.MAX_VALUE;
  for (let r: usize = 0; r < rows; r++) {
    const total = load<f32>(totals + (r << 2)), sums = f32x4.splat(total);
    for (let v: usize = 0; v < width; v += 4) {
      const at = x + ((r * width + v) << 2);
      if (!v128.any_true(f32x4.gt(f32x4.add(v128.load(at), sums), f32x4.splat(lowest)))) continue;
      for (let lane: usize = 0; lane < 4; lane++) {
        const sum = load<f32>(at + (lane << 2)) + total;
        if (sum <= lowest) continue;
        found = insert(sum, r * width + v + lane, found, wanted, values, places);
        if (found == wanted) lowest = load<f32>(values + ((wanted - 1) << 2));
      }
    }
  }
  return found;
}

/** Insert a sum into the sorted list, after all that are at least as large; the list never exceeds `wanted`. */
// @ts-ignore: decorator
@inline
function insert(sum: f32, place: usize, found: usize, wanted: usize, values: usize, places: usize): usize {
  let at = found < wanted ? found : wanted - 1;
  for (; at > 0 && load<f32>(values + ((at - 1) << 2)) < sum; at--) {
    store<f32>(values + (at << 2), load<f32>(values + ((at - 1) << 2)));
    store<u32>(places + (at << 2), load<u32>(places + ((at - 1) << 2)));
  }
  store<f32>(values + (at << 2), sum);
  store<u32>(places + (at << 2), u32(place));
  return found < wanted ? found + 1 : found;
}
