"use strict";
// The served board: asks its own server every two seconds what runs, and compares the runs that are ticked. Texts are set as text, never as HTML.
const PAUSE = 2000;
const section = document.getElementById("s1").parentElement;
let version = null, shown = "";

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const fixed = (value, digits) => value === undefined || value === null ? "" : value.toFixed(digits);

function span(seconds) {
  if (seconds === undefined || seconds === null) return "";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

// Training loss as a line, validation loss as a dashed one.
function spark(points) {
  const values = points.flatMap(([, ...losses]) => losses).filter(Number.isFinite);
  if (points.length < 2 || !values.length) return "";
  const space = "http://www.w3.org/2000/svg", [width, height] = [120, 32];
  const low = Math.min(...values), high = Math.max(...values), first = points[0][0], last = points.at(-1)[0];
  const svg = document.createElementNS(space, "svg");
  for (const [key, value] of [["viewBox", `0 0 ${width} ${height}`], ["width", width], ["height", height], ["role", "img"],
    ["aria-label", `losses by epoch, from ${high.toFixed(3)} to ${low.toFixed(3)}`]]) svg.setAttribute(key, value);
  for (const column of [1, 2]) {
    const line = document.createElementNS(space, "polyline");
    const at = points.filter(point => Number.isFinite(point[column])).map(point =>
      `${(2 + (width - 4) * (point[0] - first) / (last - first || 1)).toFixed(1)},${(height - 2 - (height - 4) * (point[column] - low) / (high - low || 1)).toFixed(1)}`);
    for (const [key, value] of [["points", at.join(" ")], ["fill", "none"], ["stroke", "currentColor"], ["stroke-width", 1.5],
      ["stroke-dasharray", column === 2 ? "3 2" : "none"]]) line.setAttribute(key, value);
    svg.append(line);
  }
  return svg;
}

const HEADS = ["run", "fold", "epoch", "done", "training loss", "validation loss", "validation score", "images/s", "left of fold", "left of run", "losses"];
const NUMBERS = new Set(HEADS.slice(3, 8));

function runName(run) {
  const text = `${run.place}: ${run.run}`;
  return run.href ? element("a", {href: run.href}, text) : text;
}

function rowsOf(run) {
  if (!run.folds.length) return [[runName(run), `${run.done} of ${run.k} done`, "", "", "", "", "", "", "", span(run.left), ""]];
  return run.folds.map(f => [
    runName(run), f.fold, f.epochs ? `${f.epoch} of ${f.epochs}` : "", f.total ? `${Math.floor(100 * f.done / f.total)} %` : "",
    fixed(f.loss, 4), fixed(f.valid_loss, 4), fixed(f.valid_score, 4), fixed(f.images_per_s, 0), span(f.left), span(run.left), spark(f.curve),
  ]);
}

function table(running) {
  const head = element("tr", {}, ...HEADS.map(name => element("th", {scope: "col", class: NUMBERS.has(name) ? "n" : ""}, name)));
  const body = running.flatMap(rowsOf).map(cells => element("tr", {}, ...cells.map((cell, i) =>
    i ? element("td", {class: NUMBERS.has(HEADS[i]) ? "n" : ""}, cell) : element("th", {scope: "row"}, cell))));
  return element("div", {class: "scroll", role: "group", "aria-label": "Running now"},
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

function blocks(told) {
  const made = [told.running.length ? table(told.running) : element("p", {}, "Nothing runs now.")];
  for (const study of told.studies) {
    const counts = Object.entries(study.trials).filter(([, n]) => n).map(([state, n]) => `${n} ${state}`).join(", ");
    made.push(element("p", {}, `${study.place}, study ${study.study}: ${counts || "begun"}`));
  }
  for (const play of told.plays) {
    const steps = play.steps.map(([what, state]) => element("li", {}, `${what}: ${state}`));
    made.push(element("p", {}, `${play.place}, ${play.play}: the last steps of its plan`), element("ol", {}, ...steps));
  }
  return made;
}

const note = element("p", {class: "lead"}, "Follows what runs.");
const lost = element("p", {role: "status"});
section.append(note, lost);

function show(told) {
  const content = JSON.stringify([told.running.map(r => ({...r, folds: r.folds.map(f => ({...f, age: 0}))})), told.studies, told.plays]);
  if (content !== shown) {
    const focused = section.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    section.replaceChildren(section.firstElementChild, ...blocks(told), note, lost);
    if (focused) [...section.querySelectorAll("a")].find(a => a.getAttribute("href") === focused)?.focus();
    if (typeof focusable === "function") { boxes.push(...section.querySelectorAll(".scroll")); focusable(); }
    shown = content;
    document.querySelector(".cards b").textContent = told.running.length;
  }
  note.textContent = `Follows what runs; as of ${new Date(1000 * told.at).toLocaleTimeString()}.`;
  if (version === null) { version = told.version; tickable(told.finished); } else if (version !== told.version) renew();
}

function renew() {
  if (!ticked.size && ![...document.querySelectorAll("input[type=search]")].some(i => i.value)) location.reload();
  else if (!section.querySelector(".renew")) lost.replaceChildren(element("a", {href: "", class: "renew"}, "Runs have changed: show them (what is ticked is forgotten)"));
}

async function ask() {
  if (!document.hidden) {
    try {
      const answer = await fetch("../live.json", {cache: "no-store", signal: AbortSignal.timeout(20000)});
      if (!answer.ok) throw new Error(answer.status);
      if (lost.textContent.startsWith("The server")) lost.textContent = "";
      show(await answer.json());
    } catch {
      lost.textContent = "The server does not answer: is harness.board --serve still there?";
    }
  }
  setTimeout(ask, PAUSE);
}

// Runs to compare.
const ticked = new Map();
const bar = element("div", {class: "bar", role: "region", "aria-label": "Compare runs", hidden: ""});
document.body.append(bar);

function tickable(finished) {
  for (const row of document.querySelectorAll("main tbody tr")) {
    const link = row.cells[0].querySelector("a"), told = link && finished[link.getAttribute("href")];
    if (!told) continue;
    const box = element("input", {type: "checkbox", "aria-label": `compare ${told[1]}`});
    box.addEventListener("change", () => { box.checked ? ticked.set(box, told) : ticked.delete(box); offer(); });
    link.before(box, " ");
  }
}

function offer() {
  const runs = [...ticked.values()], slugs = new Set(runs.map(([slug]) => slug));
  bar.hidden = !runs.length;
  const said = `${runs.length} ${runs.length === 1 ? "run" : "runs"} ticked. `;
  if (runs.length < 2) bar.replaceChildren(said, "Tick another to compare them.");
  else if (slugs.size > 1) bar.replaceChildren(said, "They are of several competitions: only runs of one can be compared.");
  else {
    const query = runs.map(([, run]) => `run=${encodeURIComponent(run)}`).join("&");
    bar.replaceChildren(said, element("a", {href: `${encodeURIComponent(runs[0][0])}/compare-runs.html?${query}`}, "Compare them"));
  }
}

ask();
