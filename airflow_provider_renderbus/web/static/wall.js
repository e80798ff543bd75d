// The page of a DAG run or task instance: its renders, and the frames of one of them.

const { search } = new URL(import.meta.url);
const { Bar, Facts, TONE_ORDER, TONE_TEXTS, badge, count, duration, element, frameState, frameTone, money, setClass, setText, sign, tones } =
  await import(`./dom.js${search}`);
const { FrameGrid } = await import(`./grid.js${search}`);

const RUN_URL = location.pathname.replace(/\/tasks\/[^/]*\/[^/]*$/, "");
const MIN_PAUSE = 1000;
const MAX_PAUSE = 60_000;
const LOADING_PAUSE = 300;
const wall = document.getElementById("wall");
const hasPictures = !document.body.dataset.noPictures;

// Airflow's theme: the class of its page, or what it has stored if this page is not in a tab of it.
function followTheme() {
  let airflow = null;
  try {
    airflow = parent !== window ? parent.document.documentElement : null;
  } catch {
    // Another site shows this page.
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const stored = localStorage.getItem("theme");
    const isDark = airflow
      ? airflow.classList.contains("dark")
      : stored === "dark" || (stored !== "light" && system.matches);
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    // What Airflow shows around the tab, also with a theme of one's own.
    for (let around = airflow && frameElement; around; around = around.parentElement) {
      const ground = parent.getComputedStyle(around).backgroundColor;
      if (ground.startsWith("rgba(0, 0, 0, 0")) continue;
      document.documentElement.style.setProperty("--ground", ground);
      break;
    }
  };
  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
  if (airflow) new MutationObserver(apply).observe(airflow, { attributes: true, attributeFilter: ["class"] });
}

async function getJson(url) {
  const response = await fetch(url, { headers: { Accept: "application/json" } });
  if (!response.ok) {
    const { detail } = await response.json().catch(() => ({}));
    const texts = { 401: "You are logged out of Airflow: reload the page to log in.", 403: "You may not read the renders of this DAG." };
    throw new Error(texts[response.status] ?? detail ?? response.statusText);
  }
  return response.json();
}

