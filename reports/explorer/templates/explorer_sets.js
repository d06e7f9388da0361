// How good are the edits as a set? Distances of all pictures of an editor together, below the table of metrics.

function setsPart() {
  if (!data.sets) return [];
  if (scopeName() !== "all") return [note("Distances between sets of pictures are over all prompts: choose all to see them.")];
  const measured = Object.keys(data.sets.tables);
  const stop = measured.includes(state.strength) ? state.strength : measured[0];
  if (!stop) return [];
  const table = data.sets.tables[stop];
  const rows = table.rows.filter((row) => row.role === "reference" || !hiddenEditors().includes(row.editor));
  const sorted = sortedRows(table, rows, "sets");
  return [
    h("h2", { id: "sets-title" }, setsTitle(stop)),
    sortableTable(table, rows, sorted, { id: "sets", field: "sets", label: "Table of distances between sets" }),
    h("div", { class: "notes", id: "sets-notes" }, setsNotes(stop, sorted).map((text) => note(text))),
  ];
}

function setsTitle(stop) {
  const { kind, label } = stopOf(stop);
  const what = data.sets.against === "counterfactuals" ? "how far from the counterfactuals?" : "how far from the original images?";
  return `As a set, at ${label}${kind === "given" ? "" : " strength"}: ${what}`;
}

function setsNotes(stop, sorted) {
  const elsewhere = stop === state.strength ? [] : [`Sets are not compared at matched effects; this is the table at ${stopOf(stop).label}.`];
  return [...elsewhere, ...data.sets.notes, ...(sorted.column ? [sortedNote(sorted)] : [])];
}
