// The command server's connections: who, since, seconds left, commands; and the queue before it.

import { get } from "./api.js";
import { clock, empty, h, lasting, row, table } from "./dom.js";
import { Live } from "./live.js";

const COLUMNS = [["Client", "whole"], ["Since", ""], ["Time left", "number"], ["Commands", "number"], ["State", ""], ["", "acts"]];
const WAITING = [["Place", ""], ["Client", ""], ["Since", ""]];

export function openSessions(root, page) {
  const box = h("div", { class: "stack-up", tabindex: "-1" });
  const load = async () => {
    try {
      await page.learn();
      box.replaceChildren(...content(page, await get("sessions"), live));
    } catch (error) {
      box.replaceChildren(empty("The sessions cannot be listed now.", `${error.message}.`));
    }
  };
  const live = new Live(box, load, { edge: "start", noun: "changes" });
  root.append(live.element);
  live.run();
  const ticking = setInterval(() => tick(box), 250);
  const fetching = setInterval(() => { if (!live.isHeld()) live.run(); }, 5000);
  return {
    event: kind => { if (kind === "session" || kind === "again") live.news(); },
    close: () => { live.close(); clearInterval(ticking); clearInterval(fetching); },
  };
}

function content(page, found, live) {
  const { command } = page.lab;
  if (!command) return [empty("This lab has no command server.", "A table [command] in its configuration gives it one.")];
  const parts = [];
  if (!command.open) parts.push(closed(page, live));
  const [host] = (command.listens?.[0] ?? "tcp 127.0.0.1:8080").replace(/^\w+ /, "").split(/:(?=\d+$)/);
  const port = (command.listens?.[0] ?? ":8080").split(":").pop();
  if (found.sessions.length) parts.push(h("div", { class: "scroll" }, table("Sessions", COLUMNS, found.sessions.map(one => line(one, page, command, live)))));
  else if (command.open) parts.push(empty("Nobody is connected.", `The command server waits at ${host}:${port}. Connect in a terminal:`, h("code", {}, `labnet command ${host} ${port} TIME`)));
  if (found.waiting?.length)
    parts.push(h("h2", {}, `${found.waiting.length} before the welcome port`),
      h("div", { class: "scroll" }, table("Waiting", WAITING, found.waiting.map(one => row(WAITING, [String(one.place), page.client(one.client), one.since ? clock(one.since) : ""])))));
  return parts;
}

function closed(page, live) {
  const open = async () => { if (await page.act("command/open", {}, "The command server is open again.")) live.show(); };
  return empty("The command server is closed.", "A client sent EXIT, which closes the welcome port and every session, as the assignment wants.",
    page.isOperator ? h("button", { type: "button", class: "main", on: { click: open } }, "Open it again") : null);
}

function line(one, page, command, live) {
  const who = page.client(one.client);
  const close = async () => { if (await page.act(`sessions/${encodeURIComponent(one.id)}/close`, {}, `The session of ${who} is closed.`)) live.show(); };
  const limit = command.timeout || 15;
  const left = one.left === null || one.left === undefined ? "" : h("span", { "data-until": Date.now() / 1000 + one.left }, h("span", {}, seconds(one.left)),
    h("progress", { max: limit, value: one.left, "aria-label": "Seconds left without a command", class: one.left < 5 ? "low" : "" }));
  return row(COLUMNS, [who, `${clock(one.since)}`, left, String(one.commands), h("span", { class: `pill ${one.state === "served" ? "good" : ""}` }, one.state),
    page.isOperator ? h("button", { class: "quiet", type: "button", "aria-label": `Close the session of ${who}`, on: { click: close } }, "Close") : null]);
}

const seconds = left => (left < 20 ? `${left.toFixed(1)} s` : lasting(left));

function tick(box) {
  for (const one of box.querySelectorAll("[data-until]")) {
    const left = Math.max(0, Number(one.dataset.until) - Date.now() / 1000);
    one.firstChild.textContent = seconds(left);
    one.lastChild.value = left;
    one.lastChild.classList.toggle("low", left < 5);
  }
}
