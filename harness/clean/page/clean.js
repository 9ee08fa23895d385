// Actions: of a row, of all rows of a family or a kind, of all that the filter shows; each change can be undone, the last first.
const {columns, actions, verdicts, order} = JSON.parse(document.getElementById("verdicts").textContent);
const at = id => document.getElementById(id);
const ID = 0, KIND = 1, ACTION = 2, EVIDENCE = 4;
const undoable = [];
let note = "", nChanged = 0;

function choice(label, values) {
  const select = document.createElement("select");
  for (const value of values) select.add(new Option(value));
  if (label) select.setAttribute("aria-label", label);
  select.autocomplete = "off";
  return select;
}

const rows = [...document.querySelectorAll(".row")].map((box, place) => {
  const verdict = verdicts[order[place]], label = box.querySelector("b").textContent;
  const text = (verdict.join(" ") + " " + label).toLowerCase();
  box.dataset.id = verdict[ID];
  return {box, verdict, label, text, first: verdict[ACTION], alls: [], select: null};
});
const byBox = new Map(rows.map(row => [row.box, row]));
// A class can be taken only where the evidence names it.
const mayRelabel = row => row.first === "relabel" || row.verdict[EVIDENCE].startsWith("to ");

// A row gets its control when it comes near the window: thousands at once would take the browser a second.
const AT_ONCE = 200;
function control(row) {
  if (row.select) return;
  row.select = choice("action of " + row.verdict[ID], actions);
  row.box.querySelector("i").replaceWith(row.select);
  row.select.addEventListener("change", () => act([row], row.select.value));
  showControl(row);
}
function showControl(row) {
  row.select.value = row.verdict[ACTION];
  row.select.options[actions.indexOf("relabel")].disabled = !mayRelabel(row);
}
const near = new IntersectionObserver(seen => {
  for (const {target, isIntersecting} of seen) if (isIntersecting) { control(byBox.get(target)); near.unobserve(target); }
}, {rootMargin: "1500px"});
for (const [place, row] of rows.entries()) place < AT_ONCE ? control(row) : near.observe(row.box);

// The controls of several rows: of a family, of a kind.
const alls = [...document.querySelectorAll(".all")].map(place => {
  const own = [...place.parentNode.querySelectorAll(".row")].map(box => byBox.get(box));
  const label = document.createElement("label"), text = document.createTextNode("");
  const select = choice("", actions), mixed = new Option("mixed", "");
  mixed.disabled = mixed.hidden = true;
  select.prepend(mixed);
  label.append(text, select);
  place.append(label);
  const all = {of: place.dataset.of, text, select, rows: own};
  for (const row of own) row.alls.push(all);
  select.addEventListener("change", () => act(own, select.value));
  return all;
});

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
    const action = row.verdict[ACTION], changed = action !== row.first;
    nChanged += changed - row.box.classList.contains("changed");
    if (row.select) showControl(row); else row.box.querySelector("i").textContent = action;
    const name = "row " + action + (changed ? " changed" : "");
    if (row.box.className !== name) row.box.className = name;
  }
  for (const all of new Set(some.flatMap(row => row.alls))) {
    const action = all.rows[0].verdict[ACTION];
    all.select.value = all.rows.every(row => row.verdict[ACTION] === action) ? action : "";
    all.select.options[1 + actions.indexOf("relabel")].disabled = !all.rows.some(mayRelabel);
  }
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
    (!action || row.verdict[ACTION] === action) && words.every(word => row.text.includes(word));
  shown = rows.filter(row => !(row.box.hidden = !fits(row)));
  at("count").textContent = `${shown.length.toLocaleString("en")} of ${rowsOf(rows.length)} shown`;
  at("to").previousSibling.textContent = `Set all ${shown.length.toLocaleString("en")} shown to `;
  for (const box of document.querySelectorAll("section, .family")) box.hidden = !box.querySelector(".row:not([hidden])");
  for (const all of alls) {
    const n = all.rows.filter(row => !row.box.hidden).length, part = n < all.rows.length ? ` (${n.toLocaleString("en")} shown)` : "";
    all.text.data = `all ${rowsOf(all.rows.length)} of ${all.of}${part} `;
  }
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
