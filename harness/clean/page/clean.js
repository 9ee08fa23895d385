// Actions: of a row, of all rows of a family or a kind, of all that the filter shows; each change can be undone, the last first.
const {columns, actions, verdicts, order, names, labels, sources} = JSON.parse(document.getElementById("verdicts").textContent);
const at = id => document.getElementById(id);
const ID = 0, KIND = 1, ACTION = 2, EVIDENCE = 4;
const undoable = [], alls = [];
let note = "", nChanged = 0;

function choice(label, values) {
  const select = document.createElement("select");
  for (const value of values) select.add(new Option(value));
  if (label) select.setAttribute("aria-label", label);
  select.autocomplete = "off";
  return select;
}

const rows = order.map(place => {
  const verdict = verdicts[place];
  return {verdict, label: names[labels[place]], source: sources[place], first: verdict[ACTION], changed: false, hidden: false, alls: [], box: null, select: null};
});
const textOf = row => row.text ??= (row.verdict.join(" ") + " " + row.label).toLowerCase();
// A class can be taken only where the evidence names it.
const mayRelabel = row => row.first === "relabel" || row.verdict[EVIDENCE].startsWith("to ");

// Boxes of rows: drawn, with their controls, when they come near the window. Thousands at once would take the browser seconds.
const AT_ONCE = 200;
const shelves = [...document.querySelectorAll(".family")].map(box => {
  const from = +box.dataset.from, own = rows.slice(from, from + +box.dataset.n), is = [...box.querySelectorAll(".row")];
  for (const [i, row] of own.entries()) if (is[i]) boxed(row, is[i]);
  return {box, rows: own, from, done: false, kind: box.closest("section").dataset.kind};
});
const byBox = new Map(shelves.map(shelf => [shelf.box, shelf]));

