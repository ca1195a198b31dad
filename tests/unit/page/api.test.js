/** Tests of the calls of the service, which a function answers in the network's place. */
import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";

import { address, Refused, Service, Unreachable } from "./api.js";

let calls = [];
let answers = () => {};

const json = (body, status = 200, headers = {}) => new Response(
  status === 204 ? null : JSON.stringify(body), { status, headers },
);

beforeEach(() => {
  const kept = new Map();
  globalThis.document = { baseURI: "https://pose.example/behind/" };
  globalThis.sessionStorage = {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => kept.set(name, value),
    removeItem: (name) => kept.delete(name),
  };
  calls = [];
  globalThis.fetch = async (url, options = {}) => {
    const call = { path: url.slice("https://pose.example/behind/".length), ...options };
    calls.push(call);
    return answers(call, calls.length - 1);
  };
});

test("paths of the service stay behind the prefix of the page", () => {
  assert.equal(address("/jobs/1/source?a=b"), "https://pose.example/behind/jobs/1/source?a=b");
});

test("a 401 asks for a key once, whoever waits, and sends it with every call", async () => {
  let asked = 0;
  const service = new Service(async () => { asked += 1; return "id.secret"; });
  answers = ({ headers }) => (headers.Authorization === "Bearer id.secret" ? json({}) : json({ code: "unauthorized" }, 401));
  await Promise.all([service.json("jobs"), service.json("jobs/1")]);
  await service.json("jobs/2");
  assert.equal(asked, 1);
  assert.equal(calls.at(-1).headers.Authorization, "Bearer id.secret");
});

test("a reader without a key is refused", async () => {
  const service = new Service(async () => null);
  answers = () => json({ detail: "the request has no key", hint: "Send one." }, 401);
  await assert.rejects(service.json("jobs"), (error) => error instanceof Refused && error.message === "the request has no key Send one.");
});

test("a job is submitted once though its first answer is lost", async () => {
  const service = new Service();
  answers = (_call, nth) => {
    if (nth === 0) throw new TypeError("network");
    return json({ id: "a" }, 202);
  };
  assert.deepEqual(await service.submit({ people: "all" }), { id: "a" });
  const keys = calls.map(({ headers }) => headers["Idempotency-Key"]);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.deepEqual(keys, [keys[0], keys[0]]);
});

test("what cannot succeed is not tried again", async () => {
  answers = () => json({ detail: "bad", retryable: false }, 422);
  await assert.rejects(new Service().submit({}), Refused);
  assert.equal(calls.length, 1);
});

test("a file is sent in parts, which go on where the service stopped", async () => {
  const size = 20 * 1024 ** 2;
  const part = 8 * 1024 ** 2;
  let received = 0;
  answers = ({ method, headers, body }, nth) => {
    if (method === "POST") return json({ upload_id: "u" }, 201);
    if (method === "HEAD") return json({}, 200, { "Upload-Offset": String(received) });
    assert.equal(Number(headers["Upload-Offset"]), received);
    received += nth === 2 ? 1000 : body.size; // the second part breaks off
    if (nth === 2) throw new TypeError("network");
    return json(null, 204, { "Upload-Offset": String(received) });
  };
  const shares = [];
  const id = await new Service().upload({ size, slice: (from, to) => ({ size: Math.min(to, size) - from }) }, (share) => shares.push(share));
  assert.equal(id, "u");
  assert.equal(received, size);
  assert.deepEqual(calls.map(({ method }) => method), ["POST", "PATCH", "PATCH", "HEAD", "PATCH", "PATCH"]);
  assert.equal(shares.at(-1), 1);
  assert.equal(shares[1], part / size);
});

test("progress comes by events, and by asking where they cannot be read", async () => {
  for (const broken of [false, true]) {
    calls = [];
    let asked = 0;
    answers = ({ path }) => {
      if (path.endsWith("/events")) {
        if (broken) throw new TypeError("network");
        return new Response(": ping\n\nevent: progress\nid: 1\ndata: {}\n\n");
      }
      asked += 1;
      return json({ state: asked > 2 ? "succeeded" : "running" });
    };
    const seen = [];
    const job = await new Service().follow("a", ({ state }) => seen.push(state));
    assert.equal(job.state, "succeeded");
    assert.deepEqual(seen, ["running", "running", "succeeded"]);
    assert.equal(calls.filter(({ path }) => path.endsWith("/events")).length, broken ? 2 : 1);
  }
});

test("frames are read by pages until there is no cursor", async () => {
  answers = ({ path }) => {
    if (!path.includes("cursor=")) return json({ data: { processing_summary: { total_frames: 3 } } });
    return json(path.includes("cursor=0&") ? { frames: [1, 2], cursor: 2 } : { frames: [3], cursor: null });
  };
  const { frames } = await new Service().result("a", () => {});
  assert.deepEqual(frames, [1, 2, 3]);
  answers = () => json({ data: null });
  assert.deepEqual((await new Service().result("a", () => {})).frames, []);
});

test("no answer is another error than a refusal", async () => {
  answers = () => { throw new TypeError("network"); };
  await assert.rejects(new Service().json("jobs"), Unreachable);
});
