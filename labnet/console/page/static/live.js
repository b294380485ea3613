// A box whose content is fetched anew as things happen, and stays as it is while somebody reads in it.

import { h } from "./dom.js";

const EVERY = 1_000;
const NEAR = 40;
const SETTLED = 1_500;

export class Live {
  /** load() fetches and fills the box; edge is where the newest is, "end" or "start"; isRead() says what else holds it. */
  constructor(box, load, { edge = "end", every = EVERY, noun = "new", isRead = () => false } = {}) {
    Object.assign(this, { box, load, edge, every, noun, isRead, count: 0, frozen: false, isOver: false, timer: 0, last: 0 });
    this.pill = h("button", { class: "fresh", type: "button", hidden: true, on: { click: () => this.show() } });
    this.element = h("div", {}, box, this.pill);
    box.addEventListener("scroll", () => { if (this.count && !this.isHeld()) this.schedule(); });
    this.seen = () => { if (!document.hidden && this.count && !this.isHeld()) this.schedule(); };
    document.addEventListener("visibilitychange", this.seen);
  }

  /** Whether somebody reads here: scrolled away from the newest, or with the focus on something inside. */
  isHeld() {
    const { box } = this;
    if (this.frozen || this.isRead() || (box.contains(document.activeElement) && document.activeElement !== box)) return true;
    if (this.edge === "start") return box.scrollTop > NEAR;
    return box.scrollHeight - box.scrollTop - box.clientHeight > NEAR;
  }

  /** Something happened that belongs here. */
  news(count = 1) {
    this.count += count;
    if (this.isHeld()) this.tell();
    else this.schedule();
  }

  tell() {
    this.pill.hidden = !this.count;
    this.pill.textContent = `${this.count} ${this.noun}`;
  }

  schedule() {
    if (this.timer || this.isOver) return;
    this.timer = setTimeout(() => { this.timer = 0; this.turn(); }, Math.max(0, this.last + this.every - Date.now()));
  }

  /** The time for news has come: they are shown, unless somebody has begun to read. */
  turn() {
    if (this.isHeld()) this.tell();
    else this.run();
  }

  async run() {
    if (this.isOver || document.hidden) return;
    const isNews = this.count > 0;
    this.last = Date.now();
    this.count = 0;
    this.tell();
    await this.load();
    if (this.isOver) return;
    this.toEdge();
    if (!isNews) return;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(), SETTLED);
  }

  /** The lab gives what it drew a moment ago to all who ask: what was the last news then is fetched once more. */
  async settle() {
    if (this.isOver || this.count || this.isHeld()) return;
    await this.load();
    if (!this.isOver) this.toEdge();
  }

  toEdge() {
    this.box.scrollTop = this.edge === "end" ? this.box.scrollHeight : 0;
  }

  /** Show what is new, whatever is read. */
  async show() {
    if (this.box.contains(document.activeElement) || document.activeElement === this.pill) this.box.focus();
    await this.run();
  }

  freeze(frozen) {
    this.frozen = frozen;
    if (!frozen && this.count) this.show();
  }

  close() {
    this.isOver = true;
    clearTimeout(this.timer);
    clearTimeout(this.settling);
    document.removeEventListener("visibilitychange", this.seen);
  }
}
