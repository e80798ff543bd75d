// Requests for renders, and the texts and links that both views of them have.

const { element, count, money } = await import(`./dom.js${new URL(import.meta.url).search}`);

// The parts of the page's path, as they are encoded there.
const [, BASE, RUN, TASK, INDEX] = location.pathname.match(
  /^(.*)\/renderbus\/(dags\/[^/]+\/runs\/[^/]+)(?:\/tasks\/([^/]+)\/([^/]+))?$/,
);
const RUN_URL = `${BASE}/renderbus/${RUN}`;
// The DAG run or task instance in Airflow.
export const AIRFLOW_URL = `${BASE}/${RUN}${TASK ? `/tasks/${TASK}${/^\d+$/.test(INDEX) ? `/mapped/${INDEX}` : ""}` : ""}`;
export const hasPictures = !document.body.dataset.noPictures;

// what: is named if the user may not read it.
export async function getJson(url, what = "the renders of this DAG") {
  const response = await fetch(url, { headers: { Accept: "application/json" } });
  if (!response.ok) {
    const { detail } = await response.json().catch(() => ({}));
    const texts = { 401: "You are logged out of Airflow: reload the page to log in.", 403: `You may not read ${what}.` };
    throw new Error(texts[response.status] ?? detail ?? response.statusText);
  }
  return response.json();
}

// A sandboxed tab opens no windows by itself, but Airflow's page around it does.
export function farmLink(url) {
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

export const leafUrl = (render, leaf) =>
  `${RUN_URL}/tasks/${encodeURIComponent(render.task)}/${render.map_index}/leaves/${leaf}`;
// States whose meaning is too long for a badge.
const SHORT_TEXTS = {
  STOP: "stopped", USER_STOP: "stopped", ARREARAGE_STOP: "out of funds", TIME_OUT_STOP: "time limit exceeded",
  FINISHED_HAS_FAILED: "some frames failed", FINISHED_HAS_STOPPED: "some frames stopped", ABANDON: "abandoned",
  FINISHED_TEST: "paused after test frames",
};
export const stateText = (render) => (render.problem ? "unknown" : SHORT_TEXTS[render.state] ?? render.meaning ?? "not known");
export const taskText = (render) => (render.label ? `${render.task} · ${render.label}` : render.map_index >= 0 ? `${render.task} [${render.map_index}]` : render.task);
export const framesText = ({ done, total }) => `${count(done)} of ${count(total)} frames`;

export function costFact({ cost, forecast, max_cost: budget }) {
  const notes = [];
  if (forecast) notes.push(`about ${money(forecast)} in the end`);
  if (budget !== null) notes.push(`budget ${money(budget)}`);
  const isOver = budget !== null && Number(cost) > Number(budget);
  const willBeOver = budget !== null && Number(forecast ?? cost) > Number(budget);
  return ["Cost so far", money(cost), notes.join(" · "), isOver ? "failed" : willBeOver ? "paused" : ""];
}
