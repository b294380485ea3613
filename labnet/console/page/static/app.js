// The page: which view is shown is in the address; what happens comes by one stream and goes to the view that is open.

import { get, post, useToken } from "./api.js";
import { address, h, quoted } from "./dom.js";
import { follow } from "./feed.js";
import { Detail } from "./detail.js";
import { VIEWS } from "./views.js";

const at = id => document.getElementById(id);
const MOST_SESSIONS = 200;
const MOST_CLIENTS = 1000;

/** What every view gets: the lab, the address's parameters, and the ways to ask, to say and to open. */
class Page {
  constructor() {
    this.lab = { resolvers: [], command: null, faults: [], role: "viewer" };
    this.clients = new Map();
    this.sessions = new Map();
    this.detail = new Detail(at("detail"), this);
    this.view = null;
    this.skipped = 0;
  }

  get parameters() {
    return Object.fromEntries(new URLSearchParams(location.search));
  }

  get isProjector() {
    return this.parameters.projector === "1";
  }

  get isOperator() {
    return this.lab.role === "operator";
  }

  /** The address with these parameters changed; empty ones are left away. */
  href(changes) {
    const told = { ...this.parameters, ...changes };
    const kept = Object.entries(told).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    return `?${new URLSearchParams(kept)}`;
  }

  /** Change the address; filters replace it, so that Back leads to the view before. */
  set(changes, isStep = false) {
    history[isStep ? "pushState" : "replaceState"](null, "", this.href(changes));
  }

  go(view, more = {}) {
    history.pushState(null, "", `?${new URLSearchParams({ view, ...more, ...(this.isProjector ? { projector: 1 } : {}) })}`);
    this.show(true);
  }

  /** A client as it may be shown here. */
  client(end) {
    if (!this.isProjector) return address(end);
    if (this.clients.size >= MOST_CLIENTS) this.clients.clear();
    if (!this.clients.has(end.host)) this.clients.set(end.host, this.clients.size + 1);
    return `client ${this.clients.get(end.host)}`;
  }

  /** Text of the lab that may name clients, as it may be shown here: only the lab's own addresses are left in it. */
  hide(text) {
    if (!this.isProjector) return text;
    const listens = [...this.lab.resolvers, this.lab.command ?? {}].flatMap(one => [...(one.listens ?? []), ...(one.parents ?? [])]);
    const own = new Set(listens.map(one => one.replace(/^(udp|tcp|tls|https?) /, "")));
    return String(text ?? "").replace(/\[[0-9a-f:.%\w]+\](:\d+)?|\b\d+\.\d+\.\d+\.\d+(:\d+)?/g, found => (own.has(found) ? found : "…"));
  }

  /** Says something once, to everybody: in words for who listens. */
  say(text, isWrong = false) {
    at("said").textContent = quoted(text);
    this.notice(isWrong ? text : "");
  }

  notice(text) {
    at("notice").hidden = !text;
    at("notice").textContent = quoted(text);
  }

  /** Have something done, and say how it went; null where it was not done. */
  async act(path, body, done) {
    try {
      const answer = await post(path, body);
      this.say(done);
      return answer;
    } catch (error) {
      this.say(`Not done: ${error.message}.`, true);
      return null;
    }
  }

  async learn() {
    const mine = (this.turn = (this.turn ?? 0) + 1);
    const lab = await get("lab");
    if (mine !== this.turn) return;
    this.lab = lab;
    useToken(this.lab.token);
    at("lab-name").textContent = quoted([this.lab.version, this.lab.scope && `resolver ${this.lab.scope}`].filter(Boolean).join(" · "));
    this.showFaults(this.lab.faults ?? []);
  }

  showFaults(faults) {
    this.lab.faults = faults;
    const badge = at("faults-on");
    badge.hidden = !faults.length;
    badge.replaceChildren(faults.length === 1 ? "1 fault" : `${faults.length} faults`, h("span", { class: "unseen" }, " on order"));
    badge.href = this.projected("?view=faults");
  }

  projected(href) {
    return this.isProjector ? `${href}&projector=1` : href;
  }

  /** Shows the view that the address names; isMove puts the focus there, as a click on a link does. */
  show(isMove = false) {
    const allowed = Object.entries(VIEWS).filter(([, one]) => !one.forAll || this.isOperator);
    const name = allowed.some(([key]) => key === this.parameters.view) ? this.parameters.view : "ladder";
    const { title, about, open } = VIEWS[name];
    this.view?.close?.();
    this.detail.close(false);
    document.body.classList.toggle("projector", this.isProjector);
    at("projector").setAttribute("aria-pressed", String(this.isProjector));
    at("views").replaceChildren(...allowed.map(([key, one]) =>
      h("li", {}, h("a", { href: this.projected(`?view=${key}`), "aria-current": key === name && "page" }, one.title))));
    at("views").querySelector("[aria-current]").scrollIntoView({ block: "nearest", inline: "nearest" });
    document.title = `${title} · labnet`;
    at("title").textContent = title;
    at("about").textContent = about;
    at("view").replaceChildren();
    this.view = open(at("view"), this);
    if (isMove) at("main").focus({ preventScroll: true });
  }

  happened(kind, value) {
    if (kind === "skipped") {
      this.skipped += value.count ?? 0;
      this.notice(`This page was too slow and skipped ${this.skipped} events; what is shown is up to date again.`);
      this.view?.event?.(kind, value);
      return;
    }
    if (kind === "session") this.keepSession(value);
    if (kind === "fault") this.learn().catch(() => {});
    this.view?.event?.(kind, value);
  }

  keepSession(event) {
    const events = this.sessions.get(event.id) ?? [];
    if (events.length < 100) events.push(event);
    this.sessions.set(event.id, events);
    if (this.sessions.size > MOST_SESSIONS) this.sessions.delete(this.sessions.keys().next().value);
  }

  async state(state) {
    const live = at("live");
    live.className = `live ${state === "on" ? "on" : state === "off" ? "off" : ""}`;
    live.textContent = { on: "live", off: "trying again", rests: "resting" }[state];
    if (state !== "on") return;
    try {
      await this.learn();
      this.view?.event?.("again", {});
    } catch (error) {
      this.notice(`${error.message}.`);
    }
  }
}

function follows(event) {
  const link = event.target.closest?.("a[href^='?']");
  return link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0 ? link : null;
}

const page = new Page();
document.addEventListener("click", event => {
  const link = follows(event);
  if (!link) return;
  event.preventDefault();
  history.pushState(null, "", link.getAttribute("href"));
  page.show(true);
});
addEventListener("popstate", () => page.show(true));
at("projector").addEventListener("click", () => {
  page.set({ projector: page.isProjector ? "" : "1" }, true);
  page.show();
});
page.learn().catch(error => page.notice(`${error.message}.`)).finally(() => {
  page.show();
  follow((kind, value) => page.happened(kind, value), state => page.state(state));
});
