// Pieces of the document, and how numbers and times are written. Whatever comes from clients gets into the document here,
// as text: nothing on this page is ever read as markup.

export const by = (id) => document.getElementById(id);

/** An element with attributes and children; a child that is no node is text. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.map(node));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.map(node));
  return element;
}

const node = (child) => (child instanceof Node ? child : document.createTextNode(String(child ?? "")));

/**
 * Shows rows in a table's body, by their keys: a row that was there stays the same element, so that focus and what is
 * selected survive. `make` gives a row's cells.
 */
export function rows(body, items, keyOf, make, empty) {
  const before = new Map([...body.children].map((row) => [row.dataset.key, row]));
  const wanted = items.map((item) => {
    const key = keyOf(item);
    const row = before.get(key) ?? el("tr", { "data-key": key });
    update(row, make(item));
    return row;
  });
  if (wanted.length === 0 && empty) {
    const span = body.parentElement.tHead.rows[0].cells.length;
    wanted.push(el("tr", { class: "empty" }, el("td", { colspan: span }, empty)));
  }
  body.replaceChildren(...(same(body, wanted) ? body.children : wanted));
}

const same = (body, wanted) =>
  body.children.length === wanted.length && wanted.every((row, place) => body.children[place] === row);

/** Replaces only the cells that say something else. */
function update(row, cells) {
  cells.forEach((cell, place) => {
    const old = row.cells[place];
    if (!old) row.append(cell);
    else if (!old.isEqualNode(cell)) old.replaceWith(cell);
  });
}

let forbidden = "";

/** A button that changes something: off, and saying why, for whoever may only look. */
export function writes(button) {
  button.dataset.writes = "";
  lock(button);
  return button;
}

function lock(button) {
  if (forbidden) {
    button.disabled = true;
    button.title = forbidden;
  } else if (button.title !== "" && button.title === button.dataset.forbidden) {
    button.disabled = false;
    button.removeAttribute("title");
  }
  button.dataset.forbidden = forbidden;
}

export const mayWrite = () => forbidden === "";

/** Says why nothing may be changed here; an empty text: it may. */
export function forbid(why) {
  forbidden = why;
  document.querySelectorAll("[data-writes]").forEach(lock);
}

/**
 * Pages of a list, each behind the last item of the one before. `show` gets a page again and shows it; the answer of the
 * node says where the next one begins. What comes and goes meanwhile does not move the page that is looked at.
 */
export class Pages {
  constructor(first, next, show) {
    this.after = "";
    this.next = "";
    this.buttons = [by(first), by(next)];
    this.buttons[0].addEventListener("click", () => this.go("", show));
    this.buttons[1].addEventListener("click", () => this.go(this.next, show));
  }

  go(after, show) {
    this.after = after;
    return show();
  }

  /** What is said of a page that has been answered. */
  seen(listed, items) {
    this.next = listed.next ?? "";
    const [first, next] = this.buttons;
    first.hidden = this.after === "";
    next.hidden = this.next === "";
    if (this.after === "" && this.next === "") return "";
    const which = this.after === "" ? "the first" : "further";
    return `${which} ${count(items.length)}${this.next ? ", there are more" : ", the last"}`;
  }
}

export const td = (...children) => el("td", {}, ...children);
export const number = (text) => el("td", { class: "number" }, text);
export const name = (text) => el("th", { scope: "row", class: "name" }, text);
export const tag = (text, kind = "") => el("span", { class: `tag ${kind}`.trim() }, text);

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export function count(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 1e9) return `${short.format(value / 1e9)} G`;
  if (value >= 1e6) return `${short.format(value / 1e6)} M`;
  return whole.format(value);
}

export function rate(value) {
  if (value === null || value === undefined) return "–";
  return value < 100 ? short.format(value) : count(value);
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  if (value < 1e-3) return `${short.format(value * 1e6)} µs`;
  if (value < 1) return `${short.format(value * 1e3)} ms`;
  return `${short.format(value)} s`;
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${short.format(value)} ${units[unit]}`;
}

/** How long something has been. */
export function lasting(total) {
  const days = Math.floor(total / 86400);
  const hours = Math.floor((total % 86400) / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  if (minutes > 0) return `${minutes} min`;
  return `${Math.floor(total)} s`;
}

export function clock(at, millis = false) {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  if (millis) options.fractionalSecondDigits = 3;
  return new Intl.DateTimeFormat("en-GB", options).format(at);
}

export function day(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return "–";
  return `${at.toISOString().slice(0, 10)} ${clock(at)}`;
}
