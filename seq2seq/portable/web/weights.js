// The weights of a model in the memory of the kernels: reading model.safetensors, and packing matrices for SIMD.
//
// Rows are padded with zeros to a multiple of 16 numbers. So are the outputs of a matrix, and those of each block if it
// stacks the gates of a cell. The outputs of padding are therefore zero.
"use strict";

(() => {
  /** The next multiple of 16. */
  const padded = (count) => Math.ceil(count / 16) * 16;

  /** The memory that the kernels compute in. Addresses are bytes; nothing is freed except everything after a mark. */
  class Arena {
    constructor(memory, first) {
      this.memory = memory;
      this.next = first;
      this.view();
    }

    view() {
      const { buffer } = this.memory;
      [this.f32, this.i8, this.u8] = [new Float32Array(buffer), new Int8Array(buffer), new Uint8Array(buffer)];
      this.u32 = new Uint32Array(buffer);
    }

    /** The address of so many zeros. */
    allocate(bytes) {
      const address = Math.ceil(this.next / 64) * 64;
      this.next = address + bytes;
      const missing = this.next - this.memory.buffer.byteLength;
      if (missing > 0) {
        this.memory.grow(Math.ceil(missing / 65536));
        this.view();
      }
      this.u8.fill(0, address, this.next);
      return address;
    }

    /** The address of so many numbers. */
    floats(count) {
      return this.allocate(4 * count);
    }

    /** A view of numbers; the next allocation may end its life. */
    at(address, count) {
      return this.f32.subarray(address / 4, address / 4 + count);
    }
  }

  /** The tensors of a safetensors file: the length of a JSON header (8 bytes), the header, the tensors' bytes. */
  class Tensors {
    constructor(buffer) {
      try {
        const start = 8 + Number(new DataView(buffer).getBigUint64(0, true));
        this.entries = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8)));
        this.data = { buffer, start };
      } catch {
        throw new Error("model.safetensors is damaged (it has no header): copy or export it again");
      }
    }

    has(name) {
      return name in this.entries;
    }

    /** The values of a tensor in their own type: float32, or int8 codes. */
    values(name) {
      if (!this.has(name)) throw new Error(`model.safetensors has no ${name}: copy or export the model again`);
      const { dtype, data_offsets: [first, end] } = this.entries[name];
      const Values = { F32: Float32Array, I8: Int8Array, I32: Int32Array }[dtype];
      if (!Values || this.data.start + end > this.data.buffer.byteLength) {
        throw new Error(`model.safetensors is damaged (${name}): copy or export the model again`);
      }
      const bytes = [this.data.start + first, this.data.start + end];
      if (bytes[0] % Values.BYTES_PER_ELEMENT) return new Values(this.data.buffer.slice(...bytes));
      return new Values(this.data.buffer, bytes[0], (end - first) / Values.BYTES_PER_ELEMENT);
    }

    shape(name) {
      return this.has(name) ? this.entries[name].shape : this.values(name);
    }

    isInteger(name) {
      return this.has(`${name}.scales`);
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
      this.tensors = tensors;
      this.arena = arena;
      this.packed = new Map();
      this.widest = 0;
    }

    /**
     * A matrix (outputs, inputs) of which some columns are multiplied by one input vector.
     * @param bounded whether that vector lies in [-1, 1] or is an embedding; others are multiplied in float32
     * @returns {outputs, width, address, scales}: scales is 0 for float32 numbers
     */
    matrix(name, { blocks = 1, from = 0, to = null, bounded = true, factor = 1 } = {}) {
      const [rows, columns] = this.tensors.shape(name);
      const end = to === null ? columns : to;
      const integer = bounded && this.tensors.isInteger(name);
      const key = [name, blocks, from, end, integer, factor].join();
      if (!this.packed.has(key)) {
        const units = rows / blocks;
        const form = { name, units, columns, from, end, factor, width: padded(end - from), outputs: blocks * padded(units) };
        this.packed.set(key, integer ? this.integers(form) : this.floats(form));
        this.widest = Math.max(this.widest, form.width);
      }
      return this.packed.get(key);
    }

    integers(form) {
      const { name, units, columns, from, end, factor, width, outputs } = form;
      const [codes, scales] = [this.tensors.values(name), this.tensors.values(`${name}.scales`)];
      const [address, scalesAddress] = [this.arena.allocate(outputs * width), this.arena.floats(outputs)];
      scales.forEach((scale, row) => {
        const place = packedRow(row, units);
        this.arena.i8.set(codes.subarray(row * columns + from, row * columns + end), address + place * width);
        this.arena.f32[scalesAddress / 4 + place] = scale * factor;
      });
      return { outputs, width, address, scales: scalesAddress };
    }

    floats(form) {
      const { name, units, columns, from, end, factor, width, outputs } = form;
      const [values, address] = [this.tensors.floats(name), this.arena.floats(outputs * width)];
      for (let row = 0; row < values.length / columns; row++) {
        const part = values.subarray(row * columns + from, row * columns + end);
        const scaled = factor === 1 ? part : part.map((value) => value * factor);
        this.arena.f32.set(scaled, address / 4 + packedRow(row, units) * width);
      }
      return { outputs, width, address, scales: 0 };
    }

    /** The address of a vector, in blocks like the outputs of a matrix, with another padding than 0 if wanted. */
    vector(values, { blocks = 1, padding = 0 } = {}) {
      const units = values.length / blocks;
      const address = this.arena.floats(blocks * padded(units));
      this.arena.at(address, blocks * padded(units)).fill(padding);
      for (let block = 0; block < blocks; block++) {
        const part = values.subarray(block * units, (block + 1) * units);
        this.arena.f32.set(part, address / 4 + block * padded(units));
      }
      return address;
    }
  }

  /** The row of a packed matrix whose blocks of `units` rows are padded. */
  function packedRow(row, units) {
    return Math.floor(row / units) * padded(units) + (row % units);
  }

  Object.assign(globalThis, { Arena, Packer, Tensors, padded });
})();
