// Records, what was learned, negative answers and failures, each with what is left of its life.

import { get } from "./api.js";
import { choice, empty, field, h, lasting, outside, row, table } from "./dom.js";
import { Live } from "./live.js";

const COLUMNS = [["Name", "whole"], ["Type", ""], ["Data", ""], ["Kind", ""], ["Time left", "number"], ["From", ""], ["", "acts"]];
const KINDS = { record: "good", learned: "", negative: "warn", failure: "bad" };
const LIMIT = 100;
const MOST = 500;

export function openNames(root, page) {
  const box = h("div", { class: "scroll list", tabindex: "0", role: "region", "aria-label": "Names" });
  const wanted = () => ({ resolver: page.parameters.resolver ?? page.lab.scope ?? page.lab.resolvers[0]?.name, find: page.parameters.find, kind: page.parameters.kind });
  let limit = LIMIT;
  const load = async () => {
    try {
      const found = await get("names", { ...wanted(), limit });
      if (!found.names.length) box.replaceChildren(nothing(page));
      else show(found);
    } catch (error) {
      box.replaceChildren(empty("The names cannot be listed now.", `${error.message}.`));
    }
  };
  const show = found => {
    const more = h("button", { type: "button", on: { click: () => { limit += LIMIT; live.show(); } } }, "Show more");
    box.replaceChildren(table("Names", COLUMNS, found.names.map(one => line(one, page, wanted().resolver, live))), found.more ? h("p", { class: "empty" }, limit < MOST ? more : `There are more than ${MOST}: find a part of the name.`) : "");
  };
  const live = new Live(box, load, { edge: "start", every: 2000, noun: "changes" });
  root.append(filters(page, live, wanted), live.element);
  live.run();
  const ticking = setInterval(() => tick(box), 1000);
  const fetching = setInterval(() => { if (!live.isHeld()) live.run(); }, 10_000);
  return {
    event: (kind, value) => { if (kind === "exchange" && value.resolver === wanted().resolver && value.result !== "hit") live.news(); },
    close: () => { live.close(); clearInterval(ticking); clearInterval(fetching); },
  };
}

function filters(page, live, wanted) {
  const form = h("form", { class: "bar", role: "search", "aria-label": "Find", on: { submit: event => event.preventDefault() } },
    field("Resolver", choice("resolver", page.lab.resolvers.map(one => one.name), wanted().resolver)),
    field("Find", h("input", { name: "find", type: "search", class: "wide", value: page.parameters.find ?? "", maxlength: 255, spellcheck: "false", autocomplete: "off" })),
    field("Kind", choice("kind", [["", "all"], ["record", "records"], ["learned", "learned"], ["negative", "negative"], ["failure", "failures"]], page.parameters.kind)));
  let timer = 0;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { page.set(Object.fromEntries(new FormData(form))); live.run(); }, 250);
  });
  return form;
}

/** One name; a record of a file has no end and cannot be flushed. */
function line(one, page, resolver, live) {
  const until = one.left === null || one.left === undefined ? null : Date.now() / 1000 + one.left;
  const left = until === null ? "for good" : h("span", { "data-until": until, "data-ttl": one.ttl }, h("span", {}, lasting(one.left)), bar(one.left, one.ttl));
  const flush = async () => {
    if (await page.act("flush", { resolver, name: one.name }, `${one.name} is forgotten.`)) live.show();
  };
  const again = () => page.go("ask", { resolver, name: one.name, type: one.type });
  return row(COLUMNS, [
    outside(one.name), one.type, outside(one.data), h("span", { class: `pill ${KINDS[one.kind] ?? ""}` }, one.kind), left, one.from ? outside(one.from) : "",
    [one.kind !== "record" && page.isOperator ? h("button", { class: "quiet", type: "button", "aria-label": `Flush ${one.name}`, on: { click: flush } }, "Flush") : null,
      page.isOperator ? h("button", { class: "quiet", type: "button", "aria-label": `Ask for ${one.name} again`, on: { click: again } }, "Ask") : null],
  ]);
}

const bar = (left, ttl) => h("progress", { max: Math.max(ttl ?? 0, 1), value: Math.max(0, left), "aria-label": "Time left", class: left < 10 ? "low" : "" });

/** Time goes on without asking the lab. */
function tick(box) {
  for (const one of box.querySelectorAll("[data-until]")) {
    const left = Math.max(0, Number(one.dataset.until) - Date.now() / 1000);
    one.firstChild.textContent = left ? lasting(left) : "over";
    one.lastChild.value = left;
    one.lastChild.classList.toggle("low", left < 10);
  }
}

function nothing(page) {
  if (page.parameters.find || page.parameters.kind)
    return empty("No name fits.", "The resolver knows none that is written so, or not of this kind.", h("button", { type: "button", on: { click: () => page.go("names") } }, "Show all"));
  return empty("This resolver knows no name yet.", "It has no records, and has learned nothing so far. Ask it for a name that its parent knows.", h("p", {}, h("a", { href: page.projected("?view=ask") }, "Ask")));
}
