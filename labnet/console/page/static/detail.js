// One datagram: what it is, why this answer, its layers in sentences, its bytes.

import { get } from "./api.js";
import { address, clock, h, lasting, outside } from "./dom.js";

const WIDTH = 16;
const MOST = 4096;
const KINDS = { again: "asked again", silence: "silence", "thrown-away": "thrown away" };

export class Detail {
  constructor(element, page) {
    Object.assign(this, { element, page, opener: null, isOpen: false });
    element.addEventListener("keydown", event => { if (event.key === "Escape") this.close(); });
  }

  close(isBack = true) {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.element.hidden = true;
    this.opener?.classList.remove("open");
    if (isBack && this.opener?.isConnected) this.opener.focus();
  }

  async open({ exchange, session, number, opener, told }) {
    this.opener = opener;
    this.isOpen = true;
    this.key = `${exchange ?? session}/${number}`;
    this.element.hidden = false;
    this.fill("…", [h("p", {}, "is fetched")]);
    try {
      if (session) this.showSession(session, number);
      else this.showDatagram(told ?? (await get(`exchanges/${encodeURIComponent(exchange)}`)), number);
    } catch (error) {
      this.fill("Not here any more", [h("p", {}, `${error.message}. The lab keeps the last exchanges only.`)]);
    }
    this.element.querySelector("h2").focus();
  }

  fill(title, content) {
    const close = h("button", { type: "button", "aria-label": "Close", on: { click: () => this.close() } }, "Close");
    this.element.replaceChildren(h("header", {}, h("h2", { id: "detail-title", tabindex: "-1" }, title), close), ...content.flat(4).filter(Boolean));
  }

  showSession(id, number) {
    const events = this.page.sessions.get(id) ?? [];
    const event = events[number];
    if (!event || !["opened", "waiting"].includes(events[0].what)) throw new Error("this session began before the page was opened");
    const list = events.map((one, at) => h("li", { "aria-current": at === number && "true" },
      h("span", { class: "small" }, clock(one.time)), " ", one.what, " ", outside(this.page.hide(one.text)), one.reply ? [" → ", outside(this.page.hide(one.reply))] : null, one.why ? ` (${one.why})` : null));
    this.fill(this.page.hide(event.text) || event.what, [
      facts([["When", clock(event.time)], ["Client", this.page.client(event.client)], ["Server", address(event.server)], ["Why", event.why]]),
      h("h3", {}, "The whole session"), h("ol", { class: "why" }, list),
    ]);
  }

  showDatagram(exchange, number) {
    const datagram = exchange.datagrams[number] ?? exchange.datagrams[0];
    const at = exchange.datagrams.indexOf(datagram);
    const step = (to, label) => h("button", { type: "button", disabled: !exchange.datagrams[to], on: { click: () => {
      this.showDatagram(exchange, to);
      this.element.querySelector("h2").focus();
    } } }, label);
    const id = encodeURIComponent(exchange.id);
    this.fill(datagram.kind === "silence" ? datagram.note || "Silence" : datagram.text || "Datagram", [
      h("div", { class: "bar" }, step(at - 1, "← before"), step(at + 1, "after →"), h("span", { class: "small" }, `${at + 1} of ${exchange.datagrams.length}`)),
      this.factsOf(exchange, datagram),
      whyOf(exchange),
      datagram.layers?.length || datagram.packet || datagram.bytes ? bytesOf(datagram) : null,
      h("p", { class: "bar" },
        h("a", { href: this.page.projected(`?view=ladder&exchange=${id}`) }, "This exchange alone"),
        h("a", { href: `/api/1/exchanges/${id}/capture.pcapng`, download: `exchange-${id}.pcapng` }, "Download for Wireshark")),
    ]);
  }

  factsOf(exchange, datagram) {
    const who = end => (end.host === exchange.client.host && end.port === exchange.client.port ? this.page.client(end) : address(end));
    const kind = KINDS[datagram.kind];
    return facts([
      ["When", `${clock(datagram.time)}, ${lasting(datagram.time - exchange.began)} after the question came`],
      ["Way", `${who(datagram.from)} → ${who(datagram.to)}, ${(datagram.transport ?? exchange.transport).toUpperCase()}`],
      ["What", [kind ? h("span", { class: "pill warn" }, kind) : null, " ", datagram.note || (kind ? "" : "arrived")]],
      ["Fault", datagram.fault ? h("span", { class: "pill fault" }, datagram.fault) : null],
      ["Answer", exchange.answer ? outside(exchange.answer) : null],
    ]);
  }
}

const facts = rows => h("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

/** The decision's steps, in order. */
export function whyOf(exchange) {
  if (!exchange.why?.length) return null;
  return [h("h3", {}, "Why this answer"), h("ol", { class: "why" }, exchange.why.map(step => h("li", {}, outsideIn(step.sentence))))];
}

const outsideIn = sentence => h("bdi", { class: "name" }, sentence);

/** Layers and bytes: a field that is pointed at or reached lights its bytes up. */
function bytesOf(datagram) {
  const cells = [];
  const light = (from, to) => {
    for (const cell of cells) cell.classList.toggle("on", Number(cell.dataset.at) >= from && Number(cell.dataset.at) < to);
  };
  const layers = (datagram.layers ?? []).map(layer => h("div", { class: "layer" },
    h("h4", {}, layer.name), h("p", {}, outsideIn(layer.sentence)),
    h("div", { class: "fields" }, (layer.fields ?? []).map(field => {
      const lit = () => light(field.from ?? 0, field.to ?? 0);
      return h("button", { type: "button", on: { mouseenter: lit, focus: lit, mouseleave: () => light(0, 0) } }, `${field.name}: ${field.value}`);
    }))));
  const bytes = datagram.packet || datagram.bytes || "";
  return [layers.length ? h("h3", {}, "Layers") : null, layers, bytes ? [h("h3", {}, `Bytes (${bytes.length / 2})`), dump(bytes, cells)] : null];
}

function dump(hex, cells) {
  const bytes = hex.slice(0, 2 * MOST).match(/../g) ?? [];
  const lines = [];
  for (let start = 0; start < bytes.length; start += WIDTH) {
    const row = bytes.slice(start, start + WIDTH);
    const cell = (text, at) => {
      const one = h("b", { "data-at": start + at }, text);
      cells.push(one);
      return one;
    };
    const sign = byte => (byte >= "20" && byte < "7f" ? String.fromCharCode(parseInt(byte, 16)) : ".");
    lines.push(h("span", { class: "at" }, start.toString(16).padStart(4, "0")), h("span", {}, row.map(cell)), h("span", { class: "text" }, row.map((byte, at) => cell(sign(byte), at))));
  }
  if (hex.length > 2 * MOST) lines.push(h("span", {}), h("span", {}, `… and ${hex.length / 2 - MOST} more`), h("span", {}));
  return h("div", { class: "hex", tabindex: "0", role: "group", "aria-label": "Bytes" }, lines);
}
