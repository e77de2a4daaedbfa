/** Chance that can be had again: the same seed gives the same numbers, on every machine. */
export class Chance {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @param seed - any integer */
  constructor(seed: number) {
    // Seeds that are neighbours must not give numbers that are: each word is mixed by itself (splitmix32).
    let state = seed | 0;
    const word = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) | 0;
    };
    this.#a = word();
    this.#b = word();
    this.#c = word();
    this.#d = word();
  }

  /** 32 bits, by the generator sfc32 of Chris Doty-Humphrey (PractRand). */
  #bits(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** From 0 (included) to 1 (excluded). */
  next(): number {
    return this.#bits() / 4_294_967_296;
  }

  /** An integer, both ends included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  /** True in this part of all cases. */
  chance(part: number): boolean {
    return this.next() < part;
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[Math.floor(this.next() * values.length)] as Value;
  }

  /** Some of the values, in their order. */
  some<Value>(values: readonly Value[], part: number): Value[] {
    return values.filter(() => this.chance(part));
  }
}
