// One question: its answer, its own ladder, and why.

import { post } from "./api.js";
import { choice, field, h, lasting, outside } from "./dom.js";
import { whyOf } from "./detail.js";
import { drawInto, opens } from "./ladder.js";

const TYPES = ["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "TXT", "SRV", "CAA", "ANY"];
const MARKS = { hit: "good", asked: "good", joined: "good", negative: "warn" };

export function openAsk(root, page) {
  const now = page.parameters;
  const type = choice("type", TYPES, now.type ?? "A");
  const form = h("form", { class: "bar" },
    field("Name", h("input", { name: "name", class: "wide", required: true, maxlength: 255, value: now.name ?? "www.google.co.il", spellcheck: "false", autocomplete: "off" })),
    field("Type", type),
    field("Resolver", choice("resolver", page.lab.resolvers.map(one => one.name), now.resolver)),
    field("Protocol", choice("protocol", [["dns", "DNS"], ["course", "course"]], now.protocol)),
    h("button", { type: "submit", class: "main", disabled: !page.isOperator && !page.lab.scope }, "Ask"));
  const result = h("div", { class: "stack-up", "aria-live": "polite" });
  const typed = () => { type.disabled = form.elements.protocol.value === "course"; };
  form.addEventListener("input", typed);
  form.addEventListener("submit", event => {
    event.preventDefault();
    const told = { ...Object.fromEntries(new FormData(form)) };
    page.set({ ...told, view: "ask" });
    ask(told, result, page);
  });
  typed();
  root.append(form, result);
  return {};
}

async function ask(told, result, page) {
  result.replaceChildren(h("p", { class: "small" }, `${told.name} is asked for …`));
  try {
    const exchange = await post("ask", told);
    result.replaceChildren(...shown(exchange, page));
    page.say(`The answer is ${exchange.answer || exchange.result}.`);
  } catch (error) {
    result.replaceChildren(h("p", { class: "error" }, `Not asked: ${error.message}.`));
  }
}

function shown(exchange, page) {
  const box = h("div", { class: "ladder-box whole", tabindex: "0", role: "region", "aria-label": "Ladder of this question" });
  opens(box, page);
  requestAnimationFrame(() => drawInto(box, `exchanges/${encodeURIComponent(exchange.id)}/ladder.svg`, {}, page).catch(error => box.replaceChildren(h("p", { class: "error" }, `${error.message}.`))));
  return [
    h("p", { class: "answer" }, h("strong", {}, outside(exchange.answer || "no answer")), " ", h("span", { class: `pill ${MARKS[exchange.result] ?? "bad"}` }, exchange.result),
      exchange.ttl === null || exchange.ttl === undefined ? null : h("span", { class: "small" }, ` to live ${exchange.ttl} s,`), h("span", { class: "small" }, ` after ${lasting(exchange.ended - exchange.began)}`)),
    box, ...(whyOf(exchange) ?? []),
  ];
}
