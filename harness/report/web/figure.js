"use strict";
// Figures say their values: at the mouse or a finger, and by a slider that takes the keyboard's focus. The values stand in the figure itself.
{
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);
let again = null; // what the focused slider shows, where the page has scrolled

for (const svg of document.querySelectorAll("figure svg[data-values]")) {
  const points = JSON.parse(svg.dataset.values).flatMap(([wide, high, of]) => of.map(([x, y, text]) => ({x, y, text, wide, high})));
  const mark = document.createElementNS(svg.namespaceURI, "circle");
  mark.setAttribute("class", "mark");
  mark.setAttribute("r", 5);
  mark.style.display = "none";
  svg.append(mark);

  const show = point => {
    mark.style.display = tip.hidden = "";
    mark.setAttribute("cx", point.x);
    mark.setAttribute("cy", point.y);
    tip.textContent = point.text;
    const {left, top} = mark.getBoundingClientRect(), wide = tip.offsetWidth, high = tip.offsetHeight;
    tip.style.left = Math.max(4, Math.min(left + 14, innerWidth - wide - 4)) + "px";
    tip.style.top = (top - high - 6 < 0 ? top + 18 : top - high - 6) + "px";
  };
  const hide = () => { mark.style.display = "none"; tip.hidden = true; };
  const nearest = event => {
    const {left, top, width} = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / width;
    const x = (event.clientX - left) * scale, y = (event.clientY - top) * scale;
    let found = null, least = 1;
    for (const point of points) {
      const away = Math.max(Math.abs(x - point.x) / point.wide, Math.abs(y - point.y) / point.high);
      if (away <= least) [found, least] = [point, away];
    }
    return found;
  };
  const at = event => {
    const point = nearest(event);
    if (point) show(point); else hide();
  };
  svg.addEventListener("pointermove", at);
  svg.addEventListener("pointerdown", at);
  svg.addEventListener("pointerleave", hide);

  const slider = document.createElement("input");
  Object.assign(slider, {type: "range", className: "reader", min: 1, max: points.length, value: 1, autocomplete: "off"});
  slider.setAttribute("aria-label", "Values of the figure: " + svg.getAttribute("aria-label"));
  const read = () => {
    const point = points[slider.value - 1];
    slider.setAttribute("aria-valuetext", point.text);
    return point;
  };
  read();
  const go = () => {
    show(read());
    mark.scrollIntoView({block: "nearest", inline: "nearest"});
    show(read());
  };
  slider.addEventListener("input", go);
  slider.addEventListener("focus", () => { again = () => show(read()); go(); });
  slider.addEventListener("blur", () => { again = null; hide(); });
  svg.closest(".scroll").after(slider);
}
addEventListener("scroll", () => again ? again() : tip.hidden = true, {passive: true, capture: true});
}
