// One line, opened: what each version made of it, word by word, and what its nodes did.
const PAIRS = 1_500_000; // words times words that are compared; longer texts are shown whole

// [[changed, text], …] of a text against the one that it is compared with.
const segments = (base, text) => {
  const split = (value) => value.match(/\s+|\d+\.\d+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
  const [old, now] = [split(base), split(text)];
  if (old.length * now.length > PAIRS || now.length < 3) return [[false, text]];
  const width = now.length + 1;
  const lengths = new Uint16Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      lengths[i * width + j] = old[i] === now[j] ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  if (2 * lengths[0] < 0.4 * (old.length + now.length)) return [[false, text]];
  const parts = [];
  const add = (changed, word) => {
    if (parts.at(-1)?.[0] === changed) parts.at(-1)[1] += word; else parts.push([changed, word]);
  };
  for (let i = 0, j = 0; j < now.length;) {
    if (i < old.length && old[i] === now[j]) { add(false, now[j]); i++; j++; }
    else if (i < old.length && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
    else add(true, now[j++]);
  }
  return parts;
};

const value = (text, base) => {
  const parts = base === undefined || base === text ? [[false, text]] : segments(base, text);
  const element = make("dd", "", ...parts.map(([changed, part]) => (changed ? make("mark", "", part) : part)));
  element.dir = "auto";
  if (text.length > 600) element.classList.add("long");
  return element;
};

// Named values; base has those of the version that they are compared with.
const fields = (items, base) => {
  const others = new Map(base ?? []);
  return make("dl", "", ...items.map(([name, text]) => {
    const differs = base && others.get(name) !== text;
    const sign = differs ? make("span", "ne", " ≠", make("span", "sr", " differs")) : null;
    return make("div", differs ? "differs" : "", make("dt", "", name, sign), value(text, base ? others.get(name) : undefined));
  }));
};

const failure = ([type, message, node, where]) => {
  const text = make("p", "", message);
  text.dir = "auto";
  return make("div", "failure", make("strong", "", type), node ? ` in ${node}` : "", where ? make("span", "muted", ` at ${where}`) : "", text);
};

const long = (title, text) => {
  const area = make("pre", "", text);
  area.tabIndex = 0;
  area.dir = "auto";
  return [make("h6", "", title), area];
};

const node = (who, [name, status, output, error, ms, tokens, kept, prompts]) => {
  const spent = `${status === "completed" ? "" : `${status} · `}${milliseconds(ms)}${tokens ? ` · ${plural(tokens, "token")}` : ""}${kept ? " · kept answer" : ""}`;
  return make("details", "node", make("summary", "", make("b", "", who ? `${who} · ${name}` : name), " ", make("span", "muted", spent)),
    error ? failure(error) : null,
    ...prompts.flatMap((prompt, place) => long(prompts.length > 1 ? `Prompt ${place + 1}` : "Prompt", prompt)),
    ...(output === null ? [] : long("Output", output)));
};

const version = (lines, place, cell, base, nodes) => {
  const swatch = make("span", `swatch b${lines.colours[place]}`);
  const name = make("span", "named", swatch, make("span", "", lines.versions[place]));
  if (!cell) return make("div", "cell", make("div", "who", make("b", "", name)), make("p", "muted", "Not run."));
  const [inputs, outputs, error, ms, tokens, usd, scores] = cell;
  const spent = ms === null ? "" : `${milliseconds(ms)}${tokens ? ` · ${plural(tokens, "token")}` : ""}${dollars(usd)}`;
  const judged = scores.map(([evaluator, said, problem]) => make("div", "score", make("h6", "", evaluator),
    problem ? failure(problem) : null, fields(said, base?.[6].find(([other]) => other === evaluator)?.[1])));
  const trace = nodes.flatMap(([evaluator, each]) => each.map((item) => node(evaluator, item)));
  return make("div", "cell", make("div", "who", make("b", "", name), make("span", "cost", spent)),
    inputs ? make("h6", "", "Inputs") : null, inputs ? fields(inputs) : null,
    error ? failure(error) : null, outputs.length ? fields(outputs, base?.[1]) : null, ...judged,
    trace.length ? make("div", "trace", make("h6", "", "What its nodes did"), ...trace) : null);
};

// The body of the dialog for one line.
const detail = async (lines, line, shown) => {
  const [[inputs, cells], traces] = await Promise.all([lines.line(line), lines.trace(line)]);
  const base = cells[shown[0]];
  const columns = shown.map((place, at) => version(lines, place, cells[place], at ? base ?? undefined : undefined, traces[place]));
  return [inputs ? make("div", "inputs", make("h6", "", "Inputs"), fields(inputs)) : null, make("div", "cells", ...columns)].filter(Boolean);
};
