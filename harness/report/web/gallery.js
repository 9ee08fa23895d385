"use strict";
// Galleries: filtered by what is known of the pictures, each enlarged by a click or a key, with its probabilities. Without this script all are shown.
{
const make = (tag, text = "", name = "") => {
  const element = document.createElement(tag);
  element.textContent = text;
  if (name) element.className = name;
  return element;
};
const button = (text, act) => {
  const made = make("button", text);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
};
const percent = value => (100 * value).toFixed(1) + " %";
const names = new Intl.Collator("en", {numeric: true});
const view = enlarged();

for (const list of document.querySelectorAll(".gallery")) {
  const shots = [...list.children].map(item => {
    const shot = {facts: {}, bars: [], ...JSON.parse(item.dataset.shot), item, image: item.querySelector("img"), caption: item.querySelector("span").textContent};
    const open = button("", () => view.show(shot, shots.filter(one => !one.item.hidden)));
    open.className = "open";
    open.setAttribute("aria-haspopup", "dialog");
    open.setAttribute("aria-label", "Enlarge: " + shot.caption);
    shot.image.replaceWith(open);
    open.append(shot.image);
    return shot;
  });
  if (shots.length > 1) filters(list, shots);
}

// Controls for what is there: a choice for each fact of which there are several values, a range where probabilities differ.
function filters(list, shots) {
  const bar = make("div", "", "filter"), count = make("span", "", "count"), tests = [];
  const labelled = (text, control, place = bar) => {
    const label = make("label", text + " ");
    control.autocomplete = "off";
    control.addEventListener("input", apply);
    label.append(control);
    place.append(label);
    return control;
  };
  for (const key of new Set(shots.flatMap(shot => Object.keys(shot.facts)))) {
    const counts = new Map();
    for (const {facts} of shots) if (key in facts) counts.set(facts[key], 1 + (counts.get(facts[key]) || 0));
    if (counts.size < 2) continue;
    const select = labelled(key, make("select"));
    select.add(new Option("all", ""));
    for (const value of [...counts.keys()].sort(names.compare)) select.add(new Option(`${value} (${counts.get(value)})`, "=" + value));
    tests.push({reset: () => select.value = "", fits: shot => !select.value || "=" + shot.facts[key] === select.value});
  }
  const sure = shots.filter(shot => "sure" in shot).map(shot => shot.sure);
  if (sure.length && Math.min(...sure) < Math.max(...sure)) {
    const least = Math.floor(100 * Math.min(...sure)), most = Math.ceil(100 * Math.max(...sure));
    const range = make("span", "", "range");
    bar.append(range);
    const limit = (text, value) => {
      const input = labelled(text, make("input"), range);
      Object.assign(input, {type: "number", min: least, max: most, value, step: "any"});
      return input;
    };
    const from = limit("confidence in % from", least), to = limit("to", most);
    const of = (input, otherwise) => input.value === "" ? otherwise : +input.value;
    tests.push({
      reset: () => { from.value = least; to.value = most; },
      fits: shot => 100 * (shot.sure ?? NaN) >= of(from, least) && 100 * shot.sure <= of(to, most) || of(from, least) <= least && of(to, most) >= most,
    });
  }
  if (!tests.length) return;
  const clear = button("Show all", () => { for (const test of tests) test.reset(); apply(); });
  bar.append(clear, count);
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", (list.closest("section")?.querySelector("h2").textContent ?? "") + ": which pictures");
  count.setAttribute("role", "status");
  list.closest(".scroll").before(bar);
  function apply() {
    let n = 0;
    for (const shot of shots) n += !(shot.item.hidden = !tests.every(test => test.fits(shot)));
    count.textContent = n < shots.length ? `${n} of ${shots.length} pictures` : `${n} pictures`;
    clear.disabled = n === shots.length;
    dispatchEvent(new Event("resize"));
  }
  apply();
}

// One dialog for all galleries of the page. Escape closes it, the arrow keys go to the picture before and the next.
function enlarged() {
  const dialog = make("dialog", "", "shot"), title = make("h2"), image = make("img"), place = make("span", "", "count");
  const facts = make("dl"), bars = make("ul", "", "bars"), said = make("div"), row = make("div", "", "turn");
  const before = button("\u2190 Previous", () => turn(-1)), next = button("Next \u2192", () => turn(1));
  let shots = [], at = 0;
  title.id = "shot-title";
  dialog.setAttribute("aria-labelledby", title.id);
  said.setAttribute("aria-live", "polite");
  bars.setAttribute("aria-label", "Probabilities");
  said.append(title, facts, bars);
  row.append(before, place, next, button("Close", () => dialog.close()));
  dialog.append(image, said, row);
  document.body.append(dialog);
  dialog.addEventListener("keydown", event => {
    const step = {ArrowLeft: -1, ArrowRight: 1, Home: -at, End: shots.length - 1 - at}[event.key];
    if (step === undefined) return;
    event.preventDefault();
    turn(step);
  });
  dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => shots[at].item.querySelector(".open").focus());

  function turn(step) {
    at = Math.min(Math.max(at + step, 0), shots.length - 1);
    const shot = shots[at];
    image.src = shot.image.src;
    image.alt = shot.caption;
    image.classList.toggle("small", shot.image.naturalWidth <= 64 && shot.image.naturalHeight <= 64);
    title.textContent = shot.caption;
    const known = [...Object.entries(shot.facts), ...(shot.id ? [["id", shot.id]] : []), ...("sure" in shot ? [["confidence", percent(shot.sure)]] : [])];
    facts.replaceChildren(...known.flatMap(([key, value]) => [make("dt", key), make("dd", value)]));
    bars.replaceChildren(...shot.bars.map(([name, value, own]) => {
      const item = make("li", "", own ? "own" : ""), share = make("span", "", "share");
      share.style.width = 100 * Math.min(Math.max(value, 0), 1) + "%";
      item.append(make("span", own ? name + " (its label)" : name), make("span", percent(value)), share);
      return item;
    }));
    bars.hidden = !shot.bars.length;
    place.textContent = `${at + 1} of ${shots.length}`;
    before.disabled = at === 0;
    next.disabled = at === shots.length - 1;
    if (document.activeElement.disabled) dialog.querySelector("button:not(:disabled)").focus();
  }
  return {
    show(shot, among) {
      [shots, at] = [among, among.indexOf(shot)];
      turn(0);
      dialog.showModal();
    },
  };
}
}
