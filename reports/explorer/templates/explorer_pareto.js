// What does more effect cost? One point an editor and strength; a point opens its pictures.

const WIDE = { width: 760, height: 420, left: 64, right: 20, top: 18, bottom: 48 };
const NARROW = { width: 370, height: 320, left: 50, right: 8, top: 12, bottom: 46 };
const narrow = matchMedia("(max-width: 700px)");
let PLOT = WIDE;

function paretoView() {
  PLOT = narrow.matches ? NARROW : WIDE;
  const points = paretoPoints();
  return [
    h("div", { class: "bar" }, h("h2", {}, `Effect against ${columnOf(state.y).label}`),
      h("div", { class: "choices" }, choice("Against", curveColumns.map((name) => [name, columnOf(name).label]), state.y, (y) => update({ y }), "y"))),
    h("div", { class: "pareto" },
      h("div", { class: "plot" }, points.length ? [paretoPlot(points), paretoLegend(points)] : note("No editor has numbers for this choice."), note(paretoNote())),
      chosenPoint(points)),
  ];
}

function paretoScope() {
  const scope = scopeName();
  return scope === "all" && data.scopes.common ? "common" : scope;
}

function paretoPoints() {
  const points = [];
  for (const editor of shownEditors()) {
    for (const stop of data.stops) {
      const values = data.curves[stop.name][paretoScope()]?.[editor];
      const [x, y] = [values?.target_effect, values?.[state.y]];
      if (Number.isFinite(x?.[0]) && Number.isFinite(y?.[0])) points.push({ editor, stop, x, y, key: `${encodeURIComponent(editor)},${encodeURIComponent(stop.name)}` });
    }
  }
  return points;
}

function paretoNote() {
  const prompts = data.scopes[paretoScope()];
  const which = paretoScope() === "common"
    ? `the ${prompts.length} prompts that every compared editor meets at every effect drawn (${prompts.join(", ")})`
    : prompts.length === 1 ? quoted(promptOf(prompts[0])) : `${prompts.length} prompts`;
  const better = columnOf(state.y).better;
  return `Means over the eligible cells of ${which}; bars: 95 % intervals over source images. ${better > 0 ? "Up and to the right" : "Down and to the right"} is better. Where bars overlap, the order means nothing.`;
}

function paretoScales(points) {
  const values = (axis) => points.flatMap((point) => point[axis]).filter(Number.isFinite);
  const x = padded(Math.min(0, ...values("x")), Math.max(...values("x")));
  const y = padded(Math.min(...values("y")), Math.max(...values("y")));
  const inner = { width: PLOT.width - PLOT.left - PLOT.right, height: PLOT.height - PLOT.top - PLOT.bottom };
  return {
    x, y,
    toX: (value) => PLOT.left + ((value - x[0]) / (x[1] - x[0])) * inner.width,
    toY: (value) => PLOT.top + (1 - (value - y[0]) / (y[1] - y[0])) * inner.height,
  };
}

function padded(low, high) {
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
}

