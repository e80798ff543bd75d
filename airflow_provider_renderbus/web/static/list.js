// The renders of a DAG run, with sums over all.

const { search } = new URL(import.meta.url);
const { Bar, Facts, badge, count, duration, element, money, setClass, setText } = await import(`./dom.js${search}`);
const { costFact, framesText, hasPictures, leafUrl, stateText, taskText } = await import(`./renders.js${search}`);

const SECONDS_WITHOUT_PICTURE = 60;

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
    image.onerror = () => setTimeout(() => (this.shows = false), SECONDS_WITHOUT_PICTURE * 1000);
    image.src = `${leafUrl(this.render, layer.leaf)}/poster.jpg`;
  }
}

export class RenderList {
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

  update({ renders, hidden, sums }) {
    setText(this.title, hidden ? `The first ${count(renders.length)} of ${count(renders.length + hidden)} renders` : `${count(renders.length)} renders`);
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
