// Blocks of the page, unpacked when they are needed. A block is base64 of zlib of JSON.
const byId = (id) => document.getElementById(id);

const unpack = async (name) => {
  const bytes = Uint8Array.from(atob(byId(`block-${name}`).textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
};

const MOST_UNPACKED = 40;
const unpacked = new Map(); // name -> promise; the one that was used last is the last
const block = (name) => {
  const found = unpacked.get(name) ?? unpack(name);
  unpacked.delete(name);
  unpacked.set(name, found);
  if (unpacked.size > MOST_UNPACKED) unpacked.delete(unpacked.keys().next().value);
  return found;
};

// An element with classes and children; text only ever becomes text.
const make = (tag, className = "", ...children) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
};

const count = (number) => number.toLocaleString("en");
const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
const milliseconds = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : ms < 999.5 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`);
const dollars = (usd) => (usd ? ` · $${usd.toPrecision(2)}` : "");

// One dataset: what there is to find of each line, and the lines themselves by chunks.
class Lines {
  constructor(index, found) {
    Object.assign(this, { index, ...found });
    this.texts = new Map(); // chunk -> what a search looks at, line by line
  }

  static async open(index) { return new Lines(index, await unpack(`d${index}`)); }

  get length() { return this.numbers.length; }

  chunkOf(line) { // the last chunk that starts at or before the line
    let [low, high] = [0, this.starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle] <= line) low = middle; else high = middle - 1;
    }
    return low;
  }

  chunk(number) { return block(`d${this.index}-l${number}`); }

  async line(line) {
    const chunk = this.chunkOf(line);
    return (await this.chunk(chunk))[line - this.starts[chunk]];
  }

  async trace(line) {
    const chunk = this.chunkOf(line);
    return (await block(`d${this.index}-t${chunk}`))[line - this.starts[chunk]];
  }

  async searchTexts(chunk) {
    if (!this.texts.has(chunk)) {
      const lines = await this.chunk(chunk);
      this.texts.set(chunk, lines.map((line) => texts(line).join("\n").toLowerCase()));
    }
    return this.texts.get(chunk);
  }

  failed(line, version) { return "fe".includes(this.states[version][line]); }

  changed(line, left, right) { return this.kinds[left][line] !== this.kinds[right][line]; }

  // 1 when the right version scores better than the left one on a line, -1 when worse, 0 when alike or not known.
  outcome(line, left, right, metric) {
    const scores = this.metrics[metric];
    if (!scores) return 0;
    const [before, after] = [scores.values[left][line], scores.values[right][line]];
    if (before === null || after === null) return 0;
    return Math.sign(after - before) * (scores.higher ? 1 : -1);
  }
}

const texts = (value) => {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.flatMap(texts) : [];
};
