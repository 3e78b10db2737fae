// The page to try a flow. All text of others is put in as text, never as HTML.
const part = (id) => document.getElementById(id);
const made = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const flow = await (await fetch("page.json")).json();
const chat = flow.chat;
let history = [];
let running = null;

const RAW = new Set(["list", "object", "image"]);

function field(input) {
  const id = `input-${input.name}`;
  const about = [input.type, input.required ? "" : "optional", input.description].filter(Boolean).join(" · ");
  const label = made("label", { htmlFor: id }, input.name, " ", made("span", { className: "about" }, about));
  let box;
  if (input.type === "bool") {
    box = made("select", {}, ...["", "true", "false"].map((value) => made("option", { value }, value)));
  } else if (input.type === "int" || input.type === "double") {
    box = made("input", { type: "number", step: input.type === "int" ? "1" : "any" });
  } else {
    box = made("textarea", { rows: RAW.has(input.type) ? 4 : 2 });
  }
  const known = input.default ?? null;
  box.value = known === null ? "" : typeof known === "string" ? known : JSON.stringify(known);
  box.id = id;
  box.name = input.name;
  box.dataset.type = input.type;
  return [label, box];
}

function given(input) {
  const text = part(`input-${input.name}`).value;
  if (text === "" && !(input.required && input.type === "string")) return undefined;
  if (input.type === "int" || input.type === "double") return Number(text);
  if (input.type === "bool") return text === "true";
  if (!RAW.has(input.type)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const asData = (file) =>
  new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });

async function pictures() {
  const urls = await Promise.all([...part("files").files].map(asData));
  if (flow.format === "openai-vision") return urls.map((url) => ({ type: "image_url", image_url: { url } }));
  return urls.map((url) => ({ [`${url.slice(0, url.indexOf(";"))};base64`]: url.slice(url.indexOf(",") + 1) }));
}

async function question(text) {
  const found = chat.pictures ? await pictures() : [];
  const type = flow.inputs.find((input) => input.name === chat.question).type;
  if (type === "image") return found[0] ?? text;
  if (type !== "list" && found.length === 0) return text;
  const words = flow.format === "openai-vision" ? { type: "text", text } : text;
  return [...(text ? [words] : []), ...found];
}

function pictureIn(value) {
  if (value?.type === "image_url" && value.image_url?.url?.startsWith("data:image/")) return value.image_url.url;
  const keys = value && typeof value === "object" && !Array.isArray(value) ? Object.keys(value) : [];
  const [, mime] = (keys.length === 1 && /^data:(image\/[\w.+-]+);base64$/.exec(keys[0])) || [];
  return mime ? `data:${mime};base64,${value[keys[0]]}` : null;
}

// Any value as text and pictures.
function show(element, value) {
  const plain = (each) => typeof each === "string" || typeof each?.text === "string" || pictureIn(each);
  const items = Array.isArray(value) && value.length && value.every(plain) ? value : [value];
  element.replaceChildren(
    ...items.map((item) => {
      const src = pictureIn(item);
      if (src) return made("img", { src, alt: "A picture of this answer or question" });
      const text = item?.type === "text" ? item.text : item;
      return made("p", { className: "said" }, typeof text === "string" ? text : JSON.stringify(text, null, 2));
    }),
  );
}

function turn(who, className) {
  const body = made("div");
  part("turns").append(made("li", { className }, made("span", { className: "who" }, who), body));
  body.scrollIntoView({ block: "nearest" });
  return body;
}

// The events of an answer, one at a time.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").find((line) => line.startsWith("data: "));
      if (data) yield [block.startsWith("event: error"), JSON.parse(data.slice(6))];
    }
  }
}

// Runs the flow; `seen` gets all outputs so far whenever there is more.
async function run(inputs, seen) {
  running = new AbortController();
  const response = await fetch("score", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/event-stream, application/json" },
    body: JSON.stringify(inputs),
    signal: running.signal,
  });
  if (!response.ok) throw new Error((await response.json()).error.message);
  const outputs = {};
  const begun = new Set();
  let first = true;
  for await (const [failed, data] of events(response)) {
    if (failed) throw new Error(data.error.message);
    for (const [name, value] of Object.entries(data)) {
      outputs[name] = begun.has(name) ? `${outputs[name]}${value}` : value;
      begun.add(name);
    }
    first = false;
    seen(outputs);
  }
  if (first) seen(outputs);
  return outputs;
}

function busy(yes) {
  part("send").disabled = yes;
  part("stop").hidden = !yes;
  document.body.dataset.busy = yes;
}

const answerOf = (outputs) => outputs[chat.answer] ?? Object.values(outputs)[0] ?? "";

async function talk() {
  const box = part(`input-${chat.question}`);
  const asked = await question(box.value);
  const inputs = others();
  show(turn("You", "asked"), asked);
  const body = turn(flow.name, "answered");
  box.value = "";
  part("files").value = "";
  const outputs = await run({ ...inputs, [chat.question]: asked, [chat.history]: history }, (so) => show(body, answerOf(so)));
  history = chat.openai
    ? [...history, { role: "user", content: asked }, { role: "assistant", content: answerOf(outputs) }]
    : [...history, { inputs: { [chat.question]: asked }, outputs }];
  box.focus();
}

async function once() {
  const result = part("result");
  result.hidden = false;
  result.replaceChildren();
  await run(others(), (outputs) => {
    result.replaceChildren(
      ...Object.entries(outputs).map(([name, value]) => {
        const body = made("div");
        show(body, value);
        return made("div", {}, made("span", { className: "who" }, name), body);
      }),
    );
  });
}

function others() {
  const values = {};
  for (const input of flow.inputs) {
    if (chat && (input.name === chat.question || input.name === chat.history)) continue;
    const value = given(input);
    if (value !== undefined) values[input.name] = value;
  }
  return values;
}

document.title = flow.name;
part("name").textContent = flow.name;
part("simulated").hidden = !flow.simulated;
const asked = flow.inputs.filter((input) => !chat || input.name !== chat.history);
if (chat) asked.sort((one, two) => (one.name === chat.question) - (two.name === chat.question));
part("fields").append(...asked.flatMap(field));
if (chat) {
  part("turns").hidden = part("again").hidden = false;
  part("pictures").hidden = !chat.pictures;
  part("send").textContent = "Send";
  part(`input-${chat.question}`).addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      part("ask").requestSubmit();
    }
  });
}
part("again").addEventListener("click", () => {
  running?.abort();
  history = [];
  part("turns").replaceChildren();
});
part("stop").addEventListener("click", () => running?.abort());
part("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (part("send").disabled) return;
  const failure = part("failure");
  failure.hidden = true;
  busy(true);
  try {
    await (chat ? talk() : once());
  } catch (error) {
    failure.textContent = error.name === "AbortError" ? "Stopped." : error.message;
    failure.hidden = false;
  } finally {
    running = null;
    busy(false);
  }
});
document.body.dataset.ready = true;
