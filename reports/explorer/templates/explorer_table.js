// Which editor changes what the text asks, and only that? Numbers with intervals; nothing is ranked inside a group.

function tableView() {
  const table = data.tables[state.strength][scopeName()];
  if (!table) return [note("This run has no numbers for that choice.")];
  const rows = table.rows.filter((row) => row.role === "reference" || !hiddenEditors().includes(row.editor));
  const sorted = sortedRows(table, rows, "sort");
  return [
    h("h2", {}, tableTitle()),
    sortableTable(table, rows, sorted, { id: "metrics", field: "sort", label: "Table of metrics" }),
    h("div", { class: "notes", id: "table-notes" }, tableNotes(table, sorted).map((text) => note(text))),
    ...setsPart(),
  ];
}

// field: the part of the state that says by which column it is sorted.
function sortableTable(table, rows, sorted, { id, field, label }) {
  const lanes = groupLanes(sorted);
  const head = h("tr", {}, h("th", { class: "lane-head", scope: "col" }, h("span", { class: "hidden" }, "group")),
    h("th", { scope: "col", class: "editor-head" }, "editor"), table.columns.map((name) => headCell(name, sorted, field)));
  const body = sorted.rows.map((row, at) => tableRow(table, rows, row, lanes[at], id));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", { class: "metrics", id }, h("thead", {}, head), h("tbody", {}, body)));
}

function tableTitle() {
  const prompts = shownPrompts();
  const what = prompts.length === 1 ? quoted(prompts[0]) : state.attribute ? `the ${prompts.length} prompts on ${state.attribute.replaceAll("_", " ")}` : `all ${prompts.length} prompts`;
  const { kind, label } = stopOf(state.strength);
  return `${capital(label)}${kind === "default" || kind === "calibrated" ? " strength" : ""}: ${what}`;
}

function headCell(name, sorted, field) {
  const column = columnOf(name);
  const mine = sorted.column === name;
  const next = !mine ? `${name}:best` : sorted.way === "best" ? `${name}:worst` : "";
  return h("th", { scope: "col", title: column.meaning || null, "aria-sort": mine ? (sorted.descending ? "descending" : "ascending") : "none" },
    h("button", { type: "button", "data-key": `${field}-${name}`, onclick: () => update({ [field]: next }) },
      column.label, h("span", { class: "better" }, arrow(column)),
      h("span", { class: "sorting", "aria-hidden": "true" }, mine ? (sorted.way === "best" ? "▼" : "▲") : "")));
}

// Editors first, then those that are not at equal effect, controls and references, which are never ranked.
// Groups are ordered; inside a group the order of the run stays.
function sortedRows(table, rows, field) {
  const [column, way = "best"] = state[field].split(":");
  const place = (row) => ({ compared: 0, floor: 2, reference: 3 })[row.role] ?? 1;
  const order = [0, 1, 2, 3].map((wanted) => rows.filter((row) => place(row) === wanted));
  if (!table.columns.includes(column)) return { rows: order.flat(), column: "", way, groups: [] };
  const better = columnOf(column).better || 1;
  const groups = grouped(order[0].filter((row) => column in row.values), column, better);
  if (way === "worst") groups.reverse();
  const missing = order[0].filter((row) => !(column in row.values));
  const descending = (better > 0) === (way === "best");
  return { rows: [...groups.flatMap((group) => group.rows), ...missing, ...order.slice(1).flat()], column, way, groups, descending };
}

// [{ rows, letters }], the best first. By the tests' letters where there are some, otherwise by overlapping intervals.
function grouped(rows, column, better) {
  const letters = (row) => row.values[column][3];
  if (rows.some(letters)) {
    const names = [...new Set(rows.map(letters))].sort((a, b) => (a === "") - (b === "") || (a < b ? -1 : 1));
    return names.map((name) => ({ rows: rows.filter((row) => letters(row) === name), letters: name }));
  }
  const sorted = [...rows].sort((a, b) => better * (numeric(b.values[column][0]) - numeric(a.values[column][0])) || 0);
  if (!rows.some((row) => hasInterval(row.values[column]))) return sorted.map((row) => ({ rows: [row], letters: "" }));
  const groups = [];
  for (const row of sorted) {
    const last = groups.at(-1);
    if (last?.rows.some((other) => overlap(other.values[column], row.values[column]))) last.rows.push(row);
    else groups.push({ rows: [row], letters: "" });
  }
  for (const group of groups) group.rows.sort((a, b) => editorLabels.indexOf(a.editor) - editorLabels.indexOf(b.editor));
  return groups;
}

const numeric = (value) => (value === "∞" ? Infinity : value === "-∞" ? -Infinity : value);
const hasInterval = (value) => value[1] !== null && value[2] !== null;
const overlap = (a, b) => !hasInterval(a) || !hasInterval(b) || (numeric(a[1]) <= numeric(b[2]) && numeric(b[1]) <= numeric(a[2]));