// A sandboxed tab opens no windows by itself, but Airflow's page around it does.
function farmLink(url) {
  if (!/^https?:\/\//i.test(url ?? "")) return null;
  return element("a", {
    href: url, class: "button", rel: "noopener noreferrer", target: "_blank",
    onclick: (event) => {
      if (parent === window) return;
      event.preventDefault();
      parent.open(url, "_blank", "noopener,noreferrer");
    },
  }, "Open on the farm ↗");
}

const leafUrl = (render, leaf) =>
  `${RUN_URL}/tasks/${encodeURIComponent(render.task)}/${render.map_index}/leaves/${leaf}`;
// States whose meaning is too long for a badge.
const SHORT_TEXTS = {
  STOP: "stopped", USER_STOP: "stopped", ARREARAGE_STOP: "out of funds", TIME_OUT_STOP: "time limit exceeded",
  FINISHED_HAS_FAILED: "some frames failed", FINISHED_HAS_STOPPED: "some frames stopped", ABANDON: "abandoned",
  FINISHED_TEST: "paused after test frames",
};
const stateText = (render) => (render.problem ? "unknown" : SHORT_TEXTS[render.state] ?? render.meaning ?? "not known");
const taskText = (render) => (render.label ? `${render.task} · ${render.label}` : render.map_index >= 0 ? `${render.task} [${render.map_index}]` : render.task);
const framesText = ({ done, total }) => `${count(done)} of ${count(total)} frames`;

function costFact({ cost, forecast, max_cost: budget }) {
  const notes = [];
  if (forecast) notes.push(`about ${money(forecast)} in the end`);
  if (budget !== null) notes.push(`budget ${money(budget)}`);
  const isOver = budget !== null && Number(cost) > Number(budget);
  const willBeOver = budget !== null && Number(forecast ?? cost) > Number(budget);
  return ["Cost so far", money(cost), notes.join(" · "), isOver ? "failed" : willBeOver ? "paused" : ""];
}

// A render in the list of a DAG run.
class RenderRow {
  constructor(render, onOpen) {
    this.name = element("b");
    this.task = element("small");
    this.state = element("span", { class: "state" });
    this.bar = new Bar();
    this.text = element("span", { class: "quiet" });
    this.cost = element("span", { class: "quiet end" });
    this.poster = element("span", { class: "poster", "aria-hidden": "true" });
    this.node = element("li", {}, element("button", { class: "render", type: "button", onclick: () => onOpen(render.id) },
      this.poster, element("span", { class: "title" }, this.name, this.task), this.state,
      element("span", { class: "progress" }, this.bar.node, this.text, this.cost)));
    this.update(render);
  }

  update(render) {
    this.render = render;
    setText(this.name, render.name);
    setText(this.task, taskText(render));
    const text = stateText(render);
    const tone = render.tone ?? "waiting";
    if (this.state.dataset.text !== text + tone) {
      this.state.replaceChildren(badge(tone, text));
      this.state.dataset.text = text + tone;
    }
    setClass(this.node, `tone-${tone}`);
    if (!render.frames) {
      setText(this.text, render.problem);
      return;
    }
    this.bar.update(render.frames);
    const failed = render.frames.failed ? ` · ${count(render.frames.failed)} failed` : "";
    setText(this.text, framesText(render.frames) + failed);
    setText(this.cost, render.max_cost === null ? money(render.cost) : `${money(render.cost)} of ${money(render.max_cost)}`);
    this.showPoster();
  }

  // The last picture of the first layer that has one; fetched only when the row is visible.
  showPoster() {
    const layer = this.render.layers.find((each) => each.has_frames && each.frames.done);
    if (!hasPictures || !layer || !this.isVisible || this.shows) return;
    this.shows = true;
    const image = new Image();
    image.alt = "";
    image.onload = () => this.poster.replaceChildren(image);
    image.onerror = () => setTimeout(() => (this.shows = false), MAX_PAUSE);
    image.src = `${leafUrl(this.render, layer.leaf)}/poster.jpg`;
  }
}

class RenderList {
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.rows = new Map();
    this.title = element("h1");
    this.bar = new Bar();
    this.facts = new Facts();
    this.list = element("ul", { class: "renders" });
    this.node = element("section", {}, this.title, this.bar.node, this.facts.node, this.list);
    this.visible = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const row = this.rows.get(target.dataset.render);
        if (row && isIntersecting) {
          row.isVisible = true;
          if (row.render.frames) row.showPoster();
        }
      }
    }, { rootMargin: "200px" });
  }

  update({ renders, sums }) {
    setText(this.title, `${count(renders.length)} renders`);
    if (sums.renders) {
      this.bar.update(sums.frames);
      const failed = sums.frames.failed;
      this.facts.update([
        ["Renders done", `${count(sums.done)} of ${count(sums.renders)}`, sums.failed ? `${count(sums.failed)} failed` : "", sums.failed ? "failed" : ""],
        ["Frames done", `${count(sums.frames.done)} of ${count(sums.frames.total)}`, failed ? `${count(failed)} failed` : sums.frames.running ? `${count(sums.frames.running)} rendering` : "", failed ? "failed" : ""],
        sums.one_currency ? costFact(sums) : ["Cost so far", "–", "several connections"],
        ["Machine time", duration(sums.machine_seconds), "on all machines"],
      ]);
    }
    const seen = new Set();
    for (const render of renders) {
      const key = `${render.id} ${render.task} ${render.map_index}`;
      seen.add(key);
      let row = this.rows.get(key);
      if (row) row.update(render);
      else {
        row = new RenderRow(render, () => this.onOpen(render.id));
        this.rows.set(key, row);
        row.node.dataset.render = key;
        this.list.append(row.node);
        this.visible.observe(row.node);
      }
    }
    for (const [key, { node }] of this.rows) {
      if (!seen.has(key)) {
        node.remove();
        this.rows.delete(key);
      }
    }
  }

  close() {
    this.visible.disconnect();
  }
}

