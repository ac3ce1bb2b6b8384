"use strict";
// What a page can do beyond being read: sort and filter its tables, fold its trees, change its light.
{
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const valueOf = (cell) => cell.dataset.value ?? cell.textContent;

  for (const controls of all(".controls")) controls.hidden = false;

  const byNumber = (a, b) => Number(a) - Number(b);
  const byText = new Intl.Collator(undefined, { numeric: true }).compare;

  const sortable = (table) => {
    const body = table.tBodies[0];
    const asWritten = [...body.rows];
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      const number = head.classList.contains("number");
      const compare = number ? byNumber : byText;
      const order = number ? ["descending", "ascending"] : ["ascending", "descending"];
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const next = order[order.indexOf(head.getAttribute("aria-sort")) + 1] ?? "none";
        for (const other of heads) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", next);
        const sign = next === "ascending" ? 1 : -1;
        const rows = [...asWritten];
        if (next !== "none") {
          rows.sort((one, other) => {
            const [a, b] = [one, other].map((row) => valueOf(row.cells[column]));
            // an empty cell is last, whichever the order
            return a === "" || b === "" ? (a === "") - (b === "") : sign * compare(a, b);
          });
        }
        body.append(...rows);
      });
    });
  };

  const filterable = (field) => {
    const table = document.getElementById(field.dataset.filters);
    const status = document.getElementById(field.dataset.filters.replace("table", "status"));
    const rows = [...table.tBodies[0].rows];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const sums = all("thead th", table)
      .map((head, column) => ({ head, column }))
      .filter(({ head }) => "sums" in head.dataset)
      .map(({ head, column }) => ({
        title: head.textContent.replace(/ \([^()]*\)$/, ""),
        values: rows.map((row) => Number(valueOf(row.cells[column]))),
      }));
    const show = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      const shown = texts.map((text) => words.every((word) => text.includes(word)));
      rows.forEach((row, i) => { row.hidden = !shown[i]; });
      const shares = sums.map(({ title, values }) => {
        const add = (total, value) => total + value;
        const part = values.filter((_, i) => shown[i]).reduce(add, 0);
        const whole = values.reduce(add, 0);
        return whole ? `${(100 * part / whole).toFixed(1)}% of ${title}` : "";
      }).filter(Boolean);
      const count = `${shown.filter(Boolean).length} of ${rows.length} ${table.dataset.rows}`;
      status.textContent = [count, ...shares].join(", ");
    };
    field.addEventListener("input", show);
    field.form.addEventListener("submit", (event) => event.preventDefault());
    show();
  };

  all("table.sheet").forEach(sortable);
  all("input[data-filters]").forEach(filterable);

  for (const button of all("button[data-folds]")) {
    button.addEventListener("click", () => {
      const tree = document.getElementById(button.dataset.folds);
      for (const part of all("details", tree)) part.open = "open" in button.dataset;
    });
  }

  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
}
