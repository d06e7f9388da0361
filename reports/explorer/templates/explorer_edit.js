// What did one edit do? Before and after, where it differs, the counterfactual beside it, and all its numbers.

function editView() {
  const prompt = promptOf(state.at);
  const ref = currentRef("edit");
  const cell = cellOf(ref.stop, ref.editor, ref.prompt);
  return [
    h("div", { class: "bar" }, h("h2", {}, swatch(state.editor), `${state.editor}: ${quoted(prompt)}`), editChoices()),
    personStrip(),
    cell?.error ? h("p", { class: "notice", role: "alert" }, `This edit failed: ${cell.error}`) : null,
    h("div", { class: "edit" },
      h("div", { class: "stage" }, wipe(currentRef(state.before), currentRef(state.after)), wipeChoices()),
      h("div", { class: `panels${hasCounterfactuals() ? "" : " two"}` }, editPanels(ref), heatLegend()),
      h("div", { class: "numbers" }, cellTable(cell, prompt))),
    strengthRow(ref),
    editorRow(ref),
  ];
}

function currentRef(side) {
  return { side, stop: state.strength, editor: state.editor, prompt: state.at, person: personNumber() };
}

function editChoices() {
  const prompts = data.prompts.filter((prompt) => !state.attribute || prompt.attribute === state.attribute);
  const listed = prompts.some((prompt) => prompt.name === state.at) ? prompts : data.prompts;
  return h("div", { class: "choices" },
    choice("Edit by", editorLabels.map((label) => [label, label]), state.editor, (editor) => update({ editor }), "editor"),
    choice("prompt", listed.map((prompt) => [prompt.name, prompt.target]), state.at,
      (at) => update({ at, ...(state.prompt ? { prompt: at } : {}) }), "at"));
}

// Two pictures on one spot; the slider (or a drag) says how much of the first is seen.
function wipe(first, second, id = "wipe") {
  const layers = [second, first].map((ref) => {
    const there = ref.side === "original" || ref.side === "inversion" || tileNumber(ref) !== null;
    if (!there) return h("span", { class: "absent" }, absence(ref));
    const canvas = h("canvas", { width: PX, height: PX, role: "img", "aria-label": sideLabel(ref) });
    draw(canvas, ref);
    return canvas;
  });
  layers[1].classList.add("front");
  const line = h("span", { class: "wipe-line", "aria-hidden": "true" });
  const box = h("div", { class: "wipe", "data-wipe": id }, layers, line,
    h("span", { class: "side left" }, sideLabel(first)), h("span", { class: "side right" }, sideLabel(second)));
  const slider = h("input", { type: "range", id, min: 0, max: 100, step: 1, value: state.wipe, "aria-label": `How much of ${sideLabel(first)} is seen, in %` });
  const move = () => setWipe(layers[1], line, slider.value);
  slider.addEventListener("input", move);
  slider.addEventListener("change", () => { state.wipe = slider.value; history.replaceState(null, "", linkOf()); });
  dragWipe(box, slider);
  move();
  return h("div", { class: "wiped" }, box, slider);
}

function setWipe(front, line, share) {
  front.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
  line.style.left = `${share}%`;
}

function dragWipe(box, slider) {
  const follow = (event) => {
    const frame = box.getBoundingClientRect();
    slider.value = String(Math.round((100 * (event.clientX - frame.left)) / frame.width));
    slider.dispatchEvent(new Event("input"));
  };
  box.addEventListener("pointerdown", (event) => { box.setPointerCapture(event.pointerId); follow(event); });
  box.addEventListener("pointermove", (event) => { if (box.hasPointerCapture(event.pointerId)) follow(event); });
  box.addEventListener("pointerup", () => slider.dispatchEvent(new Event("change")));
}

function wipeChoices() {
  const sides = SIDES.filter((side) => side in data.pictures.references ? Object.keys(data.pictures.references[side]).length : true);
  const entries = sides.map((side) => [side, side === "edit" ? "edit" : sideLabel({ side })]);
  return h("div", { class: "choices" },
    choice("Before", entries, state.before, (before) => update({ before }), "before"),
    choice("After", entries, state.after, (after) => update({ after }), "after"));
}

function editPanels(ref) {
  const inversion = { ...ref, side: "inversion" };
  const counterfactual = { ...ref, side: "counterfactual" };
  const counterfactuals = hasCounterfactuals();
  return [
    panel("original", tile({ ...ref, side: "original" })),
    panel("inversion", tile(inversion)),
    counterfactuals && panel("counterfactual", tile(counterfactual), "counterfactual"),
    panel("edit", tile(ref)),
    panel("edit − inversion", tile(ref, { other: inversion }), "heat"),
    counterfactuals && panel("edit − counterfactual", tile(ref, { other: counterfactual }), "to-counterfactual"),
  ].filter(Boolean);
}

function panel(title, body, name = null) {
  return h("figure", { "data-panel": name }, body, h("figcaption", {}, title));
}

function cellTable(cell, prompt) {
  if (!cell || cell.error) return note(cell?.error ? "No numbers: it failed." : "n/a: this run has no such edit.");
  const person = personNumber();
  const changed = cell.changed?.[person];
  const rows = [
    ["strength", format(cell.strength, 3)],
    ["to change", `${prompt.attribute.replaceAll("_", " ")}: ${prompt.value}`],
    ["something to do", yesNo(cell.eligible?.[person])],
    ["success", yesNo(cell.success?.[person])],
    ...cellColumns.map((name) => [columnOf(name).label + arrow(columnOf(name)), cellNumber(cell, name, person)]),
    ["other factors changed", changed ? changed.map((number) => data.factors[number].replaceAll("_", " ")).join(", ") || "none" : ""],
  ];
  return h("table", { class: "cell", id: "cell-numbers" }, h("tbody", {}, rows.map(([name, text]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, text)))));
}

const yesNo = (value) => ({ 1: "yes", 0: "no" })[value] ?? "";

function strengthRow(ref) {
  const tiles = data.stops.map((stop) => {
    const cell = cellOf(stop.name, ref.editor, ref.prompt);
    const made = tile({ ...ref, stop: stop.name }, { open: () => update({ strength: stop.name }), caption: `${stop.label}${cell?.strength && stop.kind !== "given" ? ` (${cell.strength})` : ""}` });
    if (stop.name === state.strength) made.classList.add("chosen");
    return made;
  });
  return h("section", {}, h("h3", {}, "Every strength"), h("div", { class: "row", id: "every-strength" }, tiles));
}

function editorRow(ref) {
  const tiles = shownEditors().map((editor) => {
    const made = tile({ ...ref, editor }, { open: () => update({ editor }), caption: editor });
    if (editor === state.editor) made.classList.add("chosen");
    return made;
  });
  return h("section", {}, h("h3", {}, `Every editor, ${stopOf(state.strength).label}`), h("div", { class: "row" }, tiles));
}
