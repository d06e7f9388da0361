// Draws the state: the bar of controls, and the view that is chosen.

const DRAW = { table: tableView, grid: gridView, edit: editView, compare: compareView, pareto: paretoView, about: aboutView };
const byId = (id) => document.getElementById(id);

function render() {
  const focused = document.activeElement?.dataset?.key;
  const focusedId = document.activeElement?.id;
  const scrolls = [...document.querySelectorAll("#view .scroll, #view .strip")].map((box) => box.scrollLeft);
  applyTheme();
  syncControls();
  byId("view").replaceChildren(...DRAW[state.view]().flat().filter(Boolean));
  byId("view").setAttribute("aria-labelledby", `tab-${state.view}`);
  document.querySelectorAll("#view .scroll, #view .strip").forEach((box, at) => { box.scrollLeft = scrolls[at] ?? 0; });
  openGridToKeys();
  refocus(focused, focusedId);
}

// The view is made anew; the focus stays where it was.
function refocus(key, id) {
  if (key) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  else if (id && document.activeElement?.id !== id) byId(id)?.focus({ preventScroll: true });
}

function applyTheme() {
  if (state.theme) document.documentElement.dataset.theme = state.theme;
  else delete document.documentElement.dataset.theme;
}

function switchTheme() {
  const dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  update({ theme: dark ? "light" : "dark" });
}

function syncControls() {
  const stop = stopOf(state.strength);
  for (const view of Object.keys(VIEWS)) {
    const chosen = view === state.view;
    byId(`tab-${view}`).setAttribute("aria-selected", String(chosen));
    byId(`tab-${view}`).tabIndex = chosen ? 0 : -1;
  }
  byId("strength").value = String(stopNames.indexOf(state.strength));
  byId("strength").setAttribute("aria-valuetext", stop.label);
  byId("strength-label").value = stop.label;
  document.querySelectorAll("#ticks button").forEach((tick) => tick.classList.toggle("on", tick.value === state.strength));
  options(byId("attribute"), [["", "all"], ...attributes.map((name) => [name, name.replaceAll("_", " ")])], state.attribute);
  const listed = data.prompts.filter((prompt) => !state.attribute || prompt.attribute === state.attribute);
  options(byId("prompt"), [["", "all"], ...listed.map((prompt) => [prompt.name, prompt.target])], state.prompt);
  document.querySelectorAll("#editors button").forEach((button) =>
    button.setAttribute("aria-pressed", String(shownEditors().includes(button.value))));
  byId("reset").hidden = !(state.attribute || state.prompt || state.hide);
  document.querySelector(".controls").dataset.view = state.view;
}

function buildControls() {
  byId("summary").textContent = `${editorLabels.length} editors · ${promptNames.length} prompts · ${data.images} images${data.failures.length ? ` · ${data.failures.length} failed chunks` : ""}`;
  byId("tabs").append(...Object.entries(VIEWS).map(([view, text]) => h("button", { type: "button", role: "tab", id: `tab-${view}`, "aria-controls": "view", onclick: () => update({ view }), onkeydown: onTabKey }, text)));
  byId("strength").max = String(stopNames.length - 1);
  byId("strength").addEventListener("input", () => update({ strength: stopNames[Number(byId("strength").value)] }));
  byId("ticks").append(...data.stops.map((stop) => h("button", { type: "button", value: stop.name, tabindex: "-1", onclick: () => update({ strength: stop.name }) }, stop.label.replace("effect ", "").replace("strength ", ""))));
  byId("attribute").addEventListener("change", () => chooseAttribute(byId("attribute").value));
  byId("prompt").addEventListener("change", () => update({ prompt: byId("prompt").value }));
  byId("editors").append(...editorLabels.map((label) => h("button", { type: "button", value: label, onclick: () => toggleEditor(label) }, swatch(label), label)));
  byId("reset").addEventListener("click", () => update({ attribute: "", prompt: "", hide: "" }));
  byId("theme").addEventListener("click", switchTheme);
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  byId("skip").addEventListener("click", (event) => { event.preventDefault(); byId("view").focus(); });
  byId("keys").append(...KEYS.map(([keys, text]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, keys)), h("td", {}, text))));
}

// A prompt on another attribute would leave nothing to show.
function chooseAttribute(attribute) {
  const fits = !state.prompt || !attribute || promptOf(state.prompt).attribute === attribute;
  update({ attribute, ...(fits ? {} : { prompt: "" }) });
}

function toggleEditor(label) {
  const hidden = hiddenEditors();
  const next = hidden.includes(label) ? hidden.filter((other) => other !== label) : [...hidden, label];
  if (next.length < editorLabels.length) update({ hide: next.map(encodeURIComponent).join(",") });
}

readState();
buildControls();
render();
addEventListener("hashchange", () => { readState(); render(); });
addEventListener("popstate", () => { readState(); render(); });
addEventListener("keydown", onKey);
narrow.addEventListener("change", render);
