/** The list of the caller's jobs, and the names of their files, which only this browser knows. */
import { address } from "./api.js";
import { date, text } from "./text.js";

const NAMES = "mmpose-names";
const MOST_NAMES = 200;
const JOBS_A_PAGE = 10;

export function nameOf(job) {
  return names()[job.id] ?? text("history.video");
}

export function remember(job, name) {
  const kept = Object.entries({ ...names(), [job.id]: name }).slice(-MOST_NAMES);
  localStorage.setItem(NAMES, JSON.stringify(Object.fromEntries(kept)));
}

function names() {
  try {
    return JSON.parse(localStorage.getItem(NAMES)) ?? {};
  } catch {
    return {};
  }
}

export class History {
  #cursor = null;

  constructor(service, { list, empty, more }, { onOpen, onProblem }) {
    Object.assign(this, { service, list, empty, more, onOpen, onProblem });
    more.addEventListener("click", () => this.#page(this.#cursor).catch(onProblem));
  }

  async refresh() {
    await this.#page(null);
  }

  async #page(cursor) {
    const query = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
    const page = await this.service.json(`jobs?limit=${JOBS_A_PAGE}${query}`);
    if (!cursor) this.list.replaceChildren();
    this.list.append(...page.jobs.map((job) => this.#row(job)));
    this.#cursor = page.cursor;
    this.more.hidden = !page.cursor;
    this.empty.hidden = this.list.children.length > 0;
  }

  #row(job) {
    const row = document.createElement("li");
    const what = `${nameOf(job)}, ${date(job.created_at)}`;
    const open = row.appendChild(document.createElement("button"));
    open.className = "link";
    open.textContent = what;
    open.setAttribute("aria-label", text("history.open", { what }));
    open.addEventListener("click", () => this.onOpen(job));
    const state = row.appendChild(document.createElement("span"));
    state.textContent = text(`state.${job.state}`);
    state.className = `state ${job.state}`;
    if (job.links.video) {
      const video = row.appendChild(document.createElement("a"));
      video.href = address(job.links.video);
      video.textContent = text("export.video.get");
    }
    const remove = row.appendChild(document.createElement("button"));
    remove.textContent = text("history.delete");
    remove.setAttribute("aria-label", text("history.delete.of", { what }));
    remove.addEventListener("click", () => this.#delete(job).catch(this.onProblem));
    return row;
  }

  async #delete(job) {
    await this.service.call(`jobs/${job.id}`, { method: "DELETE" });
    await this.refresh();
  }
}
