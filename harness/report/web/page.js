"use strict";
// Tables that sort by a click or a key on a column's head, and filter by words. Without this script every row is shown, in the page's order.
for (const table of document.querySelectorAll("main table")) {
  const body = table.tBodies[0], rows = body ? [...body.rows] : [];
  if (rows.length < 2) continue;
  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) sortable(body, rows, head, column);
  if (rows.length > 10) filterable(table, rows);
}

function sortable(body, rows, head, column) {
  const button = document.createElement("button"), numbers = head.classList.contains("n");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const now = head.getAttribute("aria-sort"), first = numbers ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = now === first ? other : now === other ? null : first;
    for (const one of head.parentNode.cells) one.removeAttribute("aria-sort");
    if (order) head.setAttribute("aria-sort", order);
    body.append(...(order ? sorted(rows, column, numbers, order === "ascending" ? 1 : -1) : rows));
  });
}

function sorted(rows, column, numbers, sign) {
  const keyed = rows.map(row => [numbers ? number(row.cells[column]) : row.cells[column].textContent.trim(), row]);
  const missing = key => numbers ? Number.isNaN(key) : key === "";
  const text = new Intl.Collator(undefined, {numeric: true});
  keyed.sort(([a], [b]) => missing(a) || missing(b) ? missing(a) - missing(b) : sign * (numbers ? a - b : text.compare(a, b)));
  return keyed.map(([, row]) => row);
}

function number(cell) {
  const found = cell.textContent.match(/^\s*[+-]?[\d,]*\.?\d+(e[+-]?\d+)?/i);
  return found ? parseFloat(found[0].replaceAll(",", "")) : NaN;
}

function filterable(table, rows) {
  const bar = document.createElement("div"), label = document.createElement("label");
  const input = document.createElement("input"), count = document.createElement("span");
  bar.className = "filter"; count.className = "count"; count.setAttribute("role", "status");
  input.type = "search";
  label.append("Filter ", input);
  bar.append(label, count);
  (table.closest(".scroll") || table).before(bar);
  const texts = rows.map(row => row.textContent.toLowerCase());
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    rows.forEach((row, i) => n += !(row.hidden = !words.every(word => texts[i].includes(word))));
    count.textContent = words.length ? `${n} of ${rows.length} rows` : "";
  });
}

// A box takes the keyboard's focus only where there is something to scroll.
const boxes = [...document.querySelectorAll(".scroll")];
const focusable = () => boxes.forEach(box => {
  if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0; else box.removeAttribute("tabindex");
});
addEventListener("resize", focusable);
focusable();
