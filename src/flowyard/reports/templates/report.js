
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const panels = all(".panel");
  const tabs = all("[role=tab]");
  const search = document.getElementById("search");
  const found = document.querySelector(".found");
  const texts = new WeakMap();
  let show = "all";
  let current = 0;

  const textOf = (article) => {
    if (!texts.has(article)) texts.set(article, article.textContent.toLowerCase());
    return texts.get(article);
  };

  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    panels.forEach((panel, place) => { panel.hidden = place !== current; });
    tabs.forEach((tab, place) => {
      tab.setAttribute("aria-selected", String(place === current));
      tab.tabIndex = place === current ? 0 : -1;
    });
    const panel = panels[current];
    if (!panel) return;
    const articles = all("article", panel);
    let count = 0;
    for (const article of articles) {
      const kept = show === "all" || article.dataset[show] === "true";
      article.hidden = !(kept && words.every((word) => textOf(article).includes(word)));
      count += article.hidden ? 0 : 1;
    }
    for (const kind of all(".kind", panel)) kind.hidden = !kind.querySelector("article:not([hidden])");
    panel.querySelector(".empty").hidden = count > 0 || articles.length === 0;
    found.textContent = `${count.toLocaleString("en")} of ${articles.length.toLocaleString("en")} lines`;
  };

  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const place = target ? panels.findIndex((panel) => panel.contains(target)) : -1;
    if (place < 0) return;
    current = place;
    setShow("all");
    search.value = "";
    apply();
    target.scrollIntoView();
  };

  const setShow = (value) => {
    show = value;
    for (const button of all("[data-show]")) button.setAttribute("aria-pressed", String(button.dataset.show === value));
  };

  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => { current = place; apply(); });
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      current = (place + step + tabs.length) % tabs.length;
      apply();
      tabs[current].focus();
    });
  });
  for (const button of all("[data-show]")) {
    button.addEventListener("click", () => { setShow(button.dataset.show); apply(); });
  }
  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 120); });
  window.addEventListener("hashchange", reveal);

  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    for (const item of closed) item.open = true;
  });
  window.addEventListener("afterprint", () => { for (const item of closed) item.open = false; });

  document.documentElement.classList.add("js");
  document.querySelector(".tools").hidden = false;
  apply();
  reveal();
})();
