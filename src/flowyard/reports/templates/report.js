// The page: which dataset, which two versions, which lines of them, and the line that is open.
const state = { lines: null, left: 0, right: 0, metric: 0, show: "all", words: [], open: null, every: false, search: 0, wanted: 0 };
const datasets = [...document.querySelectorAll('script[id^="block-d"]')].filter((each) => /^block-d\d+$/.test(each.id));
const tabs = [...document.querySelectorAll("[role=tab]")];
const dialog = byId("line");
const search = byId("search");
const found = document.querySelector(".found");
const list = new List((line) => openLine(line));

const options = (select, names, chosen) => {
  select.replaceChildren(...names.map((name, place) => {
    const option = make("option", "", name);
    option.value = place;
    return option;
  }));
  select.value = chosen;
};

const isKept = (line, show) => {
  const { lines, left, right, metric } = state;
  if (show === "failed") return lines.failed(line, left) || lines.failed(line, right);
  if (show === "changed") return lines.changed(line, left, right);
  if (show === "all") return true;
  return lines.outcome(line, left, right, metric) === (show === "won" ? 1 : -1);
};

const everyLine = () => Array.from({ length: state.lines.length }, (_, line) => line);

// Lines with all words in them, chunk by chunk, so that the page stays quick; null when another search has begun.
const withWords = async (order, words) => {
  const searching = ++state.search;
  const number = words.length === 1 && /^#\d+$/.test(words[0]) ? Number(words[0].slice(1)) : null;
  if (number !== null) return order.filter((line) => state.lines.numbers[line] === number);
  if (!words.length) return order;
  const kept = [];
  let [chunk, texts] = [-1, []];
  for (const line of order) {
    if (state.lines.chunkOf(line) !== chunk) {
      chunk = state.lines.chunkOf(line);
      texts = await state.lines.searchTexts(chunk);
      if (searching !== state.search) return null;
      found.textContent = `searching… ${Math.round((100 * line) / state.lines.length)} %`;
    }
    if (words.every((word) => texts[line - state.lines.starts[chunk]].includes(word))) kept.push(line);
  }
  return kept;
};

const apply = async () => {
  const { lines } = state;
  for (const button of document.querySelectorAll("[data-show]")) {
    const number = everyLine().filter((line) => isKept(line, button.dataset.show)).length;
    button.setAttribute("aria-pressed", String(button.dataset.show === state.show));
    button.querySelector(".count").textContent = count(number);
    button.hidden = ["won", "lost"].includes(button.dataset.show) && !lines.metrics.length;
  }
  byId("left-name").textContent = lines.versions[state.left];
  byId("right-name").textContent = lines.versions[state.right];
  explain();
  const order = await withWords(everyLine().filter((line) => isKept(line, state.show)), state.words);
  if (order === null) return;
  found.textContent = `${count(order.length)} of ${plural(lines.length, "line")}`;
  list.show(lines, order, { left: state.left, right: state.right, metric: state.metric });
};

const explain = () => {
  const { lines, left, right, metric } = state;
  const scores = lines.metrics[metric];
  byId("explained").textContent = !scores || left === right ? ""
    : `Won: ${lines.versions[right]} scores better than ${lines.versions[left]} on ${scores.name} (${scores.higher ? "higher" : "lower"} is better). Changed: their outputs differ.`;
};

const openDataset = async (index) => {
  state.wanted = index;
  const opened = await Lines.open(index);
  if (state.wanted !== index) return; // another one was asked for since
  state.lines = opened;
  const { versions, metrics } = state.lines;
  Object.assign(state, { left: 0, right: versions.length > 1 ? 1 : 0, metric: 0, show: "all" });
  options(byId("left"), versions, state.left);
  options(byId("right"), versions, state.right);
  options(byId("metric"), metrics.map((metric) => metric.name), 0);
  document.querySelector(".pickers").hidden = versions.length < 2;
  byId("metric").closest("label").hidden = !metrics.length;
  list.selected = 0;
  list.box.scrollTop = 0;
  tabs.forEach((tab, place) => {
    tab.setAttribute("aria-selected", String(place === index));
    tab.tabIndex = place === index ? 0 : -1;
  });
  await apply();
};

const openLine = async (line) => {
  state.open = line;
  const { lines, left, right, metric } = state;
  const number = lines.numbers[line];
  const shown = state.every ? [left, ...lines.versions.keys()].filter((place, at, all) => all.indexOf(place) === at) : [...new Set([left, right])];
  byId("line-title").textContent = `Line ${number}`;
  byId("line-tags").replaceChildren(tag(lines, line, left, right, metric));
  byId("previous").disabled = list.order.indexOf(line) <= 0;
  byId("next").disabled = list.order.indexOf(line) >= list.order.length - 1;
  byId("every").hidden = lines.versions.length < 3;
  if (!dialog.open) dialog.showModal();
  history.replaceState(null, "", `#d${lines.index}-l${number}`);
  const body = await detail(lines, line, shown);
  if (state.open === line) byId("line-body").replaceChildren(...body);
  dialog.scrollTop = 0;
};

const step = (by) => {
  const place = list.order.indexOf(state.open) + by;
  if (place >= 0 && place < list.order.length) list.open(place);
};

// A link to a line: #d0-l17
const reveal = async () => {
  const match = /^#d(\d+)-l(-?\d+)$/.exec(location.hash);
  if (!match || !byId(`block-d${match[1]}`)) return;
  if (state.lines.index !== Number(match[1])) await openDataset(Number(match[1]));
  const line = state.lines.numbers.indexOf(Number(match[2]));
  if (line < 0 || (dialog.open && state.open === line)) return;
  Object.assign(state, { show: "all", words: [] });
  search.value = "";
  await apply();
  list.open(line);
};

const listen = () => {
  for (const name of ["left", "right", "metric"]) {
    byId(name).addEventListener("change", (event) => { state[name] = Number(event.target.value); apply(); });
  }
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => { state.show = button.dataset.show; list.box.scrollTop = 0; list.selected = 0; apply(); });
  }
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      state.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      list.box.scrollTop = 0;
      list.selected = 0;
      apply();
    }, 120);
  });
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => openDataset(place));
    tab.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      const next = (place + by + tabs.length) % tabs.length;
      tabs[next].focus();
      openDataset(next);
    });
  });
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("close").addEventListener("click", () => dialog.close());
  byId("every").addEventListener("click", (event) => {
    state.every = !state.every;
    event.target.setAttribute("aria-pressed", String(state.every));
    openLine(state.open);
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => {
    const by = event.altKey ? 0 : { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && !event.target.closest("pre")) step(by);
  });
  dialog.addEventListener("close", () => {
    state.open = null;
    history.replaceState(null, "", location.pathname + location.search);
    list.box.focus({ preventScroll: true });
  });
  window.addEventListener("hashchange", reveal);
};

const start = async () => {
  if (!datasets.length || !("DecompressionStream" in window)) return; // what needs no script stays in sight
  document.documentElement.classList.add("js");
  byId("explorer").hidden = false;
  listen();
  await openDataset(0);
  await reveal();
  document.documentElement.dataset.ready = "yes";
};
start();
