// What do the edits look like? All prompts of one person, or all persons of one prompt, editors side by side.

function gridView() {
  const prompts = shownPrompts();
  const single = prompts.length === 1;
  const rows = single
    ? data.persons.map((_, person) => ({ prompt: prompts[0], person }))
    : prompts.map((prompt) => ({ prompt, person: personNumber() }));
  if (!rows.length) return [note("No prompt fits both the attribute and the prompt that are chosen.")];
  const title = single ? `${quoted(prompts[0])}: every person` : `${state.person}: ${prompts.length} prompts`;
  return [
    h("div", { class: "bar" }, h("h2", {}, title), gridOptions()),
    single ? null : personStrip(),
    h("div", { class: "scroll", role: "region", "aria-label": "Grid of edits" }, gridTable(rows, single)),
    state.show === "differences" ? heatLegend() : null,
    note(gridNote()),
  ];
}

function gridNote() {
  const what = state.show === "differences"
    ? `Differences to the inversion (that of the inversion and the counterfactual: to the original). `
    : "";
  return `${what}✓: the edit is a success. Dimmed numbers: nothing to do there (the value is there before, or cannot be seen).`;
}

function gridOptions() {
  return h("div", { class: "choices" },
    choice("Show", [["images", "images"], ["differences", "differences"]], state.show, (show) => update({ show }), "show"),
    choice("Number", [["", "none"], ...cellColumns.map((name) => [name, columnOf(name).label])], state.number, (number) => update({ number }), "number"));
}

const hasCounterfactuals = () => Object.keys(data.pictures.references.counterfactual).length > 0;

function gridColumns() {
  return [
    { side: "original" }, { side: "inversion" },
    ...shownEditors().map((editor) => ({ side: "edit", editor })),
    ...(hasCounterfactuals() ? [{ side: "counterfactual" }] : []),
  ];
}

function gridTable(rows, single) {
  const columns = gridColumns();
  const head = columns.map((column) => h("th", { scope: "col" }, column.editor ? swatch(column.editor) : null, breakable(sideLabel(column))));
  const body = rows.map((row, at) => h("tr", {},
    h("th", { scope: "row" }, single ? data.persons[row.person] : quoted(row.prompt)),
    columns.map((column, place) => h("td", {}, gridCell(row, column, `${at}-${place}`)))));
  return h("table", { class: "grid", id: "grid", "data-rows": rows.length, "data-columns": columns.length },
    h("thead", {}, h("tr", {}, h("th", { class: "corner" }), head)), h("tbody", {}, body));
}

function gridCell(row, column, key) {
  const ref = { ...column, stop: state.strength, prompt: row.prompt.name, person: row.person };
  const cell = column.side === "edit" ? cellOf(ref.stop, ref.editor, ref.prompt) : null;
  const open = openEdit({ at: ref.prompt, person: data.persons[row.person], ...(column.editor ? { editor: column.editor } : {}) });
  const other = state.show === "differences" ? differsFrom(ref) : null;
  const made = tile(ref, { other, open, key, caption: state.number && cell ? cellNumber(cell, state.number, row.person) : null });
  if (cell?.eligible?.[row.person] === 0) made.classList.add("idle");
  return made;
}

// What a difference is taken to: an edit to the inversion, the inversion and the counterfactual to the original.
function differsFrom(ref) {
  if (ref.side === "original") return null;
  return { ...ref, side: ref.side === "edit" || ref.side === "oracle" ? "inversion" : "original" };
}

// One cell of the grid can be reached with Tab; the arrows go on from there.
function openGridToKeys() {
  const cells = document.querySelectorAll("#grid button.picture");
  if (cells.length) cells[0].tabIndex = 0;
}

function moveInGrid(button, rows, columns) {
  const [row, column] = button.dataset.key.split("-").map(Number);
  const next = document.querySelector(`#grid [data-key="${row + rows}-${column + columns}"]`);
  if (!next) return false;
  button.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
  return true;
}
