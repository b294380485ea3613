// Who listens where, who is whose parent, what each knows: a picture, and the same as a list.

import { get } from "./api.js";
import { empty, h, s } from "./dom.js";

const BOX = 220, HIGH = 96, GAP = 80, ROW = 24;

export function openMap(root) {
  let isOver = false;
  const load = async () => {
    try {
      const found = await get("map");
      if (!isOver) root.replaceChildren(...content(found));
    } catch (error) {
      root.replaceChildren(empty("The map cannot be drawn now.", `${error.message}.`));
    }
  };
  load();
  return { event: kind => { if (kind === "parent" || kind === "again") load(); }, close: () => { isOver = true; } };
}

function content({ nodes = [], edges = [] }) {
  if (!nodes.length) return [empty("Nothing listens in this lab.", "A table [command] or [resolver.NAME] in its configuration gives it a server.")];
  const list = h("ul", { class: "cards" }, nodes.map(one => h("li", { class: "card" }, h("h2", {}, h("bdi", {}, one.label)), h("p", { class: "small" }, one.kind),
    h("dl", { class: "facts" }, [["Listens", lines(one.listens)], ["Knows", lines(one.knows)], ["Asks", edges.filter(edge => edge.from === one.id).map(edge => nodes.find(to => to.id === edge.to)?.label ?? edge.to).join(", ")]]
      .filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, h("bdi", {}, value))])))));
  return [h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Map" }, drawn(nodes, edges)), list];
}

const lines = value => (Array.isArray(value) ? value.map(one => String(one).replace(/^(udp|tcp) /, "")).join(", ") : value ?? "");

/** How many steps it is from who is asked first; who is in a circle stands where it was met. */
function ranks(nodes, edges) {
  const rank = new Map(nodes.map(one => [one.id, 0]));
  for (let round = 0; round < nodes.length; round += 1)
    for (const { from, to } of edges)
      if (rank.has(from) && rank.has(to) && rank.get(to) <= rank.get(from) && rank.get(from) + 1 < nodes.length) rank.set(to, rank.get(from) + 1);
  return rank;
}

function drawn(nodes, edges) {
  const rank = ranks(nodes, edges), taken = [], place = new Map();
  for (const one of nodes) {
    const column = rank.get(one.id);
    taken[column] = (taken[column] ?? 0) + 1;
    place.set(one.id, { x: 16 + column * (BOX + GAP), y: 16 + (taken[column] - 1) * (HIGH + ROW) });
  }
  const used = [...place.values()];
  const width = Math.max(...used.map(one => one.x)) + BOX + 16, height = Math.max(...used.map(one => one.y)) + HIGH + 16;
  return s("svg", { class: "chart natural", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "The servers of the lab and who asks whom; the list below says the same" },
    edges.filter(one => place.has(one.from) && place.has(one.to)).map(one => edge(place.get(one.from), place.get(one.to), one.label)),
    nodes.map(one => node(one, place.get(one.id))));
}

function node(one, { x, y }) {
  const middle = x + BOX / 2;
  const text = (value, dy, kind) => s("text", { class: kind, x: middle, y: y + dy, "text-anchor": "middle" }, short(value));
  return s("g", {}, s("title", {}, `${one.label}: ${lines(one.listens)}`), s("rect", { class: `node ${one.kind}`, x, y, width: BOX, height: HIGH, rx: 10 }),
    text(one.label, 28, "strong"), text(lines(one.listens), 52, "mono"), text(lines(one.knows), 76));
}

const short = value => { const text = String(value ?? ""); return text.length > 28 ? `${text.slice(0, 27)}…` : text; };

function edge(from, to, label) {
  const back = to.x <= from.x;
  const x1 = from.x + (back ? 0 : BOX), x2 = to.x + (back ? BOX : 0), y1 = from.y + HIGH / 2, y2 = to.y + HIGH / 2;
  const turn = (x2 - x1) / 2, way = back ? 1 : -1;
  return s("g", {}, s("path", { class: "edge", d: `M${x1} ${y1}C${x1 + turn} ${y1} ${x2 - turn} ${y2} ${x2} ${y2}` }),
    s("path", { class: "tip", d: `M${x2} ${y2}l${way * 9} -5v10z` }), label ? s("text", { x: (x1 + x2) / 2, y: (y1 + y2) / 2 - 6, "text-anchor": "middle" }, label) : null);
}
