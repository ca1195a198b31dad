/** Calls of the service. Addresses are relative to the page, which may lie behind a prefix. */
import { EventParser } from "./events.js";
import { FRAME_FIELDS, HEAD_FIELDS } from "./clip.js";

const KEY = "mmpose-key";
const PART_BYTES = 8 * 1024 ** 2;
const FRAMES_A_PAGE = 1000;
const TRIES = 4;
const POLL_MS = 1000;
const TUS = { "Tus-Resumable": "1.0.0" };
export const ENDED = ["succeeded", "failed", "cancelled"];

/** An answer that refuses, with what the problem document says. */
export class Refused extends Error {
  constructor(status, problem) {
    super([problem.detail ?? problem.title, problem.hint].filter(Boolean).join(" "));
    this.status = status;
    this.problem = problem;
  }
}

/** No answer came. */
export class Unreachable extends Error {}

/** A path of the service as an address. */
export function address(path) {
  return new URL(path.replace(/^\//, ""), document.baseURI).href;
}

export class Service {
  #asked = null;

  /** @param askKey resolves to a key, or null where the reader gives none. */
  constructor(askKey) {
    this.askKey = askKey;
  }

  get key() {
    return sessionStorage.getItem(KEY);
  }

  set key(value) {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  }

  /** Fetch `path`; a 401 asks for a key and tries again. */
  async call(path, { headers, ...options } = {}) {
    for (;;) {
      const used = this.key;
      const authorization = used ? { Authorization: `Bearer ${used}` } : {};
      const sent = { ...options, headers: { ...authorization, ...headers } };
      const answer = await fetch(address(path), sent).catch((error) => {
        throw options.signal?.aborted ? error : new Unreachable(error.message);
      });
      if (answer.ok) return answer;
      const problem = await answer.json().catch(() => ({ title: `HTTP ${answer.status}` }));
      if (answer.status !== 401) throw new Refused(answer.status, problem);
      if (this.key === used) {
        this.#asked ??= this.askKey().finally(() => { this.#asked = null; });
        const given = await this.#asked;
        if (!given) throw new Refused(answer.status, problem);
        this.key = given;
      }
    }
  }

  async json(path, options) {
    return (await this.call(path, options)).json();
  }

  /** Send `file` in parts, which resume where they broke off; return the id of the upload. */
  async upload(file, onProgress, signal) {
    const length = { ...TUS, "Upload-Length": String(file.size) };
    const { upload_id: id } = await this.json("uploads", { method: "POST", headers: length, signal });
    let offset = 0;
    while (offset < file.size) {
      onProgress(offset / file.size);
      const headers = {
        ...TUS, "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream",
      };
      const body = file.slice(offset, offset + PART_BYTES);
      const answer = await again(async (nth) => {
        if (nth > 0) headers["Upload-Offset"] = String(offset = await this.#offset(id, signal));
        return this.call(`uploads/${id}`, {
          method: "PATCH", headers, body: nth ? file.slice(offset, offset + PART_BYTES) : body, signal,
        });
      }, signal);
      offset = Number(answer.headers.get("Upload-Offset"));
    }
    onProgress(1);
    return id;
  }

  async #offset(id, signal) {
    const answer = await this.call(`uploads/${id}`, { method: "HEAD", headers: TUS, signal });
    return Number(answer.headers.get("Upload-Offset"));
  }

  /** Queue a job once, however often the call is made. */
  async submit(body, signal) {
    const headers = { "Content-Type": "application/json", "Idempotency-Key": randomKey() };
    const options = { method: "POST", headers, body: JSON.stringify(body), signal };
    return again(() => this.json("jobs", options), signal);
  }

  /** Queue the job that corrects a result by hand. */
  async correct(id, changes, signal) {
    const headers = { "Content-Type": "application/json", "Idempotency-Key": randomKey() };
    const options = { method: "POST", headers, body: JSON.stringify({ changes }), signal };
    return again(() => this.json(`jobs/${id}/corrections`, options), signal);
  }

  /** Follow a job to its end, by events or else by asking; call `onJob` with each state. */
  async follow(id, onJob, signal) {
    for (;;) {
      const job = await again(() => this.json(`jobs/${id}`, { signal }), signal);
      onJob(job);
      if (ENDED.includes(job.state)) return job;
      const began = performance.now();
      await this.#events(id, signal).next(onJob, () => this.json(`jobs/${id}`, { signal }));
      await pause(Math.max(0, POLL_MS - (performance.now() - began)), signal);
    }
  }

  /** A reader of a job's events. EventSource sends no key, so they are fetched. */
  #events(id, signal) {
    const next = async (onJob, read) => {
      try {
        const answer = await this.call(`jobs/${id}/events`, { signal });
        const parser = new EventParser();
        const decoder = new TextDecoder();
        const reader = answer.body.getReader();
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return;
          if (parser.push(decoder.decode(value, { stream: true })).length) onJob(await read());
        }
      } catch (error) {
        if (signal?.aborted) throw error; // else the caller asks for the state
      }
    };
    return { next };
  }

  /** The result of a job: everything but frames, then the frames by pages. */
  async result(id, onProgress, signal) {
    const path = `jobs/${id}/result`;
    const head = await this.json(`${path}?fields=${HEAD_FIELDS}`, { signal });
    const total = head.data?.processing_summary?.total_frames ?? 0;
    const frames = [];
    if (!head.data?.processing_summary) return { head, frames };
    for (let cursor = 0; cursor !== null;) {
      onProgress(total ? frames.length / total : 0);
      const query = `fields=${FRAME_FIELDS}&cursor=${cursor}&limit=${FRAMES_A_PAGE}`;
      const page = await again(() => this.json(`${path}?${query}`, { signal }), signal);
      frames.push(...page.frames);
      cursor = page.cursor;
    }
    return { head, frames };
  }

  /** Save an answer as a file. */
  async download(path, name) {
    const blob = await (await this.call(path)).blob();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
}

/** Call `work` until the network and the service let it through. */
async function again(work, signal) {
  for (let nth = 0; ; nth += 1) {
    try {
      return await work(nth);
    } catch (error) {
      const final = error instanceof Refused && !error.problem.retryable;
      if (signal?.aborted || final || nth + 1 === TRIES) throw error;
      await pause(POLL_MS * 2 ** nth, signal);
    }
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}

/** A key of 128 random bits; `crypto.randomUUID` needs https. */
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
