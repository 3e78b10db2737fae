// The list of lines: only the rows that can be seen are in the page, however many there are.
const KINDS = { all: "", won: "▲ won", lost: "▼ lost", failed: "✕ failed", changed: "≠ changed" };

class List {
  constructor(onOpen) {
    this.box = byId("list");
    this.rows = byId("rows");
    this.onOpen = onOpen;
    this.order = [];
    this.selected = 0;
    this.drawn = 0;
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.rows.addEventListener("click", (event) => {
      const row = event.target.closest("[data-place]");
      if (row) this.open(Number(row.dataset.place));
    });
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  // order: the lines to show, as places in `lines`; view: which two versions and which metric
  show(lines, order, view) {
    Object.assign(this, { lines, order, view });
    this.selected = Math.min(this.selected, Math.max(0, order.length - 1));
    this.draw();
  }

  get height() { return parseFloat(getComputedStyle(this.box).getPropertyValue("--row")) || 56; }

  draw() {
    if (!this.lines) return;
    const height = this.height;
    this.rows.style.height = `${this.order.length * height}px`;
    const first = Math.max(0, Math.floor(this.box.scrollTop / height) - 4);
    const last = Math.min(this.order.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / height) + 4);
    const drawing = ++this.drawn;
    const places = Array.from({ length: Math.max(0, last - first) }, (_, step) => first + step);
    this.rows.replaceChildren(...places.map((place) => this.row(place, height)));
    this.box.setAttribute("aria-activedescendant", this.order.length ? `row-${this.selected}` : "");
    const chunks = [...new Set(places.map((place) => this.lines.chunkOf(this.order[place])))];
    Promise.all(chunks.map((chunk) => this.lines.chunk(chunk))).then((found) => {
      if (drawing !== this.drawn) return; // scrolled on since
      const known = new Map(chunks.map((chunk, place) => [chunk, found[place]]));
      for (const row of this.rows.children) this.fill(row, known);
    });
  }

  row(place, height) {
    const line = this.order[place];
    const { left, right, metric } = this.view;
    const row = make("div", "row", make("span", "number", String(this.lines.numbers[line]), tag(this.lines, line, left, right, metric)),
      make("span", "said input", "…"), make("span", "said", "…"), make("span", "said", "…"));
    row.id = `row-${place}`;
    row.dataset.place = place;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(place === this.selected));
    row.setAttribute("aria-posinset", place + 1);
    row.setAttribute("aria-setsize", this.order.length);
    row.style.transform = `translateY(${place * height}px)`;
    return row;
  }

  fill(row, known) {
    const line = this.order[Number(row.dataset.place)];
    const chunk = this.lines.chunkOf(line);
    const [inputs, cells] = known.get(chunk)[line - this.lines.starts[chunk]];
    const { left, right } = this.view;
    const own = inputs ?? cells.find((cell) => cell?.[0])?.[0] ?? [];
    const spans = row.querySelectorAll(".said");
    spans[0].textContent = own.map(([, text]) => text).join(" · ").slice(0, 300);
    spans[1].textContent = said(cells[left]);
    spans[2].textContent = said(cells[right]);
    for (const span of spans) span.dir = "auto";
  }

  select(place) {
    if (!this.order.length) return;
    this.selected = Math.max(0, Math.min(this.order.length - 1, place));
    const [top, height] = [this.selected * this.height, this.height];
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + height > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + height - this.box.clientHeight;
    this.draw();
  }

  open(place) {
    if (!this.order.length) return;
    this.select(place);
    this.onOpen(this.order[this.selected]);
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.select(this.selected + steps[event.key]);
    else if (event.key === "Enter" || event.key === " ") this.open(this.selected);
    else return;
    event.preventDefault();
  }
}

// A sign with a word for what happened to a line between two versions.
const tag = (lines, line, left, right, metric) => {
  const kind = lines.failed(line, left) || lines.failed(line, right) ? "failed"
    : { 1: "won", "-1": "lost" }[lines.outcome(line, left, right, metric)] ?? (lines.changed(line, left, right) ? "changed" : "all");
  return kind === "all" ? make("span", "kind-tag", "= same") : make("span", `kind-tag ${kind}`, KINDS[kind]);
};

const said = (cell) => {
  if (!cell) return "not run";
  const [, outputs, error] = cell;
  return (error ? `${error[0]}: ${error[1]}` : outputs.map(([, text]) => text).join(" · ")).slice(0, 300);
};
