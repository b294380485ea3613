// Questions a second, hit ratio, latency, by protocol and by result.

import { get } from "./api.js";
import { clock, empty, h, lasting, s } from "./dom.js";

const WIDE = 380, HIGH = 150, LEFT = 52, BOTTOM = 22, TOP = 10;

export function openTraffic(root, page) {
  let isOver = false;
  const load = async () => {
    if (document.hidden || isOver) return;
    try {
      const found = await get("traffic");
      if (!isOver) root.replaceChildren(...content(found, page));
    } catch (error) {
      root.replaceChildren(empty("The traffic cannot be shown now.", `${error.message}.`));
    }
  };
  load();
  const fetching = setInterval(load, 2000);
  return { close: () => { isOver = true; clearInterval(fetching); } };
}

function content(found, page) {
  const { series = [] } = found;
  const asked = series.reduce((sum, one) => sum + one.questions, 0);
  if (!asked) return [empty("No question in the last five minutes.", "Ask one, and it is counted here.", h("p", {}, h("a", { href: page.projected("?view=ask") }, "Ask")))];
  const hits = series.reduce((sum, one) => sum + one.hits, 0);
  const last = series.at(-1), timed = series.findLast(one => one.p50 !== null) ?? {}, slow = Math.max(...series.map(one => one.p99 ?? 0));
  return [
    h("div", { class: "cards" },
      figure("Questions a second", String(Math.round(last.questions)), chart(series, ["questions"], one => String(Math.round(one)), 2)),
      figure("From memory", `${Math.round((100 * hits) / asked)} %`, chart(series.map(one => ({ time: one.time, ratio: one.questions ? (100 * one.hits) / one.questions : null })), ["ratio"], one => `${Math.round(one)} %`, 100)),
      figure(["Latency: ", h("span", { class: "key one" }, "median"), " / ", h("span", { class: "key two" }, "99 %")], `${lasting(timed.p50) || "–"} / ${lasting(timed.p99) || "–"}`, chart(series, ["p50", "p99"], lasting, slow)),
      figure([h("span", { class: "key one" }, "Failed"), " / ", h("span", { class: "key two" }, "over the rate")], String(series.reduce((sum, one) => sum + one.failures + one.limited, 0)), chart(series, ["failures", "limited"], one => String(Math.round(one)), 2)),
      shares("By protocol", found.by_protocol), shares("By result", found.by_result)),
  ];
}

const figure = (title, value, drawn) => h("article", { class: "card" }, h("h2", {}, title), h("p", { class: "big" }, value), drawn);

/** Lines over time, one for each key; a null is a gap. */
function chart(series, keys, written, given = 0) {
  const most = Math.max(given, ...series.flatMap(one => keys.map(key => one[key] ?? 0))) || 1;
  const x = at => LEFT + (at / Math.max(1, series.length - 1)) * (WIDE - LEFT - 8);
  const y = value => HIGH - BOTTOM - (value / most) * (HIGH - BOTTOM - TOP);
  const lines = keys.map((key, number) => {
    let path = "", isOpen = false;
    series.forEach((one, at) => {
      const value = one[key];
      if (value === null || value === undefined) { isOpen = false; return; }
      path += `${isOpen ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
      isOpen = true;
    });
    return s("path", { d: path, class: ["", "two", "three"][number] });
  });
  const grid = [0, 0.5, 1].map(part => [s("line", { class: "grid", x1: LEFT, x2: WIDE - 8, y1: y(most * part), y2: y(most * part) }), s("text", { x: LEFT - 6, y: y(most * part) + 4, "text-anchor": "end" }, written(most * part))]);
  const ends = [s("text", { x: LEFT, y: HIGH - 4 }, clock(series[0].time)), s("text", { x: WIDE - 8, y: HIGH - 4, "text-anchor": "end" }, clock(series.at(-1).time))];
  const told = `${keys.join(" and ")} from ${clock(series[0].time)} to ${clock(series.at(-1).time)}, at most ${written(most)}`;
  return s("svg", { class: "chart", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": told }, grid, lines, ends);
}

function shares(title, counts) {
  const rows = Object.entries(counts ?? {}).sort((one, other) => other[1] - one[1]);
  const all = rows.reduce((sum, [, count]) => sum + count, 0) || 1;
  return h("article", { class: "card" }, h("h2", {}, title), h("div", { class: "bars" }, rows.map(([name, count]) =>
    [h("span", {}, name), h("progress", { max: all, value: count, "aria-label": `${name}: ${count} of ${all}` }), h("span", {}, String(count))])));
}