function boxed(row, box) {
  row.box = box;
  box.dataset.id = row.verdict[ID];
}
function element(tag, text = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
function drawn(row, kind) {
  const box = element("div"), [id, verdict, , , evidence] = row.verdict;
  if (row.source) box.append(Object.assign(new Image(), {src: row.source, alt: ""}));
  box.append(element("b", row.label), "id " + id, element("i"), element("span", (verdict === kind ? "" : verdict + ": ") + evidence));
  boxed(row, box);
  return box;
}
function draw(shelf) {
  if (shelf.done) return;
  shelf.done = true;
  near.unobserve(shelf.box);
  if (!shelf.rows[0].box) shelf.box.append(...shelf.rows.map(row => drawn(row, shelf.kind)));
  if (shelf.box.hasAttribute("role")) {
    const place = element("div");
    place.className = "all";
    shelf.box.prepend(place);
    allOf(place, shelf.rows, shelf.box.getAttribute("aria-label"));
  }
  for (const row of shelf.rows) {
    row.select = choice("action of " + row.verdict[ID], actions);
    row.box.querySelector("i").replaceWith(row.select);
    row.select.addEventListener("change", () => act([row], row.select.value));
    row.box.hidden = row.hidden;
    showRow(row);
  }
}
function showRow(row) {
  if (!row.select) return;
  row.select.value = row.verdict[ACTION];
  row.select.options[actions.indexOf("relabel")].disabled = !mayRelabel(row);
  row.box.className = "row " + row.verdict[ACTION] + (row.changed ? " changed" : "");
}
const near = new IntersectionObserver(seen => {
  for (const {target, isIntersecting} of seen) if (isIntersecting) draw(byBox.get(target));
}, {rootMargin: "1500px"});

// The controls of several rows: of a family, of a kind.
function allOf(place, own, of) {
  const label = document.createElement("label"), text = document.createTextNode("");
  const select = choice("", actions), mixed = new Option("mixed", "");
  mixed.disabled = mixed.hidden = true;
  select.prepend(mixed);
  label.append(text, select);
  place.append(label);
  const all = {of, text, select, rows: own};
  for (const row of own) row.alls.push(all);
  select.addEventListener("change", () => act(own, select.value));
  alls.push(all);
  showAll(all);
  countAll(all);
}
function showAll(all) {
  const action = all.rows[0].verdict[ACTION];
  all.select.value = all.rows.every(row => row.verdict[ACTION] === action) ? action : "";
  all.select.options[1 + actions.indexOf("relabel")].disabled = !all.rows.some(mayRelabel);
}
function countAll(all) {
  const n = all.rows.filter(row => !row.hidden).length, part = n < all.rows.length ? ` (${n.toLocaleString("en")} shown)` : "";
  all.text.data = `all ${rowsOf(all.rows.length)} of ${all.of}${part} `;
}
for (const place of document.querySelectorAll(".all")) {
  allOf(place, shelves.filter(shelf => place.parentNode.contains(shelf.box)).flatMap(shelf => shelf.rows), place.dataset.of);
}
for (const shelf of shelves) if (shelf.from < AT_ONCE) draw(shelf); else near.observe(shelf.box);
addEventListener("beforeprint", () => shelves.filter(shelf => !shelf.box.hidden).forEach(draw));

function rowsOf(n) { return n.toLocaleString("en") + (n === 1 ? " row" : " rows"); }

function act(chosen, action) {
  const able = action === "relabel" ? chosen.filter(mayRelabel) : chosen;
  const before = able.filter(row => row.verdict[ACTION] !== action).map(row => [row, row.verdict[ACTION]]);
  if (before.length) undoable.push({before, action});
  for (const [row] of before) row.verdict[ACTION] = action;
  const left = chosen.length - able.length;
  note = left ? `; ${rowsOf(left)} left as before: the evidence names no class` : "";
  show(chosen);
}

function undo() {
  const last = undoable.pop();
  if (!last) return;
  for (const [row, action] of last.before) row.verdict[ACTION] = action;
  note = "";
  show(last.before.map(([row]) => row));
}

function show(some) {
  for (const row of some) {
    const changed = row.verdict[ACTION] !== row.first;
    nChanged += changed - row.changed;
    row.changed = changed;
    showRow(row);
  }
  for (const all of new Set(some.flatMap(row => row.alls))) showAll(all);
  const last = undoable.at(-1);
  at("undo").textContent = last ? `Undo: ${rowsOf(last.before.length)} to ${last.action}` : "Nothing to undo";
  say((nChanged ? nChanged.toLocaleString("en") + " changed, not saved yet" : "nothing changed") + note);
}

function say(text) { at("changes").textContent = text; }

// The filter stays as it is while actions change: what was acted on stays in sight.
let shown = rows;
function filter() {
  const kind = at("kind").value, label = at("class").value, action = at("action").value;
  const words = at("text").value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = row => (!kind || row.verdict[KIND] === kind) && (!label || row.label === label) &&
    (!action || row.verdict[ACTION] === action) && words.every(word => textOf(row).includes(word));
  shown = rows.filter(row => {
    row.hidden = !fits(row);
    if (row.box) row.box.hidden = row.hidden;
    return !row.hidden;
  });
  at("count").textContent = `${shown.length.toLocaleString("en")} of ${rowsOf(rows.length)} shown`;
  at("to").previousSibling.textContent = `Set all ${shown.length.toLocaleString("en")} shown to `;
  for (const shelf of shelves) shelf.box.hidden = shelf.rows.every(row => row.hidden);
  for (const section of document.querySelectorAll("section")) section.hidden = !section.querySelector(".family:not([hidden])");
  alls.forEach(countAll);
}
for (const id of ["kind", "class", "action"]) at(id).addEventListener("change", filter);
at("text").addEventListener("input", filter);
at("set").addEventListener("click", () => act(shown, at("to").value));
at("undo").addEventListener("click", undo);

// Served by harness.board: actions are read from clean.csv and saved there.
const served = location.protocol === "http:";
function take(standing) {
  const known = new Map(Object.entries(standing));
  for (const row of rows) {
    if (!known.has(row.verdict[ID])) continue;
    if (row.verdict[ACTION] === row.first) row.verdict[ACTION] = known.get(row.verdict[ID]);
    row.first = known.get(row.verdict[ID]);
  }
  show(rows);
}
if (served) fetch("verdicts").then(answer => answer.ok ? answer.json() : {}).then(take, () => say("the server does not answer"));

async function put() {
  const changed = rows.filter(row => row.verdict[ACTION] !== row.first).map(row => [row, row.verdict[ACTION]]);
  const posted = Object.fromEntries(changed.map(([row, action]) => [row.verdict[ID], action]));
  try {
    const answer = await fetch("verdicts", {
      method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(posted),
    });
    if (!answer.ok) return say("not saved: " + await answer.text());
    for (const [row, action] of changed) row.first = action; // what was changed since then is still to be saved
    show(rows);
    say(`${changed.length.toLocaleString("en")} changed, saved in clean.csv`);
  } catch { say("not saved: the server does not answer"); }
}

const cell = text => /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
const csv = () => [columns, ...verdicts].map(line => line.map(cell).join(",") + "\n").join("");
at("save").addEventListener("click", () => {
  if (served) return put();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], {type: "text/csv"}));
  link.download = "clean.csv";
  link.click();
  say("saved in your downloads; put it in its place");
});

at("filter").hidden = at("bar").hidden = false;
show(rows);
filter();
