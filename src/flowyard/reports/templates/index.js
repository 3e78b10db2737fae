
"use strict";
(() => {
  const form = document.querySelector(".filter");
  if (!form) return;
  const words = document.getElementById("words");
  const verdict = document.getElementById("verdict");
  const found = document.getElementById("found");
  const rows = [...document.querySelectorAll("[data-search]")];
  const texts = new Map(rows.map((row) => [row, row.dataset.search.toLowerCase()]));

  const fits = (row, wanted) =>
    (!verdict.value || row.dataset.verdict === verdict.value) && wanted.every((word) => texts.get(row).includes(word));

  const show = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) row.hidden = !fits(row, wanted);
    const left = rows.filter((row) => !row.hidden).length;
    found.textContent = `${left} of ${rows.length} executions`;
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  words.addEventListener("input", show);
  verdict.addEventListener("change", show);
  show();
})();
