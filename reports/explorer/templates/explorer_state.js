// What is looked at. The whole state stands in the link (#view=grid&prompt=glasses), so that a view can be shared.

const data = JSON.parse(document.getElementById("data").textContent);

const VIEWS = { table: "Table", grid: "Grid", edit: "One edit", compare: "A against B", pareto: "Pareto", about: "Run" };
const editorLabels = data.editors.map((editor) => editor.label);
const promptNames = data.prompts.map((prompt) => prompt.name);
const stopNames = data.stops.map((stop) => stop.name);
const attributes = [...new Set(data.prompts.map((prompt) => prompt.attribute))];
const contenders = data.editors.filter((editor) => !editor.control).map((editor) => editor.label);
const firstEditor = contenders[0] || editorLabels[0];
const secondEditor = contenders[1] || editorLabels.find((label) => label !== firstEditor) || firstEditor;
const SIDES = ["original", "inversion", "edit", "counterfactual", "oracle"];
const curveColumns = data.curve_columns.filter((column) =>
  data.stops.some((stop) => Object.values(data.curves[stop.name].all).some((values) => column in values)));
const cellColumns = data.cell_columns.filter((column) =>
  Object.values(data.cells).some((editors) => Object.values(editors).some((prompts) => Object.values(prompts).some((cell) => column in cell))));

// name -> default and allowed values; null allows none of the checks (lists, sorting)
const FIELDS = {
  view: ["table", Object.keys(VIEWS)],
  strength: [data.first_stop, stopNames],
  attribute: ["", ["", ...attributes]],
  prompt: ["", ["", ...promptNames]],
  hide: ["", null], // editors that are not shown, joined by commas, each encoded
  sort: ["", null], // column:best or column:worst
  sets: ["", null], // the same for the table of sets
  at: [promptNames[0], promptNames], // the prompt of the one edit
  person: [data.persons[0] ?? "", data.persons],
  editor: [firstEditor, editorLabels],
  before: ["inversion", SIDES],
  after: ["edit", SIDES],
  wipe: ["50", null],
  a: [firstEditor, editorLabels],
  b: [secondEditor, editorLabels],
  bstrength: ["", ["", ...stopNames]], // empty: the same as A's
  show: ["images", ["images", "differences"]],
  number: ["", ["", ...cellColumns]],
  y: [curveColumns[0], curveColumns],
  point: ["", null], // editor and strength of the chosen point, each encoded
  theme: ["", ["", "light", "dark"]],
};

const state = {};

function readState() {
  const given = {};
  for (const part of location.hash.slice(1).split("&")) {
    const cut = part.indexOf("=");
    if (cut > 0) given[part.slice(0, cut)] = decoded(part.slice(cut + 1));
  }
  for (const [name, [standard, allowed]] of Object.entries(FIELDS)) {
    const value = given[name];
    state[name] = value === undefined || (allowed && !allowed.includes(value)) ? standard : value;
  }
  if (state.prompt) state.at = state.prompt;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // a link cut off in the middle of a letter
  }
}

function linkOf(changes = {}) {
  const parts = Object.entries({ ...state, ...changes })
    .filter(([name, value]) => value !== FIELDS[name][0])
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `#${parts.join("&")}`;
}

// A change of the view can be gone back to with the browser's button; a moved slider cannot.
function update(changes) {
  const turned = "view" in changes && changes.view !== state.view;
  Object.assign(state, changes);
  if ("prompt" in changes && changes.prompt) state.at = changes.prompt;
  history[turned ? "pushState" : "replaceState"](null, "", linkOf());
  render();
}

const hiddenEditors = () => state.hide.split(",").filter(Boolean).map(decoded);
const shownEditors = () => editorLabels.filter((label) => !hiddenEditors().includes(label));
const stopOf = (name) => data.stops[stopNames.indexOf(name)];
const editorOf = (label) => data.editors[editorLabels.indexOf(label)];
const promptOf = (name) => data.prompts[promptNames.indexOf(name)];
const personNumber = () => Math.max(0, data.persons.indexOf(state.person));

function shownPrompts() {
  return data.prompts.filter((prompt) =>
    (!state.attribute || prompt.attribute === state.attribute) && (!state.prompt || prompt.name === state.prompt));
}

// The numbers that fit the filters: all prompts, one attribute or one prompt.
function scopeName() {
  const prompts = shownPrompts();
  if (prompts.length === 1) return `prompt:${prompts[0].name}`;
  return state.attribute ? `attribute:${state.attribute}` : "all";
}

function cellOf(stop, editor, prompt) {
  return data.cells[stop]?.[editor]?.[prompt];
}
