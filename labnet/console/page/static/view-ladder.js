// The last exchanges and sessions, live; or one of them alone.

import { choice, empty, field, h } from "./dom.js";
import { drawInto, opens } from "./ladder.js";
import { Live } from "./live.js";

const RESULTS = ["hit", "asked", "joined", "negative", "refused", "dropped", "limited", "failed", "malformed"];
const FILTERS = ["client", "name", "resolver", "protocol", "result"];

export function openLadder(root, page) {
  const { exchange } = page.parameters;
  return exchange ? openOne(root, page, exchange) : openAll(root, page);
}

function openOne(root, page, exchange) {
  const box = h("div", { class: "ladder-box whole", tabindex: "0", role: "region", "aria-label": "Ladder of one exchange" });
  root.append(
    h("div", { class: "bar" }, h("a", { href: page.projected("?view=ladder") }, "← all exchanges"),
      h("a", { class: "push", href: `/api/1/exchanges/${encodeURIComponent(exchange)}/capture.pcapng`, download: true }, "Download for Wireshark")),
    box,
  );
  opens(box, page);
  drawInto(box, `exchanges/${encodeURIComponent(exchange)}/ladder.svg`, {}, page).catch(error =>
    box.replaceChildren(empty("This exchange is not here any more.", `${error.message}. The lab keeps the last ones only.`)));
  return {};
}

const filterOf = page => Object.fromEntries(FILTERS.map(name => [name, page.parameters[name] ?? ""]));

/** Whether an event belongs to what is shown. */
function fits(kind, value, filter, show) {
  if (kind === "session") return show !== "exchanges" && !Object.entries(filter).some(([name, word]) => word && name !== "client") && (value.client?.host ?? "").startsWith(filter.client);
  if (kind !== "exchange" || show === "sessions") return false;
  return (!filter.client || (value.client?.host ?? "").startsWith(filter.client))
    && (value.name ?? "").toLowerCase().includes(filter.name.toLowerCase())
    && ["resolver", "protocol", "result"].every(name => !filter[name] || value[name] === filter[name]);
}

function openAll(root, page) {
  const box = h("div", { class: "ladder-box", tabindex: "0", role: "region", "aria-label": "Ladder" });
  const load = async () => {
    try {
      const show = page.parameters.show ?? "";
      const count = await drawInto(box, "ladder.svg", { ...filterOf(page), kind: show || "all", limit: 40 }, page);
      if (!count) box.replaceChildren(nothing(page));
    } catch (error) {
      box.replaceChildren(empty("The ladder cannot be drawn now.", `${error.message}.`));
    }
  };
  const live = new Live(box, load, { isRead: () => page.detail.isOpen });
  const freeze = h("button", { type: "button", "aria-pressed": "false", on: { click: () => {
    live.freeze(!live.frozen);
    freeze.setAttribute("aria-pressed", String(live.frozen));
    page.say(live.frozen ? "Frozen: what is new is counted." : "Live again.");
  } } }, "Freeze");
  root.append(filters(page, live, freeze), live.element);
  opens(box, page);
  live.run();
  let width = box.clientWidth;
  const sized = new ResizeObserver(() => {
    if (Math.abs(box.clientWidth - width) > 20) { width = box.clientWidth; live.schedule(); }
  });
  sized.observe(root);
  return {
    event: (kind, value) => {
      if (kind === "again" || kind === "skipped") live.schedule();
      else if (fits(kind, value, filterOf(page), page.parameters.show)) live.news();
    },
    close: () => { live.close(); sized.disconnect(); },
  };
}

function filters(page, live, freeze) {
  const now = filterOf(page);
  const names = page.lab.resolvers.map(one => one.name);
  const form = h("form", { class: "bar", role: "search", "aria-label": "Filter", on: { submit: event => event.preventDefault() } },
    field("Name", h("input", { name: "name", type: "search", value: now.name, maxlength: 255, spellcheck: "false", autocomplete: "off" })),
    page.isProjector ? null : field("Client", h("input", { name: "client", type: "search", class: "short", value: now.client, maxlength: 60, spellcheck: "false", autocomplete: "off" })),
    field("Resolver", choice("resolver", [["", "all"], ...names], now.resolver)),
    field("Protocol", choice("protocol", [["", "all"], ["dns", "DNS"], ["course", "course"]], now.protocol)),
    field("Result", choice("result", [["", "all"], ...RESULTS], now.result)),
    field("Show", choice("show", [["", "all"], ["exchanges", "questions"], ["sessions", "sessions"]], page.parameters.show)),
    h("div", { class: "bar push" }, freeze),
  );
  let timer = 0;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      page.set(Object.fromEntries(new FormData(form)));
      live.run();
    }, 250);
  });
  return form;
}

/** Why there is nothing, and what to do. */
function nothing(page) {
  if (FILTERS.some(name => page.parameters[name]) || page.parameters.show)
    return empty("Nothing that was kept fits the filter.", "The lab keeps the last exchanges only. Ask again, or", h("button", { type: "button", on: { click: () => page.go("ladder") } }, "Show all"));
  const listens = page.lab.resolvers[0]?.listens?.[0]?.replace(/^\w+ /, "").replace(/:(\d+)$/, " $1") ?? "127.0.0.1 1199";
  return empty("Nobody has asked anything since this page looks on.", "The lab notes what happens only while somebody looks. Ask in a terminal:",
    h("code", {}, `labnet resolve ${listens} www.google.co.il`), h("p", {}, h("a", { href: page.projected("?view=ask") }, "or ask from this page")));
}
