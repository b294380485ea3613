// Warnings and events with their ids, the newest first.

import { get } from "./api.js";
import { choice, clock, empty, field, h, outside, row, table } from "./dom.js";
import { Live } from "./live.js";

const COLUMNS = [["Time", "number"], ["Level", ""], ["Event", ""], ["Text", "whole"]];
const LEVELS = { warn: "warn", warning: "warn", error: "bad", critical: "bad" };
const LIMIT = 200;

export function openLog(root, page) {
  const box = h("div", { class: "scroll list", tabindex: "0", role: "region", "aria-label": "Log" });
  const load = async () => {
    try {
      const { lines } = await get("log", { level: page.parameters.level, limit: LIMIT });
      const newest = [...lines].sort((one, other) => other.time - one.time);
      box.replaceChildren(newest.length ? table("Log", COLUMNS, newest.map(one => line(one, page))) : nothing(page));
    } catch (error) {
      box.replaceChildren(empty("The log cannot be read now.", `${error.message}.`));
    }
  };
  const live = new Live(box, load, { edge: "start" });
  const level = choice("level", [["", "all"], ["info", "events"], ["warn", "warnings"], ["error", "errors"]], page.parameters.level);
  level.addEventListener("change", () => { page.set({ level: level.value }); live.run(); });
  root.append(h("div", { class: "bar" }, field("Level", level)), live.element);
  live.run();
  return {
    event: kind => { if (kind === "log" || kind === "again") live.news(); },
    close: () => live.close(),
  };
}

const line = (one, page) => row(COLUMNS, [clock(one.time), h("span", { class: `pill ${LEVELS[one.level] ?? ""}` }, one.level), h("code", {}, one.event ?? ""), outside(page.hide(one.text))]);

const nothing = page => (page.parameters.level
  ? empty("Nothing of this level.", "That is good news, if it was for warnings.", h("button", { type: "button", on: { click: () => page.go("log") } }, "Show all"))
  : empty("The log is empty since this lab began.", "It fills as servers open, reload, and warn."));