// Round numbers inside a range, about so many.
function ticks([low, high], count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
  const found = [];
  for (let number = Math.ceil(low / step); number * step <= high; number += 1) found.push(number * step);
  return { found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function paretoPlot(points) {
  const scales = paretoScales(points);
  const marks = [...points].sort((a, b) => (a.key === state.point) - (b.key === state.point));
  return svg("svg", { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, id: "pareto", role: "group", "aria-label": `Effect against ${columnOf(state.y).label}` },
    paretoAxes(scales), shownEditors().map((editor) => paretoLine(points, editor, scales)), marks.map((point) => paretoMark(point, scales)));
}

function paretoAxes(scales) {
  const [across, up] = [ticks(scales.x, PLOT.width / 120), ticks(scales.y, 5)];
  const bottom = PLOT.height - PLOT.bottom;
  const column = columnOf(state.y);
  return [
    up.found.map((value) => [
      svg("line", { class: "rule", x1: PLOT.left, x2: PLOT.width - PLOT.right, y1: scales.toY(value), y2: scales.toY(value) }),
      svg("text", { x: PLOT.left - 8, y: scales.toY(value) + 4, "text-anchor": "end" }, format(value, up.digits))]),
    svg("line", { class: "axis", x1: PLOT.left, x2: PLOT.width - PLOT.right, y1: bottom, y2: bottom }),
    across.found.map((value) => svg("text", { x: scales.toX(value), y: bottom + 18, "text-anchor": "middle" }, format(value, across.digits))),
    svg("text", { class: "name", x: (PLOT.left + PLOT.width - PLOT.right) / 2, y: PLOT.height - 8, "text-anchor": "middle" }, "target effect (σ) →"),
    svg("text", { class: "name", x: 14, y: (PLOT.top + bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${(PLOT.top + bottom) / 2})` }, column.label + arrow(column)),
  ].flat(2);
}

// Matched effects of an editor are one curve.
function paretoLine(points, editor, scales) {
  const mine = points.filter((point) => point.editor === editor && point.stop.goal !== null && !editorOf(editor).control);
  const path = mine.map((point) => `${scales.toX(point.x[0])},${scales.toY(point.y[0])}`).join(" ");
  return svg("polyline", { class: "curve", points: path, colour: colourOf(editor) });
}

function paretoMark(point, scales) {
  const [x, y] = [scales.toX(point.x[0]), scales.toY(point.y[0])];
  const open = () => update({ point: point.key });
  const text = `${point.editor}, ${point.stop.label}: effect ${format(point.x[0], 2)} σ, ${columnOf(state.y).label} ${format(point.y[0], columnOf(state.y).digits)}`;
  return svg("g", { class: `point${point.key === state.point ? " chosen" : ""}`, tabindex: "0", role: "button", "aria-label": `${text}; opens its pictures`, "aria-pressed": String(point.key === state.point),
    "data-key": point.key, colour: colourOf(point.editor), onclick: open,
    onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); } } },
  svg("title", {}, text), arm(scales, point, "x"), arm(scales, point, "y"), svg("circle", { class: "reach", cx: x, cy: y, r: 14 }), mark(point.stop.kind, x, y));
}

function arm(scales, point, axis) {
  const [, low, high] = point[axis];
  if (![low, high].every(Number.isFinite)) return null;
  const [x, y] = [scales.toX(point.x[0]), scales.toY(point.y[0])];
  return axis === "x"
    ? svg("line", { class: "arm", x1: scales.toX(low), x2: scales.toX(high), y1: y, y2: y })
    : svg("line", { class: "arm", x1: x, x2: x, y1: scales.toY(low), y2: scales.toY(high) });
}

// A square: default, a circle: calibrated, a triangle: given, a diamond: matched; as in the run's figures.
function mark(kind, x, y) {
  const shapes = {
    default: `M${x - 6},${y - 6}h12v12h-12z`,
    calibrated: `M${x - 6.5},${y}a6.5,6.5 0 1,0 13,0a6.5,6.5 0 1,0 -13,0z`,
    given: `M${x},${y - 7.5}l7,13h-14z`,
    matched: `M${x},${y - 8}l8,8l-8,8l-8,-8z`,
  };
  return svg("path", { class: "mark", d: shapes[kind] });
}

function paretoLegend(points) {
  const kinds = [...new Set(points.map((point) => point.stop.kind))];
  return h("ul", { class: "legend" },
    [...new Set(points.map((point) => point.editor))].map((editor) => h("li", {}, swatch(editor), editor)),
    kinds.map((kind) => h("li", { class: "kind" }, svg("svg", { viewBox: "0 0 20 20", width: 16, height: 16, "aria-hidden": "true" }, mark(kind, 10, 10)), kind === "matched" ? "matched effect" : `${kind} strength`)));
}

function chosenPoint(points) {
  const point = points.find((candidate) => candidate.key === state.point);
  if (!point) return points.length ? note("Choose a point to see its pictures.") : null;
  const tiles = shownPrompts().map((prompt) => tile(
    { side: "edit", stop: point.stop.name, editor: point.editor, prompt: prompt.name, person: personNumber() },
    { caption: prompt.target, open: openEdit({ at: prompt.name, editor: point.editor, strength: point.stop.name }) }));
  return h("section", { id: "point" },
    h("div", { class: "bar" }, h("h3", {}, swatch(point.editor), `${point.editor}, ${point.stop.label}`),
      h("a", { href: linkOf({ view: "grid", strength: point.stop.name }) }, "all editors")),
    personStrip(), h("div", { class: "row" }, tiles));
}
