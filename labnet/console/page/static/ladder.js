// The picture that the lab draws, in a box: its head stays, arrow keys go from arrow to arrow, Enter opens one.

import { text } from "./api.js";
import { h, picture, s } from "./dom.js";

const HEAD = 54;
const LARGE = 1.35;

/** The width to ask a picture of: what the box has, in steps, so that pages of one class share what was drawn. */
const widthOf = (box, scale) => Math.max(320, Math.floor((box.clientWidth || 320) / scale / 10) * 10);

/** Fetches the picture at path into the box, which stays as it is where nothing is new; how many arrows it has. */
export async function drawInto(box, path, parameters, page) {
  const scale = page.isProjector ? LARGE : 1;
  const more = { width: widthOf(box, scale), projector: page.isProjector ? 1 : "" };
  const told = await text(path, { ...parameters, ...more });
  if (told === box.told && box.querySelector("svg")) return box.querySelectorAll(".arrow").length;
  const drawn = picture(told);
  const [, , width, height] = drawn.getAttribute("viewBox").split(" ").map(Number);
  drawn.setAttribute("width", Math.round(width * scale));
  drawn.setAttribute("height", Math.round(height * scale));
  const arrows = [...drawn.querySelectorAll(".arrow")];
  box.told = told;
  const focused = keyOf(document.activeElement);
  box.replaceChildren(headOf(drawn, width, scale), drawn);
  drawn.style.marginTop = `${-Math.round(HEAD * scale)}px`;
  const again = focused && arrows.find(one => keyOf(one) === focused);
  if (again) reach(arrows, again);
  const opened = page.detail.isOpen && arrows.find(one => keyOf(one) === page.detail.key);
  if (opened) {
    opened.classList.add("open");
    page.detail.opener = opened;
  }
  return arrows.length;
}

const keyOf = arrow => {
  const { exchange, session, arrow: number } = arrow?.dataset ?? {};
  return number === undefined ? "" : `${exchange ?? session}/${number}`;
};

/** Roles and addresses once more, to stay above while the rest scrolls; who listens has them in each arrow's words. */
function headOf(drawn, width, scale) {
  const head = s("svg", { class: "ladder", viewBox: `0 0 ${width} ${HEAD}`, width: Math.round(width * scale), height: Math.round(HEAD * scale), "aria-hidden": "true" });
  for (const part of drawn.querySelectorAll(".host, .who, .where")) head.append(part.cloneNode(true));
  return h("div", { class: "ladder-head" }, head);
}

function reach(arrows, arrow) {
  for (const one of arrows) one.setAttribute("tabindex", one === arrow ? "0" : "-1");
  arrow.focus();
  arrow.scrollIntoView({ block: "nearest" });
}

/** Has the box's arrows opened by click and by keyboard. */
export function opens(box, page) {
  const open = arrow => {
    for (const one of box.querySelectorAll(".arrow.open")) one.classList.remove("open");
    arrow.classList.add("open");
    const { exchange, session, arrow: number } = arrow.dataset;
    page.detail.open({ exchange, session, number: Number(number), opener: arrow });
  };
  box.addEventListener("click", event => {
    const arrow = event.target.closest(".arrow");
    if (!arrow) return;
    reach([...box.querySelectorAll(".arrow")], arrow);
    open(arrow);
  });
  box.addEventListener("keydown", event => {
    const arrow = event.target.closest(".arrow");
    if (!arrow) return;
    const arrows = [...box.querySelectorAll(".arrow")], place = arrows.indexOf(arrow);
    const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: arrows.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      if (arrows[to]) reach(arrows, arrows[to]);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open(arrow);
    } else if (event.key === "Escape" && !page.detail.isOpen) {
      box.focus();
    }
  });
}
