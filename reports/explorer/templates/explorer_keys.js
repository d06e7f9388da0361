// Everything can be done without a mouse.

const KEYS = [
  ["1 … 6", "the views"],
  ["[ and ]", "less and more strength"],
  ["← and →", "previous and next person; in the grid: the cell beside"],
  ["↑ and ↓", "one edit: previous and next prompt; in the grid: the cell above and below"],
  ["Enter", "in the grid: open the edit"],
  [", and .", "one edit: previous and next editor"],
  ["d", "grid: images or differences"],
  ["x", "A against B: swap"],
  ["t", "light or dark"],
  ["Esc", "one edit: back to the grid"],
  ["?", "this list"],
];

function neighbour(list, chosen, step) {
  return list[Math.min(Math.max(list.indexOf(chosen) + step, 0), list.length - 1)];
}

const movePerson = (step) => data.persons.length && update({ person: neighbour(data.persons, state.person, step) });
const moveStrength = (step) => update({ strength: neighbour(stopNames, state.strength, step) });

function movePrompt(step) {
  const names = state.prompt ? promptNames : shownPrompts().map((prompt) => prompt.name);
  const at = neighbour(names, state.at, step);
  update({ at, ...(state.prompt ? { prompt: at, attribute: "" } : {}) });
}

const ACTIONS = {
  "[": () => moveStrength(-1),
  "]": () => moveStrength(1),
  t: () => switchTheme(),
  "?": () => document.getElementById("help").showModal(),
};
const ACTIONS_IN = {
  edit: {
    ArrowUp: () => movePrompt(-1),
    ArrowDown: () => movePrompt(1),
    ",": () => update({ editor: neighbour(editorLabels, state.editor, -1) }),
    ".": () => update({ editor: neighbour(editorLabels, state.editor, 1) }),
    Escape: () => update({ view: "grid" }),
  },
  grid: { d: () => update({ show: state.show === "images" ? "differences" : "images" }) },
  compare: { x: () => swapSides() },
};
const WITH_PERSONS = ["grid", "edit", "compare", "pareto"];
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("help").open) return;
  const target = event.target;
  if (target.matches?.("select, textarea, input:not([type=range])")) return;
  if (target.matches?.("input[type=range], [role=tab]") && event.key in STEPS) return; // they have their own arrows
  if (target.matches?.("#grid button.picture") && event.key in STEPS) {
    event.preventDefault();
    moveInGrid(target, ...STEPS[event.key]);
    return;
  }
  const action = actionOf(event.key);
  if (!action) return;
  event.preventDefault();
  action();
}

function actionOf(key) {
  const view = Object.keys(VIEWS)[Number(key) - 1];
  if (view && key.length === 1) return () => update({ view });
  if (WITH_PERSONS.includes(state.view) && (key === "ArrowLeft" || key === "ArrowRight")) return () => movePerson(key === "ArrowLeft" ? -1 : 1);
  return ACTIONS_IN[state.view]?.[key] ?? ACTIONS[key];
}

function onTabKey(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  update({ view: neighbour(Object.keys(VIEWS), state.view, step) });
  document.getElementById(`tab-${state.view}`).focus();
}
