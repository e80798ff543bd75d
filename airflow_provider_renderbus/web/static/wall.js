// The page of a DAG run or task instance: its renders, or one of them.

const { search } = new URL(import.meta.url);
const { element, setText } = await import(`./dom.js${search}`);
const { AIRFLOW_URL, getJson } = await import(`./renders.js${search}`);
const { RenderDetail } = await import(`./detail.js${search}`);
const { RenderList } = await import(`./list.js${search}`);

const MIN_PAUSE = 1000;
const MAX_PAUSE = 60_000;
const OFFLINE_PAUSE = 10_000;
const wall = document.getElementById("wall");

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
      pause = OFFLINE_PAUSE;
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
  document.body.prepend(element("nav", {}, element("a", { href: AIRFLOW_URL }, "← Airflow")));
}
addEventListener("popstate", () => page.data && page.draw());
const page = new Page();
page.poll();