// The end of a frame's log and its picture, beside the grid.
class FramePanel {
  constructor(onClose) {
    this.node = element("aside", { class: "panel", "aria-label": "Frame", tabindex: "-1", hidden: true });
    this.onClose = onClose;
    this.node.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  close() {
    this.node.hidden = true;
    this.onClose();
  }

  async show(url, frame) {
    const tone = frameTone(frame.state);
    const facts = [
      ["State", element("dd", {}, badge(tone, frameState(frame.state)))],
      ["Time", element("dd", {}, frame.seconds === null ? "–" : duration(frame.seconds))],
      ["Cost", element("dd", {}, money(frame.cost))],
      ["Recommits", element("dd", {}, count(frame.recommits))],
    ];
    const log = element("div", { class: "log" });
    this.node.replaceChildren(
      element("div", { class: "panel-head" }, element("h2", {}, `Frame ${frame.name}`),
        element("button", { type: "button", class: "button", onclick: () => this.close() }, "Close")),
      element("dl", { class: "small-facts" }, ...facts.flatMap(([name, value]) => [element("dt", {}, name), value])),
      log,
    );
    if (hasPictures && tone === "done") {
      const image = element("img", { alt: `Frame ${frame.name}`, class: "large" });
      image.onload = () => log.before(image);
      image.src = `${url}/frames/${frame.id}.jpg?v=${frame.recommits}`;
    }
    this.node.hidden = false;
    this.node.focus({ preventScroll: true });
    const load = async () => {
      log.replaceChildren(element("p", { class: "quiet" }, "Reading the log …"));
      try {
        const { log: text } = await getJson(`${url}/frames/${frame.id}/log`);
        log.replaceChildren(element("h3", {}, "End of the log"), element("pre", { tabindex: "0" }, text || "The log is empty."));
      } catch (error) {
        log.replaceChildren(element("p", { role: "alert" }, `The log cannot be read: ${error.message}`));
      }
    };
    if (tone === "failed") await load();
    else if (tone !== "waiting") log.append(element("button", { type: "button", class: "button", onclick: load }, "Show the end of the log"));
  }
}

// All frames of a layer as one strip of colours; a click goes to a frame.
class Strip {
  constructor(onPick) {
    this.node = element("canvas", { class: "strip", "aria-hidden": "true", height: "1" });
    this.node.addEventListener("click", (event) => onPick(Math.floor((event.offsetX / this.node.clientWidth) * this.node.width)));
  }

  update(frames) {
    this.node.hidden = frames.length < 2;
    if (this.node.hidden) return;
    this.node.width = frames.length;
    const context = this.node.getContext("2d");
    const style = getComputedStyle(this.node);
    const colours = {};
    for (let index = 0; index < frames.length; index += 1) {
      const tone = frames[index] ? frameTone(frames[index].state) : "waiting";
      colours[tone] ??= style.getPropertyValue(`--${tone}`);
      context.fillStyle = colours[tone];
      context.fillRect(index, 0, 1, 1);
    }
  }
}

class RenderDetail {
  constructor(onBack) {
    this.title = element("h1");
    this.task = element("p", { class: "quiet" });
    this.state = element("span", { class: "state" });
    this.actions = element("span", { class: "actions" });
    this.bar = new Bar();
    this.facts = new Facts();
    this.layers = element("div", { class: "layers", role: "tablist", "aria-label": "Layers" });
    this.filters = element("div", { class: "filters", role: "group", "aria-label": "Frames by state" });
    this.strip = new Strip((index) => this.grid?.reveal(index));
    this.place = element("div", { class: "place" });
    this.note = element("p", { class: "quiet" }, document.body.dataset.noPictures);
    this.panel = new FramePanel(() => this.grid?.focus(this.grid.focused));
    const back = onBack && element("button", { type: "button", class: "button back", onclick: onBack }, "← All renders");
    this.node = element("section", {},
      element("header", {}, back, element("div", { class: "heading" }, this.title, this.state, this.actions), this.task),
      this.bar.node, this.facts.node, this.layers, this.filters, this.note, this.strip.node,
      element("div", { class: "columns" }, this.place, this.panel.node));
    this.filter = null;
  }

