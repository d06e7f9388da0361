// What was run, what failed, and what is not in the page.

function aboutView() {
  return [
    h("h2", {}, "This run"), h("table", { class: "cell" }, h("tbody", {}, facts().map(([name, text]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, text))))),
    h("h2", {}, "What is not in this page"), leftOut().map((text) => note(text)),
    h("h2", {}, "Failures"), failureList(),
    h("h2", {}, "What the headings mean"), h("dl", {}, headings().map(([word, meaning]) => [h("dt", {}, word), h("dd", {}, meaning)]).flat()),
  ];
}

function headings() {
  const columns = Object.values(data.columns).filter((column) => column.meaning).map((column) => [column.label, column.meaning]);
  return [...columns, ...data.glossary].sort(([one], [other]) => one.localeCompare(other));
}

function facts() {
  const given = data.arguments;
  return [
    ["domain", data.domain], ["editors", editorLabels.join(", ")], ["prompts", promptNames.join(", ")],
    ["images", String(data.images)], ["strengths", data.stops.map((stop) => stop.label).join(", ")],
    ["seed", given.seed === undefined ? "" : String(given.seed)], ["source revision", data.commit ?? ""],
  ].filter(([, text]) => text);
}

function leftOut() {
  const { px, native_px: native, step, kept } = data.pictures;
  const notes = [];
  if (kept < data.images) notes.push(`The run kept the pictures of ${kept} of its ${data.images} images; the tables are over all of them.`);
  if (data.persons.length < kept) notes.push(`To stay small, the page shows ${data.persons.length} of the ${kept} kept images.`);
  if (px < native) notes.push(`Pictures are ${px} px wide here, ${native} px in the run.`);
  notes.push({ 0: "Pictures are stored with loss; difference maps show that too.", 1: "Pictures are exact." }[step] ??
    `Pictures are off by at most ${step / 2} of 255 levels; difference maps cannot show less than that.`);
  notes.push("The numbers come from the run's own pictures, not from those stored here.");
  return notes;
}

function failureList() {
  if (!data.failures.length) return note("None.");
  return h("ul", { class: "failures" }, data.failures.map((failure) => h("li", {}, h("code", {}, failure.id), ` ${failure.error}`)));
}
