// The stream of events: resumed by the browser, closed while nobody looks, and honest about what was lost.

import { url } from "./api.js";

const KINDS = ["exchange", "session", "parent", "log", "fault", "skipped"];
const UNSEEN = 60_000;
const AGAIN = 3_000;

/** Calls happened(kind, value) for each event, and state("on" | "off" | "rests") as the stream comes and goes. */
export function follow(happened, state) {
  let source = null, timer = 0;
  const open = () => {
    clearTimeout(timer);
    if (source) return;
    source = new EventSource(url("events"));
    source.onopen = () => state("on");
    source.onerror = () => {
      state("off");
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        timer = setTimeout(open, AGAIN);
      }
    };
    for (const kind of KINDS)
      source.addEventListener(kind, event => {
        let value;
        try { value = JSON.parse(event.data); } catch { return; }
        happened(kind, value);
      });
  };
  const close = () => {
    if (source) source.close();
    source = null;
  };
  const looked = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => { close(); state("rests"); }, UNSEEN);
    else open();
  };
  document.addEventListener("visibilitychange", looked);
  open();
}
