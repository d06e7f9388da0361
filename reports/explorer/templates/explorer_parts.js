// Pieces that several views share. Text only ever enters the page as text, never as HTML.

function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "colour") element.style.setProperty("--own", value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Black cannot be seen on dark paper.
function colourOf(label) {
  const colour = editorOf(label)?.colour ?? "#888888";
  return colour === "#000000" ? "var(--ink)" : colour;
}

function swatch(label) {
  return h("span", { class: "swatch", colour: colourOf(label), "aria-hidden": "true" });
}

function format(value, digits) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value; // ∞
  const text = value.toFixed(digits);
  return text.replace("-", Number(text) === 0 ? "" : "−");
}

function halfWidth(low, high, digits) {
  if (low === null || high === null) return "n/a";
  if (typeof low === "string" || typeof high === "string") return "∞";
  return format((high - low) / 2, digits);
}

const columnOf = (name) => data.columns[name] ?? { label: name.replaceAll("_", " "), digits: 3, better: 0 };
const arrow = (column) => ({ 1: "\u00a0↑", "-1": "\u00a0↓", 0: "" })[column.better];
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  select.value = chosen;
}

function choice(label, entries, chosen, change, id) {
  const select = h("select", { id, onchange: () => change(select.value) });
  options(select, entries, chosen);
  return h("label", { class: "choice" }, h("span", {}, label), select);
}

const quoted = (prompt) => `“${prompt.target}”`;
const strengthText = (cell) => (cell?.strength === undefined || cell.strength === null ? "" : `strength ${cell.strength}`);

function sideLabel(ref) {
  return { original: "original", inversion: "inversion", edit: ref.editor, counterfactual: "counterfactual", oracle: "counterfactual, inverted" }[ref.side];
}

// Long labels may break where a reader would.
const breakable = (label) => label.replaceAll("[", "\u200b[").replace(/[-,=]/g, "$&\u200b");

// Why there is no picture.
function absence(ref) {
  if (ref.side !== "edit") return "n/a";
  const cell = cellOf(ref.stop, ref.editor, ref.prompt);
  if (cell?.error) return "failed";
  return "n/a";
}

// A picture with what stands below it; opens the edit where `open` is given.
function tile(ref, { other = null, caption = null, open = null, key = null } = {}) {
  const cell = ref.side === "edit" ? cellOf(ref.stop, ref.editor, ref.prompt) : null;
  const there = ref.side === "original" || ref.side === "inversion" || tileNumber(ref) !== null;
  const name = `${sideLabel(ref)}, ${promptOf(ref.prompt)?.target ?? ""}, ${data.persons[ref.person] ?? ""}`;
  const done = there && cell?.success?.[ref.person] === 1 && cell.eligible?.[ref.person] === 1;
  const body = there
    ? h("canvas", { width: PX, height: PX, role: "img", "aria-label": (other ? "difference: " : "") + name + (done ? ", success" : "") })
    : h("span", { class: "absent", title: cell?.error ?? "not in this run or not kept" }, absence(ref));
  if (there) draw(body, ref, other);
  const frame = open
    ? h("button", { type: "button", class: "picture", "data-key": key, onclick: open, tabindex: key ? "-1" : null }, body)
    : h("span", { class: "picture" }, body);
  if (done) frame.append(h("span", { class: "done", "aria-hidden": "true", title: "the edit is a success" }, "✓"));
  return h("div", { class: "tile" }, frame, caption === null ? null : h("span", { class: "caption" }, caption));
}

function cellNumber(cell, column, person) {
  return format(cell?.[column]?.[person], columnOf(column).digits);
}

function personStrip() {
  return h("div", { class: "strip", role: "group", "aria-label": "Persons" },
    data.persons.map((name, person) => {
      const canvas = h("canvas", { width: PX, height: PX, role: "img", "aria-label": name });
      draw(canvas, { side: "original", person });
      return h("button", { type: "button", "aria-pressed": String(name === state.person), "data-key": `person-${person}`, title: name,
        onclick: () => update({ person: name }) }, canvas);
    }));
}

function openEdit(changes) {
  return () => update({ view: "edit", ...changes });
}

function heatLegend() {
  return h("p", { class: "heat-legend" }, "0 ", h("span", { "aria-hidden": "true" }), ` ${HEAT_FULL} or more of 255 levels`);
}

function note(...text) {
  return h("p", { class: "note" }, ...text);
}
