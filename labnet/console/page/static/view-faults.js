// Faults on order: which are on, how long still, how often they were done; and the form for another.

import { get } from "./api.js";
import { choice, empty, field, h, lasting, outside, row, table } from "./dom.js";

const COLUMNS = [["Fault", ""], ["Where", ""], ["For whom", ""], ["Which", ""], ["Time left", "number"], ["Done", "number"], ["By", ""], ["", "acts"]];

export function openFaults(root, page) {
  const list = h("div", {}), form = h("div", {});
  let isOver = false, kinds = null, turn = 0;
  const load = async () => {
    const mine = (turn += 1);
    try {
      const found = await get("faults");
      if (isOver || mine !== turn) return;
      page.showFaults(found.faults);
      list.replaceChildren(found.faults.length ? h("div", { class: "scroll" }, table("Faults on order", COLUMNS, found.faults.map(one => line(one, page, load)))) : nothing());
      if (!kinds && page.isOperator) { kinds = found.kinds; form.replaceChildren(order(kinds, page, load)); }
    } catch (error) {
      list.replaceChildren(empty("The faults cannot be listed now.", `${error.message}.`));
    }
  };
  root.append(list, form);
  load();
  const fetching = setInterval(() => { if (!list.contains(document.activeElement)) load(); }, 3000);
  return { event: kind => { if (kind === "fault" || kind === "again") load(); }, close: () => { isOver = true; clearInterval(fetching); } };
}

const nothing = () => empty("Nothing goes wrong on order.", "What fails now fails by itself. Order a fault below to see what a client, a resolver or a parent makes of it.");

function line(one, page, load) {
  const left = one.until === null || one.until === undefined ? "" : lasting(Math.max(0, one.until - Date.now() / 1000));
  const whom = [one.client && (page.isProjector ? "some clients" : one.client), one.name].filter(Boolean).join(", ");
  const end = async () => { if (await page.act(`faults/${encodeURIComponent(one.id)}/end`, {}, `${one.kind} has ended.`)) load(); };
  return row(COLUMNS, [h("span", { class: "pill fault" }, one.kind), [one.where, one.side, one.direction].filter(Boolean).join(", "), whom ? outside(whom) : "everybody",
    one.when || "each", left, String(one.count ?? 0), one.by ?? "", page.isOperator ? h("button", { class: "quiet", type: "button", "aria-label": `End ${one.kind}`, on: { click: end } }, "End") : null]);
}

/** The form; what each kind does is said as it is chosen. */
function order(kinds, page, load) {
  const says = h("p", { class: "small", "aria-live": "polite" });
  const places = [...page.lab.resolvers.map(one => one.name), ...(page.lab.command ? ["command"] : [])];
  const form = h("form", { class: "card" }, h("h2", {}, "Order a fault"),
    h("div", { class: "bar" },
      field("Fault", choice("kind", kinds.map(one => one.kind), kinds[0]?.kind)),
      field("Where", choice("where", places, places[0])),
      field("Side", choice("side", [["client", "clients"], ["parent", "parents"]], "client")),
      field("Direction", choice("direction", [["in", "coming in"], ["out", "going out"]], "in"))),
    says,
    h("div", { class: "bar" },
      field("Client network", h("input", { name: "client", placeholder: "everybody", maxlength: 60, spellcheck: "false" })),
      field("Name", h("input", { name: "name", placeholder: "every name", maxlength: 255, spellcheck: "false" })),
      field("Which", choice("when", [["", "each"], ["1", "the first"], ["2", "the second"], ["every 2", "every second"], ["every 3", "every third"], ["share 0.1", "a tenth"], ["share 0.5", "half"]], "")),
      field("Minutes", h("input", { name: "until", type: "number", class: "short", min: 1, max: 1440, value: 10 })),
      h("button", { type: "submit", class: "main" }, "Order")));
  const told = () => { says.textContent = kinds.find(one => one.kind === form.elements.kind.value)?.sentence ?? ""; };
  form.addEventListener("input", told);
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
    if (await page.act("faults", given, `${given.kind} is on order.`)) load();
  });
  told();
  return form;
}
