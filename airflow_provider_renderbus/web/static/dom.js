// Elements, formats and the names of states. Text of the farm is only ever set as text.

export function element(tag, properties = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") created.className = value;
    else if (name.startsWith("on")) created.addEventListener(name.slice(2), value);
    else created.setAttribute(name, value === true ? "" : value);
  }
  created.append(...children.filter((child) => child !== null && child !== undefined));
  return created;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setClass(node, name) {
  if (node.className !== name) node.className = name;
}

const NUMBER = new Intl.NumberFormat("en");
export const count = (number) => NUMBER.format(number);

export function money(text) {
  const amount = Number(text);
  return Number.isFinite(amount) ? amount.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }) : text;
}

export function duration(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${count(Math.floor(whole / 3600))} h ${Math.floor((whole % 3600) / 60)} min`;
}

// Of the farm's codes of frame states; each other code is waiting.
const TONES = { 2: "running", 3: "stopped", 4: "done", 5: "failed", 11: "failed" };
const STATE_TEXTS = { 1: "waiting", 2: "rendering", 3: "stopped", 4: "done", 5: "failed", 11: "timed out" };

export const frameTone = (code) => TONES[code] ?? "waiting";
export const frameState = (code) => STATE_TEXTS[code] ?? "waiting";

export const TONE_ORDER = ["done", "running", "failed", "stopped", "waiting"];
export const TONE_TEXTS = {
  done: "done", running: "rendering", failed: "failed", stopped: "stopped", waiting: "waiting", paused: "paused",
};
const SIGNS = { done: "✓", running: "▶", failed: "✕", stopped: "■", waiting: "·", paused: "❚❚" };
export const sign = (tone) => SIGNS[tone] ?? "";

// The counts of a render or layer by tone.
export function tones(frames) {
  const { total, done, failed, running, stopped } = frames;
  return { done, running, failed, stopped, waiting: Math.max(0, total - done - failed - running - stopped) };
}

export function badge(tone, text) {
  return element("span", { class: `badge ${tone}` }, element("i", { "aria-hidden": "true" }, sign(tone)), text);
}

// A bar of frames by tone, whose meaning is in the text beside it.
export class Bar {
  constructor() {
    this.parts = Object.fromEntries(TONE_ORDER.slice(0, 4).map((tone) => [tone, element("i", { class: tone })]));
    this.node = element("div", { class: "bar", "aria-hidden": "true" }, ...Object.values(this.parts));
  }

  update(frames) {
    const counts = tones(frames);
    for (const [tone, part] of Object.entries(this.parts)) {
      part.style.width = `${frames.total ? (counts[tone] * 100) / frames.total : 0}%`;
    }
  }
}

export class Facts {
  constructor() {
    this.node = element("dl", { class: "facts" });
    this.cells = new Map();
  }

  // Each fact has a name, a value, a note and a tone.
  update(facts) {
    for (const [name, value, note = "", tone = ""] of facts) {
      let cell = this.cells.get(name);
      if (!cell) {
        const [big, small] = [element("b"), element("small")];
        cell = { big, small, node: element("div", {}, element("dt", {}, name), element("dd", {}, big, small)) };
        this.cells.set(name, cell);
        this.node.append(cell.node);
      }
      setText(cell.big, value);
      setText(cell.small, note);
      setClass(cell.node, tone);
    }
  }
}
