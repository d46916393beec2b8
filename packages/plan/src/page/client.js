/* What the page does in the browser: filters tables, opens rows, inflates code. Everything is set as text, never as markup. */
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const words = {
  carried: "carried",
  "needs-author": "needs an author",
  unchanged: "the same code",
  "not-compiled": "not compiled here",
  unassigned: "not told by the changelog",
};
const byId = (id) => document.getElementById(id);
const element = (name, properties = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
};
const count = (list, verdict) => list.filter((one) => one.verdict === verdict).length;

// Which fixes a unit has, through the files that they changed.
const fixesOf = new Map();
for (const fix of data.fixes)
  for (const file of fix.files) fixesOf.set(file, [...(fixesOf.get(file) ?? []), fix]);

const views = {
  units: {
    rows: data.units.map((unit) => {
      const fixes = fixesOf.get(unit.unit) ?? [];
      const names = unit.functions.map(({ name }) => name);
      const said = unit.reasons.flatMap(({ code, subject, message }) => [code, subject, message]);
      const told = fixes.flatMap(({ title, cves }) => [title, ...cves]);
      return {
        verdict: unit.verdict,
        search: [unit.unit, ...unit.objects, ...names, ...said, ...told].join(" ").toLowerCase(),
        cells: () => [
          unit.unit,
          unit.objects.join(", "),
          verdictCell(unit.verdict),
          { number: unit.functions.length || "", label: "functions" },
          fixes.flatMap(({ cves }) => cves).join(", "),
        ],
        detail: () => unitDetail(unit, fixes),
      };
    }),
    heads: ["Unit", "In", "Verdict", "Functions", "CVEs"],
    verdicts: ["carried", "needs-author", "unchanged"],
  },
  fixes: {
    rows: data.fixes.map((fix) => ({
      verdict: fix.verdict,
      search: [fix.title, ...fix.cves, ...fix.files].join(" ").toLowerCase(),
      cells: () => [fix.title, fix.cves.join(", "), verdictCell(fix.verdict), fix.files.join(", ")],
    })),
    heads: ["Fix", "CVEs", "Verdict", "Files"],
    verdicts: ["carried", "needs-author", "not-compiled", "unassigned"],
  },
  files: {
    rows: data.files.map((file) => ({
      verdict: file.verdict,
      search: `${file.path} ${file.reasons.map(({ message }) => message).join(" ")}`.toLowerCase(),
      cells: () => [
        file.path,
        verdictCell(file.verdict),
        file.reasons.map(({ message }) => message).join("; "),
      ],
    })),
    heads: ["File", "Verdict", "Why"],
    verdicts: ["needs-author", "not-compiled"],
  },
};

function verdictCell(verdict) {
  return element("span", { class: `verdict ${verdict}` }, words[verdict]);
}

function section(title, items) {
  return items.length === 0 ? [] : [element("h3", {}, title), element("ul", {}, ...items)];
}

function reasonItem({ subject, message, hint }) {
  const named = message.includes(subject) ? message : `${subject}: ${message}`;
  return element("li", {}, named, hint === undefined ? undefined : element("div", { class: "hint" }, hint));
}

function unitDetail(unit, fixes) {
  const functions = unit.functions.map((one) => {
    const sizes = `${one.originalSizeBytes} → ${one.replacementSizeBytes} bytes`;
    const made = element(
      "details",
      {},
      element(
        "summary",
        {},
        element("span", { class: "mono" }, one.name),
        " ",
        element("span", { class: "sizes" }, `${one.object}, ${sizes}`),
      ),
    );
    made.addEventListener("toggle", () => showCode(made, unit, one.name), { once: true });
    return made;
  });
  const item = (text) => element("li", {}, text);
  return [
    ...section("Why it needs an author", unit.reasons.map(reasonItem)),
    ...(functions.length === 0 ? [] : [element("h3", {}, "Replaced functions"), ...functions]),
    ...section("Added functions", unit.added.map(item)),
    ...section("Warnings", unit.warnings.map(reasonItem)),
    ...section(
      "Fixes",
      fixes.map(({ title, cves }) => item(`${title}${cves.length > 0 ? ` (${cves.join(", ")})` : ""}`)),
    ),
  ];
}

