// One render: its layers and frames, and one of its frames beside them.

const { search } = new URL(import.meta.url);
const { Bar, Facts, TONE_ORDER, TONE_TEXTS, badge, count, duration, element, frameState, frameTone, money, setText, sign } =
  await import(`./dom.js${search}`);
const { costFact, farmLink, framesText, getJson, hasPictures, leafUrl, stateText, taskText } = await import(`./renders.js${search}`);
const { FrameGrid } = await import(`./grid.js${search}`);

const LOADING_PAUSE = 300;
const SERIES_KEPT = 32; // one for each process of the server that has answered

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
        const { log: text } = await getJson(`${url}/frames/${frame.id}/log`, "the task logs of this DAG");
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

export class RenderDetail {
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
    // A problem with the render was shown in its place.
    if (this.grid && !this.grid.node.isConnected) this.place.replaceChildren(this.grid.node);
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
    this.versions = new Map();
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
      const since = [...this.versions].map((each) => each.join("-")).join();
      const answer = await getJson(`${leafUrl(this.render, leaf)}/frames?since=${since}`);
      if (leaf !== this.leaf || this.isClosed) return;
      this.versions.delete(answer.series);
      this.versions.set(answer.series, answer.version);
      if (this.versions.size > SERIES_KEPT) this.versions.delete(this.versions.keys().next().value);
      // A process of the server that has not read the frames yet does not know how many there are.
      if (answer.total !== null) this.frames.length = answer.total;
      for (const page of answer.pages) {
        page.ids.forEach((id, at) => {
          const [name, state, seconds] = [page.names[at], page.states[at], page.seconds[at]];
          this.frames[page.page * 100 + at] = { id, name, state, seconds, cost: page.costs[at], recommits: page.recommits[at] };
        });
      }
      const hidden = answer.hidden ? `${count(answer.hidden)} more frames are shown on the farm only.` : "";
      setText(this.note, answer.problem || hidden || document.body.dataset.noPictures);
      if (answer.pages.length || answer.total === 0) this.show();
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