  update(render) {
    this.render = render;
    setText(this.title, render.name);
    setText(this.task, `${taskText(render)} · render ${render.id}${render.scene ? ` · ${render.scene}` : ""}`);
    const tone = render.tone ?? "waiting";
    this.state.replaceChildren(badge(tone, stateText(render)));
    if (!this.actions.childElementCount && render.url) this.actions.append(farmLink(render.url) ?? "");
    if (!render.frames) {
      this.place.replaceChildren(element("p", { class: "empty" }, render.problem));
      return;
    }
    const layers = render.layers.filter((layer) => layer.has_frames);
    this.bar.update(render.frames);
    this.bar.node.hidden = layers.length < 2; // the strip shows the same
    const { failed, running } = render.frames;
    const end = render.completed ?? Date.now() / 1000;
    this.facts.update([
      ["Frames done", `${count(render.frames.done)} of ${count(render.frames.total)}`, failed ? `${count(failed)} failed` : running ? `${count(running)} rendering` : "", failed ? "failed" : ""],
      costFact(render),
      ["Machine time", duration(render.machine_seconds), "on all machines"],
      ["Elapsed", render.started === null ? "–" : duration(Math.max(0, end - render.started)), render.started === null ? "not started" : render.completed === null ? "since the first frame" : "first to last frame"],
    ]);
    this.showLayers(layers);
  }

  showLayers(layers) {
    this.layers.hidden = layers.length < 2;
    const selected = layers.find((layer) => layer.leaf === this.leaf) ?? layers[0];
    if (this.layers.childElementCount !== layers.length) {
      this.layers.replaceChildren(...layers.map((layer) => {
        const bar = new Bar();
        const tab = element("button", { type: "button", role: "tab", onclick: () => this.select(layer.leaf) },
          element("b", {}, layer.name), element("small"), bar.node);
        return Object.assign(tab, { bar, leaf: layer.leaf });
      }));
      this.layers.onkeydown = (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        const tabs = [...this.layers.children];
        const next = step && tabs[tabs.indexOf(document.activeElement) + step];
        if (next) {
          next.focus();
          this.select(next.leaf);
        }
      };
    }
    [...this.layers.children].forEach((tab, at) => {
      tab.bar.update(layers[at].frames);
      setText(tab.querySelector("small"), `${framesText(layers[at].frames)} · ${money(layers[at].cost)}`);
      const isSelected = layers[at] === selected;
      tab.setAttribute("aria-selected", isSelected);
      tab.tabIndex = isSelected ? 0 : -1;
    });
    if (selected && selected.leaf !== this.leaf) this.select(selected.leaf);
    else if (selected) this.refresh();
  }

  select(leaf) {
    if (leaf === this.leaf) return;
    this.leaf = leaf;
    this.frames = [];
    this.version = 0;
    this.filter = null;
    this.panel.node.hidden = true;
    const url = leafUrl(this.render, leaf);
    this.grid?.close();
    this.grid = new FrameGrid(url, `Frames of ${this.render.name}`, hasPictures, (frame) => this.panel.show(url, frame));
    this.place.replaceChildren(this.grid.node);
    this.showLayers(this.render.layers.filter((layer) => layer.has_frames));
  }

  // Fetches the pages of frames that have changed; again soon while the server still reads them.
  async refresh() {
    clearTimeout(this.again);
    const { leaf } = this;
    if (this.busy === leaf) return;
    this.busy = leaf;
    try {
      const answer = await getJson(`${leafUrl(this.render, leaf)}/frames?since=${this.version}`);
      if (leaf !== this.leaf || this.isClosed) return;
      this.version = answer.version;
      this.frames.length = answer.total;
      for (const page of answer.pages) {
        page.ids.forEach((id, at) => {
          const [name, state, seconds] = [page.names[at], page.states[at], page.seconds[at]];
          this.frames[page.page * 100 + at] = { id, name, state, seconds, cost: page.costs[at], recommits: page.recommits[at] };
        });
      }
      const hidden = answer.hidden ? `${count(answer.hidden)} more frames are shown on the farm only.` : "";
      setText(this.note, answer.problem || hidden || document.body.dataset.noPictures);
      if (answer.pages.length || !answer.total) this.show();
      if (!answer.complete) this.again = setTimeout(() => this.refresh(), answer.pages.length ? 0 : LOADING_PAUSE);
    } catch (error) {
      setText(this.note, `The frames cannot be read: ${error.message}`);
    } finally {
      this.busy = null;
    }
  }

