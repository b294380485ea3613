// Elements, and how values are written. Text from the network is only ever a text node, without what turns its direction.

const OBEYED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/gu;
const SVG = "http://www.w3.org/2000/svg";

const escaped = sign => {
  const code = sign.codePointAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
};

/** The text without anything that a reader of it would obey, as labnet/wire/quoting.py writes it. */
export const quoted = text => String(text ?? "").replace(OBEYED, escaped);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === "on") for (const [event, call] of Object.entries(value)) element.addEventListener(event, call);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  for (const child of children.flat(3))
    if (child !== null && child !== undefined && child !== false)
      element.append(child instanceof Node ? child : quoted(child));
  return element;
}

/** An element of the page: h("p", {class: "small"}, "text", child, …). */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/** An element of a picture. */
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** A name, a reply, anything that came over the network. */
export const outside = text => h("bdi", { class: "mono name" }, text);

/** The SVG of the server as an element of this page; its own text is escaped there, and nothing in it is run. */
export function picture(text) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
  if (parsed.documentElement.localName !== "svg") throw new Error("the lab sent a picture that cannot be read");
  return document.importNode(parsed.documentElement, true);
}

export const address = end => (end.host.includes(":") ? `[${end.host}]:${end.port}` : `${end.host}:${end.port}`);

export const clock = seconds => new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour12: false });

/** A length of time as one says it. */
export function lasting(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds === 0) return "0 ms";
  if (seconds < 0.0995) return `${(seconds * 1000).toFixed(seconds < 0.00995 ? 2 : 1)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 100) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

/** A select with its choices, each a value or [value, text]. */
export const choice = (name, choices, value, attributes = {}) =>
  h("select", { name, ...attributes }, choices.map(one => {
    const [key, text] = Array.isArray(one) ? one : [one, one];
    return h("option", { value: key, selected: key === (value ?? "") }, text);
  }));

/** A form's field with its label. */
export const field = (label, control) => h("label", {}, label, control);

/** What is to be said where there is nothing to show. */
export const empty = (why, todo, ...more) => h("div", { class: "empty" }, h("strong", {}, why), h("p", {}, todo), more);

/** A table whose rows turn into cards where it is narrow; columns are [title, class]. */
export function table(caption, columns, rows) {
  const head = h("tr", {}, columns.map(([title, kind]) => h("th", { scope: "col", class: kind }, title || h("span", { class: "unseen" }, "Actions"))));
  return h("table", { class: "stack" }, h("caption", { class: "unseen" }, caption), h("thead", {}, head), h("tbody", {}, rows));
}

/** A row of such a table. */
export const row = (columns, cells, attributes = {}) =>
  h("tr", attributes, cells.map((cell, at) => h("td", { class: columns[at][1], "data-label": columns[at][0] }, cell)));
