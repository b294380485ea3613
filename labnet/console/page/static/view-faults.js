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
      list.replaceChildren(found.faults.length ? h("div", { class: "scroll" }, table("Faults on order", COLUMNS, found.faults.map(one => line(one, page, load)))) : nothing(page));
      if (!kinds && page.isOperator && found.kinds.length) { kinds = found.kinds; form.replaceChildren(order(kinds, page, load)); }
    } catch (error) {
      list.replaceChildren(empty("The faults cannot be listed now.", `${error.message}.`));
    }
  };
  root.append(list, form);
  load();
  const fetching = setInterval(() => { if (!list.contains(document.activeElement)) load(); }, 3000);
  return { event: kind => { if (kind === "fault" || kind === "again") load(); }, close: () => { isOver = true; clearInterval(fetching); } };
}

const nothing = page => empty("Nothing goes wrong on order.",
  page.isOperator ? "What fails now fails by itself. Order a fault below to see what a client, a resolver or a parent makes of it." : "What fails now fails by itself.");

function line(one, page, load) {
  const left = one.until === null || one.until === undefined ? "" : lasting(Math.max(0, one.until - Date.now() / 1000));
  const whom = [one.client && (page.isProjector ? "some clients" : one.client), one.name].filter(Boolean).join(", ");
  const end = async () => { if (await page.act(`faults/${encodeURIComponent(one.id)}/end`, {}, `${one.kind} has ended.`)) load(); };
  return row(COLUMNS, [h("span", { class: "pill fault" }, one.kind), [one.where, one.side, one.direction].filter(Boolean).join(", "), whom ? outside(whom) : "everybody",
    one.when || "each", left, String(one.count ?? 0), one.by ?? "", page.isOperator ? h("button", { class: "quiet", type: "button", "aria-label": `End ${one.kind}`, on: { click: end } }, "End") : null]);
}

const SIDES = { client: "clients", parent: "parents", session: "connections" };
const WHICH = [["", "each"], ["1", "the first"], ["2", "the second"], ["every 2", "every second"], ["every 3", "every third"], ["share 0.1", "a tenth"], ["share 0.5", "half"]];

/** The form; what each kind does is said as it is chosen, and what does not go with it is not offered. */
function order(kinds, page, load) {
  const says = h("p", { class: "small", "aria-live": "polite" });
  const side = choice("side", []), where = choice("where", []);
  const direction = choice("direction", [["", "as usual"], ["in", "coming in"], ["out", "going out"]], "");
  const amount = h("input", { name: "amount", type: "number", class: "short", min: 0, max: 60000 });
  const asked = field("Milliseconds", amount);
  const form = h("form", { class: "card" }, h("h2", {}, "Order a fault"),
    h("div", { class: "bar" }, field("Fault", choice("kind", kinds.map(one => one.kind), kinds[0]?.kind)), field("Where", where), field("Side", side), field("Direction", direction), asked),
    says,
    h("div", { class: "bar" },
      field("Client network", h("input", { name: "client", placeholder: "everybody", maxlength: 60, spellcheck: "false" })),
      field("Name", h("input", { name: "name", placeholder: "every name", maxlength: 255, spellcheck: "false" })),
      field("Which", choice("when", WHICH, "")),
      field("Minutes", h("input", { name: "until", type: "number", class: "short", min: 1, max: 1440, value: 10 })),
      h("button", { type: "submit", class: "main" }, "Order")));
  const fit = () => {
    const { sentence, transport, sides, amount: unit } = kinds.find(one => one.kind === form.elements.kind.value) ?? {};
    const isSession = transport === "tcp";
    says.textContent = sentence ?? "";
    offer(side, (sides ?? (isSession ? ["session"] : ["client", "parent"])).map(one => [one, SIDES[one] ?? one]));
    offer(where, [...isSession ? [["command", "command server"]] : [], ...page.lab.resolvers.map(one => [one.name, one.name])]);
    side.disabled = direction.disabled = isSession;
    asked.hidden = !unit;
    amount.disabled = !unit;
  };
  form.elements.kind.addEventListener("input", fit);
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
    if (await page.act("faults", given, `${given.kind} is on order.`)) load();
  });
  fit();
  return form;
}

/** Has the select offer these, keeping what was chosen where it is among them. */
function offer(select, choices) {
  const chosen = select.value;
  select.replaceChildren(...choices.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
}