  show() {
    const counts = {};
    for (const frame of this.frames) if (frame) counts[frameTone(frame.state)] = (counts[frameTone(frame.state)] ?? 0) + 1;
    if (this.filter && !counts[this.filter]) this.filter = null;
    const choices = [[null, "All", this.frames.length], ...TONE_ORDER.filter((tone) => counts[tone]).map((tone) => [tone, TONE_TEXTS[tone], counts[tone]])];
    const focused = [...this.filters.children].indexOf(document.activeElement);
    this.filters.replaceChildren(...choices.map(([tone, text, number]) =>
      element("button", { type: "button", class: `filter ${tone ?? ""}`, "aria-pressed": String(tone === this.filter),
        onclick: () => { this.filter = tone; this.show(); } },
      element("i", { "aria-hidden": "true" }, tone ? sign(tone) : ""), `${text} ${count(number)}`)));
    if (focused >= 0) this.filters.children[Math.min(focused, choices.length - 1)].focus();
    this.strip.update(this.frames);
    this.grid.update(this.frames, this.filter);
    performance.mark("frames");
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.again);
    this.grid?.close();
  }
}

class Page {
  constructor() {
    this.states = new Map();
    addEventListener("hashchange", () => this.data && this.draw());
    document.addEventListener("visibilitychange", () => !document.hidden && this.poll());
  }

  async poll() {
    clearTimeout(this.timer);
    let pause = MAX_PAUSE;
    try {
      this.data = await getJson(`${location.pathname}/renders`);
      pause = Math.min(MAX_PAUSE, Math.max(MIN_PAUSE, this.data.next * 1000 + 250));
      const [problem] = this.data.problems;
      const seen = Math.min(...this.data.renders.map((render) => render.seen).filter(Boolean));
      const since = Number.isFinite(seen) ? ` What is shown is of ${new Date(seen * 1000).toLocaleTimeString()}.` : "";
      this.warn(problem && `The farm cannot be looked at: ${problem}.${since}`);
      this.announce(this.data.renders);
      this.draw();
    } catch (error) {
      pause = 10_000;
      this.warn(error.message === "Failed to fetch" ? "Airflow does not respond. What is shown may be out of date." : error.message);
      if (!this.data) wall.replaceChildren();
    }
    wall.setAttribute("aria-busy", "false");
    if (!document.hidden) this.timer = setTimeout(() => this.poll(), pause);
  }

  warn(text) {
    const problem = document.getElementById("problem");
    problem.hidden = !text;
    setText(problem, text ?? "");
  }

  // Says to screen readers which renders have changed their state.
  announce(renders) {
    const news = [];
    for (const render of renders) {
      const text = render.meaning && `${render.name}: ${render.meaning}`;
      if (text && this.states.has(render.id) && this.states.get(render.id) !== text) news.push(text);
      if (text) this.states.set(render.id, text);
    }
    if (news.length) setText(document.getElementById("news"), news.slice(0, 5).join(". "));
  }

  draw() {
    const { renders } = this.data;
    const id = renders.length === 1 ? renders[0].id : location.hash.match(/^#render-(\d+)$/)?.[1];
    const render = renders.find((each) => each.id === id);
    const kind = render ? `render ${render.id}` : renders.length ? "list" : "empty";
    if (kind !== this.kind) {
      this.view?.close?.();
      this.kind = kind;
      if (render) this.view = new RenderDetail(renders.length > 1 ? () => this.open("") : null);
      else if (renders.length) this.view = new RenderList((picked) => this.open(`#render-${picked}`));
      else this.view = new Empty();
      wall.replaceChildren(this.view.node);
      scrollTo({ top: 0 });
    }
    this.view.update(render ?? this.data);
    performance.mark("renders");
  }

  open(hash) {
    history.pushState(null, "", location.pathname + hash);
    this.draw();
  }
}

class Empty {
  constructor() {
    this.node = element("p", { class: "empty" });
  }

  update({ task }) {
    setText(this.node, task ? "This task has no render, or has none yet." : "No task of this DAG run has a render yet.");
  }
}

followTheme();
if (parent === window) {
  const page = location.pathname.replace("/renderbus/dags/", "/dags/").replace(/\/(-1|%7BMAP_INDEX%7D)$/, "").replace(/\/(\d+)$/, "/mapped/$1");
  document.body.prepend(element("nav", {}, element("a", { href: page }, "← Airflow")));
}
addEventListener("popstate", () => page.data && page.draw());
const page = new Page();
page.poll();
