// Is A better than B? Paired differences on the same cells, and the same pictures side by side.

const strengthOfB = () => state.bstrength || state.strength;

function compareView() {
  return [
    h("div", { class: "bar" }, h("h2", {}, `${state.a} against ${state.b}`), compareChoices()),
    h("div", { class: "compare" },
      h("div", { class: "stage" }, wipe(compareRef(state.a, state.strength), compareRef(state.b, strengthOfB()), "wipe-ab")),
      h("div", { class: "verdicts" }, differenceTable())),
    shownPrompts().length === 1 ? null : personStrip(),
    h("div", { class: "scroll", role: "region", "aria-label": "Edits of A and B" }, compareGrid()),
    heatLegend(),
  ];
}

function compareRef(editor, stop, prompt = comparePrompt(), person = personNumber()) {
  return { side: "edit", stop, editor, prompt, person };
}

function comparePrompt() {
  const prompts = shownPrompts().map((prompt) => prompt.name);
  return prompts.includes(state.at) || !prompts.length ? state.at : prompts[0];
}

function compareChoices() {
  const editors = editorLabels.map((label) => [label, label]);
  const stops = [["", "the same strength"], ...data.stops.map((stop) => [stop.name, stop.label])];
  return h("div", { class: "choices" },
    choice("A", editors, state.a, (a) => update({ a }), "choose-a"),
    choice("B", editors, state.b, (b) => update({ b }), "choose-b"),
    choice("B at", stops, state.bstrength, (bstrength) => update({ bstrength }), "choose-b-strength"),
    h("button", { type: "button", id: "swap", "data-key": "swap", onclick: swapSides }, "Swap"));
}

function swapSides() {
  update({ a: state.b, b: state.a, strength: strengthOfB(), bstrength: state.bstrength ? state.strength : "" });
}

function valuesOf(editor, stop) {
  return data.tables[stop][scopeName()]?.rows.find((row) => row.editor === editor)?.values ?? {};
}

function differenceTable() {
  const [a, b] = [valuesOf(state.a, state.strength), valuesOf(state.b, strengthOfB())];
  const table = data.tables[state.strength][scopeName()];
  const rows = (table?.columns ?? []).map((name) => differenceRow(name, a[name], b[name]));
  const head = ["", "A", "B", "A − B"].map((text) => h("th", { scope: "col" }, h("span", { class: text === "A − B" ? "amount" : null }, text)));
  return [
    h("div", { class: "scroll" }, h("table", { class: "differences", id: "differences" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows))),
    note(pairNote()),
  ];
}

function differenceRow(name, a, b) {
  const column = columnOf(name);
  const found = pairOf(name);
  const text = (value) => (value ? `${format(value[0], column.digits)}${hasInterval(value) ? ` ±${halfWidth(value[1], value[2], column.digits)}` : ""}` : "");
  return h("tr", { "data-column": name }, h("th", { scope: "row" }, column.label, h("span", { class: "better" }, arrow(column))),
    h("td", {}, text(a)), h("td", {}, text(b)), h("td", {}, found ? [h("span", { class: "amount" }, differenceText(found, column)), h("span", { class: "verdict" }, verdict(found, column))] : ""));
}

// The tests are over all prompts, at the same choice of strength. null: none was made.
function pairOf(name) {
  if (scopeName() !== "all" || strengthOfB() !== state.strength) return null;
  for (const [first, second, column, difference, low, high, p] of data.pairs[state.strength]?.rows ?? []) {
    if (column !== name) continue;
    if (first === state.a && second === state.b) return { difference, low, high, p };
    if (first === state.b && second === state.a) return { difference: negated(difference), low: negated(high), high: negated(low), p };
  }
  return null;
}

const negated = (value) => (typeof value === "number" ? -value : value === "∞" ? "-∞" : value === "-∞" ? "∞" : value);

function differenceText(found, column) {
  const sign = typeof found.difference === "number" && found.difference > 0 ? "+" : "";
  return `${sign}${format(found.difference, column.digits)} ±${halfWidth(found.low, found.high, column.digits)}`;
}

function verdict(found, column) {
  if (found.p === null) return "n/a";
  if (found.p >= 0.05) return "cannot be told apart";
  const aMore = found.difference > 0;
  if (!column.better) return aMore ? "A has more" : "B has more";
  return h("strong", {}, aMore === column.better > 0 ? "A is better" : "B is better");
}

function pairNote() {
  if (!data.tested) return "No tests were made for this page; intervals only.";
  if (strengthOfB() !== state.strength) return "Differences are tested at the same choice of strength only.";
  if (scopeName() !== "all") return "Differences are tested over all prompts only; these are the means for the prompts chosen.";
  if (!data.pairs[state.strength]?.rows.length) return "At this strength no two editors could be compared.";
  if ([state.a, state.b].some((label) => editorOf(label).control)) return "Controls show a floor; they are not tested against editors.";
  const { prompts: every, both_meet: both, intervals } = data.pairs[state.strength];
  const prompts = both ? both[`${state.a} ${state.b}`] ?? both[`${state.b} ${state.a}`] ?? [] : every;
  const named = both ? ` that both meet (${prompts.join(", ")})` : "";
  return `A − B on the cells that both have, over ${prompts.length} prompt${prompts.length === 1 ? "" : "s"}${named}, ${intervals === false ? "without intervals for so many editors (deltabench compare gives them)" : "with its 95 % interval"}; verdict: p < 0.05 after Holm's correction over all pairs and columns. ${populationText().replace("They hold", "Verdicts hold")} “Cannot be told apart” is no proof that there is no difference.`;
}

function compareGrid() {
  const prompts = shownPrompts();
  const rows = prompts.length === 1
    ? data.persons.map((_, person) => ({ prompt: prompts[0], person }))
    : prompts.map((prompt) => ({ prompt, person: personNumber() }));
  const head = ["", "inversion", breakable(`A: ${state.a}`), breakable(`B: ${state.b}`), "A − B", ...(hasCounterfactuals() ? ["counterfactual"] : [])];
  return h("table", { class: "grid pairs", id: "pairs" },
    h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, rows.map((row) => compareRow(row, prompts.length === 1))));
}

function compareRow({ prompt, person }, single) {
  const a = compareRef(state.a, state.strength, prompt.name, person);
  const b = compareRef(state.b, strengthOfB(), prompt.name, person);
  const pick = () => update({ at: prompt.name, person: data.persons[person] });
  const open = (ref) => openEdit({ at: prompt.name, person: data.persons[person], editor: ref.editor, strength: ref.stop });
  const caption = (ref) => effectCaption(cellOf(ref.stop, ref.editor, ref.prompt), person);
  const tiles = [tile({ ...a, side: "inversion" }, { open: pick, caption: "" }), ...[a, b].map((ref) => tile(ref, { open: open(ref), caption: caption(ref) })), tile(a, { other: b, open: pick, caption: "" })];
  if (hasCounterfactuals()) tiles.push(tile({ ...a, side: "counterfactual" }, { open: pick, caption: "" }));
  return h("tr", {}, h("th", { scope: "row" }, single ? data.persons[person] : quoted(prompt)), tiles.map((made) => h("td", {}, made)));
}

function effectCaption(cell, person) {
  const effect = cellNumber(cell, "target_effect", person);
  return effect ? `${effect} σ` : "";
}