const inflated = new Map();
async function inflate(unit) {
  const bytes = Uint8Array.from(atob(unit.code), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return JSON.parse(await new Response(stream).text());
}

async function showCode(place, unit, name) {
  if (!inflated.has(unit)) inflated.set(unit, inflate(unit));
  const rows = (await inflated.get(unit))[name] ?? [];
  const sides = element(
    "div",
    { class: "sides" },
    element("div", { class: "head" }, "shipped"),
    element("div", { class: "head" }, "replacement"),
  );
  sides.append(...codeRows(rows));
  place.append(sides);
}

/** Long stretches of equal lines are folded: what changed is what one looks for. */
function codeRows(rows) {
  const around = 4;
  const near = rows.map(() => false);
  rows.forEach(([, , same], index) => {
    if (same === 1) return;
    for (let at = Math.max(0, index - around); at <= Math.min(rows.length - 1, index + around); at++)
      near[at] = true;
  });
  const made = [];
  for (let at = 0; at < rows.length;) {
    const end = near[at] ? at + 1 : near.indexOf(true, at) < 0 ? rows.length : near.indexOf(true, at);
    const folded = rows.slice(at, end);
    if (near[at] || folded.length < 3) made.push(...folded.flatMap(codeRow));
    else {
      const gap = element(
        "button",
        { type: "button", class: "gap", onclick: () => gap.replaceWith(...folded.flatMap(codeRow)) },
        `${folded.length} equal lines`,
      );
      made.push(gap);
    }
    at = end;
  }
  return made;
}

function codeCell(text, kind) {
  return element("div", { class: text === null ? "empty" : kind }, text ?? "");
}

function codeRow([old, is, same]) {
  return same === 1
    ? [codeCell(old, "same"), codeCell(is, "same right")]
    : [codeCell(old, "old"), codeCell(is, "new")];
}

let view = "units";
const chosen = Object.fromEntries(
  Object.entries(views).map(([name, { verdicts }]) => [name, new Set(verdicts)]),
);

function row(one, columns, index) {
  const cells = one.cells().map((cell, at) => {
    if (at === 0 && one.detail !== undefined) {
      const button = element(
        "button",
        { type: "button", "aria-expanded": "false", "aria-controls": `row-${index}` },
        cell,
      );
      button.addEventListener("click", () => open(button, one, columns, index));
      return element("td", {}, button);
    }
    const isNumber = typeof cell === "object" && "number" in cell;
    return isNumber
      ? element("td", { class: "number", "data-label": cell.label }, String(cell.number))
      : element("td", {}, cell);
  });
  return element("tr", {}, ...cells);
}

function open(button, one, columns, index) {
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  const line = button.closest("tr");
  if (isOpen) line.nextElementSibling?.remove();
  else
    line.after(
      element(
        "tr",
        { class: "detail", id: `row-${index}` },
        element("td", { colspan: String(columns) }, ...one.detail()),
      ),
    );
}

function show() {
  const { rows, heads } = views[view];
  const sought = byId("text").value.trim().toLowerCase().split(/\s+/);
  const found = rows.filter(
    ({ verdict, search }) => chosen[view].has(verdict) && sought.every((word) => search.includes(word)),
  );
  const head = element(
    "tr",
    {},
    ...heads.map((text) =>
      element("th", { scope: "col", class: text === "Functions" ? "number" : "" }, text),
    ),
  );
  byId("view").replaceChildren(
    element(
      "table",
      {},
      element("thead", {}, head),
      element("tbody", {}, ...found.map((one, index) => row(one, heads.length, index))),
    ),
  );
  byId("count").textContent = `${found.length} of ${rows.length}`;
}

function choose(name) {
  view = name;
  for (const tab of Object.keys(views))
    byId(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
  byId("verdicts").replaceChildren(
    byId("verdicts").firstElementChild,
    ...views[name].verdicts.map((verdict) => {
      const box = element("input", { type: "checkbox", "data-verdict": verdict });
      box.checked = chosen[name].has(verdict);
      box.addEventListener("change", () => {
        if (box.checked) chosen[name].add(verdict);
        else chosen[name].delete(verdict);
        show();
      });
      return element("label", {}, box, ` ${words[verdict]} (${count(views[name].rows, verdict)})`);
    }),
  );
  show();
}

byId("title").append(
  `${data.from} to ${data.to}`,
  element("small", {}, `as live patches of ${data.release}`),
);
const functions = data.units.reduce((sum, unit) => sum + unit.functions.length, 0);
const numbers = [
  [count(data.units, "carried"), "units carried"],
  [functions, "functions replaced"],
  [count(data.units, "needs-author"), "units need an author"],
  [count(data.units, "unchanged"), "units with the same code"],
  [count(data.fixes, "carried"), "fixes carried"],
  [count(data.files, "not-compiled"), "files not compiled here"],
];
byId("numbers").append(
  ...numbers.map(([number, text]) =>
    element("li", {}, element("b", {}, String(number)), element("span", {}, text)),
  ),
);
for (const name of Object.keys(views)) byId(`tab-${name}`).addEventListener("click", () => choose(name));
byId("text").addEventListener("input", show);
document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
choose("units");
