// Who is asked what is not known here: state, round-trip times, tries, failures, and who is next.

import { get } from "./api.js";
import { empty, h, lasting, outside, s } from "./dom.js";
import { Live } from "./live.js";

const STATES = { up: "good", down: "bad", unknown: "" };

export function openParents(root, page) {
  const box = h("div", { tabindex: "-1" });
  const load = async () => {
    try {
      const { parents } = await get("parents");
      box.replaceChildren(parents.length ? h("div", { class: "cards" }, parents.map(one => card(one, page, live))) : nothing());
    } catch (error) {
      box.replaceChildren(empty("The parents cannot be listed now.", `${error.message}.`));
    }
  };
  const live = new Live(box, load, { edge: "start", noun: "changes" });
  root.append(live.element);
  live.run();
  const fetching = setInterval(() => { if (!live.isHeld()) live.run(); }, 5000);
  return {
    event: kind => { if (kind === "parent" || kind === "again") live.news(); },
    close: () => { live.close(); clearInterval(fetching); },
  };
}

function card(one, page, live) {
  const result = h("p", { role: "status" });
  const ask = async event => {
    event.preventDefault();
    const name = new FormData(event.target).get("name");
    const told = await page.act("parents/ask", { resolver: one.resolver, address: one.address, name }, `${one.address} was asked for ${name}.`);
    result.replaceChildren(told ? h("span", {}, outside(told.says || told.why), told.answered ? h("span", { class: "small" }, ` after ${lasting(told.milliseconds / 1000)}`) : null) : "");
    live.schedule();
  };
  const facts = [["Round trip", one.rtt === null || one.rtt === undefined ? (one.tries ? "no answer yet" : "not asked yet") : lasting(one.rtt)], ["Tries", one.tries], ["Failures", one.failures]];
  return h("article", { class: `card ${one.next ? "next" : ""}` },
    h("header", {}, h("h2", {}, outside(one.address)), h("span", { class: `pill ${STATES[one.state] ?? ""}` }, one.state)),
    h("p", { class: "small" }, `parent of resolver ${one.resolver}`),
    one.rtts?.some(rtt => rtt !== null) && one.rtts.length > 1 ? spark(one.rtts) : null,
    h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value ?? ""))])),
    one.why ? h("p", {}, one.next ? h("strong", {}, "Asked next: ") : null, one.why) : null,
    page.isOperator ? h("form", { class: "bar", on: { submit: ask } },
      h("label", {}, "Name", h("input", { name: "name", class: "wide", required: true, value: "www.google.co.il", maxlength: 255, spellcheck: "false" })), h("button", { type: "submit" }, "Ask now")) : null,
    result);
}

/** The round-trip times, oldest first; a null is a try without an answer. */
function spark(rtts) {
  const most = Math.max(...rtts.map(one => one ?? 0), 1e-6), wide = 300, high = 48;
  const x = at => (at / (rtts.length - 1)) * (wide - 8) + 4, y = rtt => high - 4 - (rtt / most) * (high - 22);
  let path = "", isOpen = false;
  rtts.forEach((rtt, at) => {
    if (rtt === null) { isOpen = false; return; }
    path += `${isOpen ? "L" : "M"}${x(at).toFixed(1)} ${y(rtt).toFixed(1)}`;
    isOpen = true;
  });
  return s("svg", { class: "chart", viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `Round-trip times of the last ${rtts.length} tries, at most ${lasting(most)}` },
    s("line", { class: "grid", x1: 0, x2: wide, y1: high - 4, y2: high - 4 }), s("path", { d: path }),
    rtts.map((rtt, at) => (rtt === null ? s("circle", { class: "lost", cx: x(at), cy: high - 4, r: 3 }) : null)),
    s("text", { x: wide - 4, y: 10, "text-anchor": "end" }, `at most ${lasting(most)}`));
}

const nothing = () => empty("No resolver of this lab has a parent.", "Each answers from its records alone. A key parents in the table of a resolver gives it some.");