// For each row the pieces of the bars that join what cannot be told apart: [{ first, last } or null] a lane.
function groupLanes(sorted) {
  const sets = sorted.groups.some((group) => group.letters)
    ? [...new Set(sorted.groups.flatMap((group) => [...group.letters]))].map((letter) =>
      sorted.groups.filter((group) => group.letters.includes(letter)).flatMap((group) => group.rows))
    : sorted.groups.map((group) => group.rows);
  const long = sets.filter((rows) => rows.length > 1).map((rows) => rows.map((row) => sorted.rows.indexOf(row)));
  return sorted.rows.map((_, at) => long.map((places) =>
    at < Math.min(...places) || at > Math.max(...places) ? null : { first: at === Math.min(...places), last: at === Math.max(...places) }));
}

function tableRow(table, rows, row, lanes, id) {
  const known = editorLabels.includes(row.editor);
  const name = known
    ? h("a", { href: linkOf({ view: "edit", editor: row.editor }), "data-key": `${id}-${row.editor}` }, row.editor)
    : h("span", {}, row.editor);
  return h("tr", { class: `role-${row.role.replaceAll(" ", "-")}`, "data-editor": row.editor },
    h("td", { class: "lanes" }, lanes.map((lane) => h("span", { class: `lane${lane ? " on" : ""}${lane?.first ? " first" : ""}${lane?.last ? " last" : ""}` }))),
    h("th", { scope: "row" }, known ? swatch(row.editor) : null, name, row.at_ceiling ? " ‡" : "", roleTag(row.role)),
    table.columns.map((column) => numberCell(rows, row, column)));
}

function roleTag(role) {
  const text = { floor: "control", compared: "", reference: "reference" }[role] ?? role;
  return text ? h("span", { class: "tag" }, text) : null;
}

function numberCell(rows, row, name) {
  const value = row.values[name];
  if (!value) return h("td", {});
  const [mean, low, high, letters] = value;
  const { digits } = columnOf(name);
  const spread = !row.certain && (rows.some((other) => other.values[name] && hasInterval(other.values[name])) || low !== null);
  const bounds = low === null ? "n/a (fewer than two images)" : `${format(low, digits)} to ${format(high, digits)}`;
  return h("td", { title: spread ? `95 % interval: ${bounds}` : null },
    h("span", { class: "mean" }, format(mean, digits)),
    letters ? h("span", { class: "letters", title: "editors that share a letter cannot be told apart" }, letters) : null,
    spread ? h("span", { class: "spread" }, `±${halfWidth(low, high, digits)}`) : null,
    spread ? whisker(rows, row, name) : null);
}

// The interval on a scale that all rows of the column share.
function whisker(rows, row, name) {
  const values = rows.map((other) => other.values[name]).filter(Boolean).flatMap((value) => value.slice(0, 3)).filter(Number.isFinite);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [mean, start, end] = row.values[name];
  const share = (value) => (high > low ? (100 * (value - low)) / (high - low) : 50);
  const box = h("span", { class: "whisker", "aria-hidden": "true" });
  if (![mean, start, end].every(Number.isFinite)) return box;
  const line = h("span", { class: "line" });
  line.style.left = `${share(start)}%`;
  line.style.width = `${Math.max(share(end) - share(start), 0)}%`;
  const dot = h("span", { class: "dot", colour: editorLabels.includes(row.editor) ? colourOf(row.editor) : "var(--muted)" });
  dot.style.left = `${share(mean)}%`;
  box.append(line, dot);
  return box;
}

function tableNotes(table, sorted) {
  const goal = stopOf(state.strength).goal;
  const notes = [goal === null
    ? "±: half of the 95 % interval over source images. Success, preservation, target effect and AD are over eligible cells, the rest over all cells."
    : "±: half of the 95 % interval. Numbers are over the eligible cells, at the strength whose mean effect on the calibration images is nearest to the goal."];
  if (table.met) notes.push(table.met.length ? "All columns but the reach are over the prompts that the editor itself meets; letters rest on pairs of editors, each on the prompts that both meet." : "No editor meets this effect for a quarter of the prompts: only the reach can be compared.");
  if (table.tested) notes.push(`Letters: editors that share a letter in a column cannot be told apart by paired tests (corrected by Holm); they are joined by a bar, and inside a group the order of the run stays. ${populationText()}`);
  else if (sorted.column) notes.push(sortedNote(sorted));
  if (table.rows.some((row) => row.at_ceiling)) notes.push("‡: as close to the counterfactual as the oracle, which knowing the text alone does not explain.");
  if (goal !== null && !table.met) notes.push("An editor marked “out of reach” or “overshoots” has no strength with this effect for these prompts: its numbers are not at equal effect.");
  return notes;
}

function populationText() {
  const population = data.pairs[state.strength]?.population;
  if (population === "prompts-like-these") return "They hold for images and prompts like these.";
  return population ? "They hold for images like these and exactly these prompts." : "";
}

function sortedNote(sorted) {
  const spread = sorted.rows.some((row) => row.values[sorted.column] && hasInterval(row.values[sorted.column]));
  return spread
    ? "No test was made for this choice. Editors whose intervals overlap are joined by a bar and not ranked: inside it the order of the run stays."
    : "This column has no interval: small differences may be chance.";
}
