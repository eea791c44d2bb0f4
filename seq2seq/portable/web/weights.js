// The weights of a model in the memory of the kernels: reading model.safetensors, and packing matrices for SIMD.
//
// Rows are padded with zeros to a multiple of 16 numbers. So are the outputs of a matrix, and those of each block if it
// stacks the gates of a cell. The outputs of padding are therefore zero.
"use strict";

(() => {
  /** The next multiple of 16. */
  const padded = (count) => Math.ceil(count / 16) * 16;

  /** The row of a packed matrix whose blocks of `units` rows are padded. */
  const packedRow = (row, units) => Math.floor(row / units) * padded(units) + (row % units);

  /** The memory that the kernels compute in. Addresses are bytes; only everything after an address can be freed. */
  class Arena {
    constructor(memory, first) {
      this.memory = memory;
      this.next = first;
      this.view();
    }

    view() {
      const { buffer } = this.memory;
      [this.f32, this.u32] = [new Float32Array(buffer), new Uint32Array(buffer)];
      [this.i8, this.u8] = [new Int8Array(buffer), new Uint8Array(buffer)];
    }

    /** The address of so many bytes of zeros. */
    allocate(bytes) {
      const address = Math.ceil(this.next / 64) * 64;
      this.next = address + bytes;
      const missing = this.next - this.memory.buffer.byteLength;
      if (missing > 0) {
        try {
          this.memory.grow(Math.ceil(missing / 65536));
        } catch {
          throw new Error("out of memory: export the model with precision=int8, or translate a shorter text");
        }
        this.view();
      }
      this.u8.fill(0, address, this.next);
      return address;
    }

    /** The address of so many float32 zeros. */
    floats(count) {
      return this.allocate(4 * count);
    }

    /** A view of float32 numbers; it must not be used after the next allocation. */
    at(address, count) {
      return this.f32.subarray(address / 4, address / 4 + count);
    }

    zero(address, count) {
      this.f32.fill(0, address / 4, address / 4 + count);
    }

    copy(from, to, count) {
      this.f32.copyWithin(to / 4, from / 4, from / 4 + count);
    }
  }

  /** The tensors of a safetensors file: the length of a JSON header (8 bytes), the header, the tensors' bytes. */
  class Tensors {
    constructor(buffer, file = "model.safetensors") {
      Object.assign(this, { buffer, file });
      try {
        this.start = 8 + Number(new DataView(buffer).getBigUint64(0, true));
        this.entries = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, this.start - 8)));
      } catch {
        throw new Error(`${file} is damaged (it has no header): copy or export it again`);
      }
    }

    entry(name) {
      if (!(name in this.entries)) throw new Error(`${this.file} has no ${name}: copy or export the model again`);
      return this.entries[name];
    }

    shape(name) {
      return this.entry(name).shape;
    }

    isInteger(name) {
      return `${name}.scales` in this.entries;
    }

    /** The values of a tensor in their own type: float32, or int8 codes. */
    values(name) {
      const { dtype, data_offsets: [first, end], shape } = this.entry(name);
      const Values = { F32: Float32Array, I8: Int8Array, I32: Int32Array }[dtype];
      const count = shape.reduce((product, size) => product * size, 1);
      const fits = Values && end - first === count * Values.BYTES_PER_ELEMENT;
      if (!fits || this.start + end > this.buffer.byteLength) {
        throw new Error(`${this.file} is damaged (${name}): copy or export the model again`);
      }
      const from = this.start + first;
      const aligned = from % Values.BYTES_PER_ELEMENT === 0;
      return aligned ? new Values(this.buffer, from, count) : new Values(this.buffer.slice(from, this.start + end));
    }

    /** The values of a tensor in float32; int8 codes are multiplied by the scales of their rows. */
    floats(name) {
      const values = this.values(name);
      if (!this.isInteger(name)) return values;
      const [scales, columns] = [this.values(`${name}.scales`), this.shape(name)[1]];
      return Float32Array.from(values, (code, i) => code * scales[Math.floor(i / columns)]);
    }
  }

  /** Copies weights into an arena. Asked for the same matrix in the same form, it returns the same copy. */
  class Packer {
    constructor(tensors, arena) {
      Object.assign(this, { tensors, arena, packed: new Map(), widest: 0 });
    }

    /**
     * The columns of a matrix (outputs, inputs) that one input vector is multiplied by.
     * @param blocks  matrices that are stacked in it
     * @param columns {from, to}; null: all
     * @param bounded whether that vector lies in [-1, 1] or is an embedding: others are multiplied in float32
     * @param factor  of all numbers
     * @returns {address, outputs, width, scales}, the padded sizes, and 0 in place of scales for float32 numbers
     */
    matrix(name, { blocks = 1, columns = null, bounded, factor = 1 }) {
      const [rows, all] = this.tensors.shape(name);
      const { from, to } = columns || { from: 0, to: all };
      const integer = bounded && this.tensors.isInteger(name);
      const key = [name, from, to, integer].join();
      if (!this.packed.has(key)) {
        const [units, width] = [rows / blocks, padded(to - from)];
        const form = { name, rows, units, all, from, to, factor, width, outputs: blocks * padded(units) };
        this.packed.set(key, integer ? this.integers(form) : this.floats(form));
        this.widest = Math.max(this.widest, width);
      }
      return this.packed.get(key);
    }

    integers(form) {
      const { name, factor, units, width, outputs } = form;
      const [address, scales] = [this.arena.allocate(outputs * width), this.arena.floats(outputs)];
      this.copyRows(form, this.tensors.values(name), this.arena.i8, address);
      this.tensors.values(`${name}.scales`).forEach((scale, row) => {
        this.arena.f32[scales / 4 + packedRow(row, units)] = scale * factor;
      });
      return { address, outputs, width, scales };
    }

    floats(form) {
      const { name, factor, width, outputs } = form;
      const values = this.tensors.floats(name);
      const address = this.arena.floats(outputs * width);
      const scaled = factor === 1 ? values : values.map((value) => value * factor);
      this.copyRows(form, scaled, this.arena.f32, address / 4);
      return { address, outputs, width, scales: 0 };
    }

    copyRows({ rows, units, all, from, to, width }, values, target, start) {
      for (let row = 0; row < rows; row++) {
        target.set(values.subarray(row * all + from, row * all + to), start + packedRow(row, units) * width);
      }
    }

    /** The address of a vector, in blocks like the outputs of a matrix, with another padding than 0 if wanted. */
    vector(values, { blocks = 1, padding = 0 } = {}) {
      const [units, address] = [values.length / blocks, this.arena.floats(blocks * padded(values.length / blocks))];
      this.arena.at(address, blocks * padded(units)).fill(padding);
      for (let block = 0; block < blocks; block++) {
        const part = values.subarray(block * units, (block + 1) * units);
        this.arena.f32.set(part, address / 4 + block * padded(units));
      }
      return address;
    }

    /** W x + b: {matrix, bias}. */
    linear(name, bounded, factor = 1) {
      const bias = this.tensors.floats(`${name}.bias`).map((value) => value * factor);
      return { matrix: this.matrix(`${name}.weight`, { bounded, factor }), bias: this.vector(bias) };
    }
  }

  /** The columns of a matrix that each of its input vectors is multiplied by: {columns, bounded} of {size, bounded}. */
  function split(parts) {
    let from = 0;
    return parts.map(({ size, bounded }) => {
      from += size;
      return { columns: { from: from - size, to: from }, bounded };
    });
  }

  Object.assign(globalThis.seq2seq, { Arena, Packer, Tensors, padded, split });
})();
