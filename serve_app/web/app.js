/** The page: a video in; the video with its skeleton, curves and numbers out. */
import { address, ENDED, Service, Unreachable } from "./api.js";
import { Camera } from "./camera.js";
import { cardsOf } from "./cards.js";
import { Clip } from "./clip.js";
import { Comparison } from "./compare.js";
import { Curves } from "./curves.js";
import { Editor } from "./edit.js";
import { History, nameOf, remember } from "./history.js";
import { curl, python } from "./snippets.js";
import { frameText, Stage } from "./stage.js";
import { choose, duration, LANGUAGES, number, text, translate } from "./text.js";

const LANGUAGE = "mmpose-language";
const MOVEMENTS = ["auto", "squat", "gait", "run", "jump", "throw"];
const EXPORTS = { csv: "csv", parquet: "parquet", trc: "trc", mot: "mot", c3d: "c3d", coco: "json" };
const FAST_FRAMES = 10;
const $ = (id) => document.getElementById(id);

const service = new Service(askKey);
const stage = new Stage(
  { box: $("stage"), video: $("video"), picture: $("picture"), overlay: $("overlay") },
  { onFrame: showFrame, onPerson: choosePerson, onPlaying: showPlaying, onUnplayable: () => { $("unplayable").hidden = false; } },
);
const curves = new Curves($("curves"), (frame) => stage.seek(frame));
const editor = new Editor(stage, $("edit"), $("edit-toggle"), (changes) => run((signal) => correct(changes, signal)));
const camera = new Camera($("film"), (file) => run((signal) => analyze(file, null, signal)));
const history = new History(
  service, { list: $("history"), empty: $("history-empty"), more: $("more") },
  { onOpen: (job) => run((signal) => openJob(job, {}, signal)), onProblem: showProblem },
);
const comparison = new Comparison(
  { choose: $("compare"), sync: $("sync"), syncRow: $("sync-row"), pair: $("pair"), box: $("other") },
  {
    stage: new Stage(
      { box: $("other"), video: $("other-video"), picture: $("other-picture"), overlay: $("other-overlay") },
      { onFrame: () => {}, onPerson: () => {}, onPlaying: () => {}, onUnplayable: () => {} },
    ),
    load: async (job) => ({ clip: await clipOf(job), source: address(job.links.source) }),
    nameOf, onChange: () => showPerson(stage.person), onProblem: showProblem,
  },
);
/** What is shown: job, clip, sentences, and the source and options that only this tab knows. */
let shown = null;
let running = null;

/** Do one thing at a time; another one ends it. */
async function run(work) {
  running?.abort();
  const mine = running = new AbortController();
  $("problem").hidden = true;
  try {
    await work(mine.signal);
  } catch (error) {
    if (mine.signal.aborted) return;
    showProblem(error);
    show(shown ? "result" : "start");
  }
}

function show(name) {
  if (name !== "start") camera.build();
  for (const id of ["start", "working", "result"]) $(id).hidden = id !== name;
  $("new").hidden = name === "start";
  $("show-key").hidden = !service.key;
}

function showProblem(error) {
  const words = error instanceof Unreachable ? text("problem.network") : error.message;
  $("problem").textContent = words;
  $("problem").hidden = false;
  $("problem").scrollIntoView({ block: "nearest" });
}

async function start() {
  stage.close();
  shown = null;
  window.history.replaceState(null, "", location.pathname);
  show("start");
  await history.refresh();
  $("show-key").hidden = !service.key;
}

function options() {
  const movement = $("movement").value;
  const height = $("height").valueAsNumber;
  return {
    people: "all", video: false,
    ...(movement === "auto" ? {} : { movement }),
    ...(Number.isFinite(height) ? { subject: { height_m: height } } : {}),
  };
}

async function analyze(file, videoUrl, signal) {
  if (!file && !videoUrl) throw new Error(text("start.nothing"));
  const asked = options();
  working(null);
  const source = file
    ? { upload_id: await service.upload(file, (share) => working(share, "working.upload"), signal) }
    : { video_url: videoUrl };
  const job = await service.submit({ ...source, ...asked }, signal);
  const name = file ? file.name : videoUrl.split("?")[0].split("/").pop() || videoUrl;
  remember(job, name);
  await openJob(job, { file, videoUrl, asked }, signal);
}

/** Compute the result again from corrected points and events; the one that is shown stays as it is. */
async function correct(changes, signal) {
  const { job, file, videoUrl, asked } = shown;
  working(null);
  const made = await service.correct(job.id, changes, signal);
  remember(made, text("edit.name", { name: nameOf(job) }));
  await openJob(made, { file, videoUrl, asked }, signal);
}

async function openJob(job, known, signal) {
  window.history.replaceState(null, "", `#${job.id}`);
  working(null);
  const ended = await service.follow(job.id, showJob, signal);
  if (ended.state === "cancelled") throw new Error(text("problem.cancelled"));
  if (ended.state === "failed") throw new Error(text("problem.failed", { detail: ended.error.detail, hint: ended.error.hint }));
  const clip = await clipOf(ended, (share) => working(share, "working.result"), signal);
  const sentences = await service.json(`jobs/${ended.id}/sentences`, { signal });
  shown = { job: ended, clip, sentences, ...known };
  comparison.close();
  showResult();
  comparison.offer((await service.json("jobs?limit=100&state=succeeded", { signal })).jobs, ended);
}

async function clipOf(job, onShare = () => {}, signal = undefined) {
  const { head, frames } = await service.result(job.id, onShare, signal);
  if (!frames.length) throw new Error(text("problem.empty"));
  return new Clip(head, frames);
}

function working(share, key = "working.begins") {
  show("working");
  $("cancel").onclick = () => run(start);
  const percent = share === null ? null : 100 * share;
  if (percent === null) $("progress").removeAttribute("value");
  else $("progress").value = percent;
  $("status").textContent = text(key, { percent: number(percent) });
}

function showJob(job) {
  show("working");
  const end = () => service.call(`jobs/${job.id}`, { method: "DELETE" }).catch(showProblem);
  $("cancel").onclick = ENDED.includes(job.state) ? () => run(start) : end;
  if (job.percent > 0) $("progress").value = job.percent;
  else $("progress").removeAttribute("value");
  const facts = { percent: number(job.percent), done: job.frames_done, total: job.frames_total ?? text("missing"), position: job.position };
  const key = job.state === "queued" ? "working.queued" : job.frames_total ? "working.running" : "working.begins";
  const left = job.eta_s === null ? "" : ` · ${text("working.eta", { time: duration(job.eta_s) })}`;
  $("status").textContent = text(key, facts) + left;
}

function showResult() {
  const { job, clip } = shown;
  show("result");
  $("result-title").textContent = nameOf(job);
  $("unplayable").hidden = true;
  $("scrub").max = clip.times.length - 1;
  $("curves").hidden = $("curves-about").hidden = clip.times.length < 2; // a picture has none
  const rows = clip.people.map((id, nth) => {
    const option = document.createElement("option");
    option.value = id;
    option.textContent = text(nth ? "athlete.n" : "athlete.primary", { n: id });
    return option;
  });
  $("athlete").replaceChildren(...rows);
  $("athlete-row").hidden = rows.length < 2;
  if (shown.address) URL.revokeObjectURL(shown.address);
  shown.address = shown.file ? URL.createObjectURL(shown.file) : null;
  editor.reset(clip);
  $("corrected").hidden = !clip.corrections;
  $("corrected").textContent = text("edit.corrected", { n: clip.corrections?.changes.length ?? 0 });
  stage.open(clip, shown.address ?? address(job.links.source));
  choosePerson(clip.people[0] ?? null);
  showFrame(stage.frame);
  showExports();
  showScript();
  $("result-title").focus();
}

function choosePerson(id) {
  comparison.follow(shown.clip, id, stage.frame);
  showPerson(id);
}

function showPerson(id) {
  const { clip, sentences } = shown;
  stage.person = id;
  $("athlete").value = id;
  stage.draw();
  editor.shown();
  curves.show(clip, id, comparison.curves);
  showAxis();
  const told = sentences.people.find((person) => person.person_id === id) ?? null;
  $("report")?.replaceWith(reportLink(shown.job));
  $("cards").replaceChildren(...[comparison.card, ...cardsOf(clip.summary(id), told)].filter(Boolean));
}

function showAxis() {
  $("axis-row").hidden = !curves.hasCycles;
  curves.set({ byCycle: $("axis").value === "cycle", intervals: $("show-intervals").checked });
  $("curves-about").textContent = curves.about;
}

function showFrame(frame) {
  curves.move(frame);
  comparison.follow(shown.clip, stage.person, frame);
  $("scrub").value = frame;
  const said = frameText(shown.clip, frame);
  $("scrub").setAttribute("aria-valuetext", said);
  $("clock").textContent = said;
  editor.shown();
}

function showPlaying(playing) {
  const key = playing ? "stage.pause" : "stage.play";
  $("play").textContent = playing ? "❚❚" : "▶";
  $("play").setAttribute("aria-label", text(key));
  $("play").title = text(key);
}

function showExports() {
  const { job } = shown;
  const stem = nameOf(job).replace(/\.[^.]*$/, "");
  const json = button(text("export.json"), () => service.download(`jobs/${job.id}/result`, `${stem}.json`));
  const files = Object.entries(EXPORTS).map(([kind, end]) => button(
    text(`export.${kind}`), () => service.download(`jobs/${job.id}/export/${kind}`, `${stem}.${end}`),
  ));
  $("exports").replaceChildren(reportLink(job), json, ...files, button(text("export.video"), (made) => annotate(made, stem)));
}

/** The printable report, which a browser opens by a link, as it has its own policy. */
function reportLink(job) {
  const link = document.createElement("a");
  const at = new URL(address(job.links.report));
  at.searchParams.set("title", nameOf(job));
  if (stage.person !== null) at.searchParams.set("person", stage.person);
  Object.assign(link, { id: "report", className: "button", href: at.href, target: "_blank", rel: "noopener", textContent: text("report") });
  return link;
}

function button(label, work) {
  const made = document.createElement("button");
  made.textContent = label;
  made.addEventListener("click", async () => {
    made.disabled = true;
    $("problem").hidden = true;
    await work(made).catch(showProblem);
    made.disabled = false;
  });
  return made;
}

/** Make the annotated video by another job of the same video. */
async function annotate(made, stem) {
  const { job, file, videoUrl, asked } = shown;
  const percent = (share) => { made.textContent = `${text("working.drawing")}: ${number(100 * share)} %`; };
  percent(0);
  const sent = file ?? (videoUrl ? null : await (await service.call(job.links.source)).blob());
  const source = sent ? { upload_id: await service.upload(sent, () => {}) } : { video_url: videoUrl };
  const begun = await service.submit({ ...source, ...(asked ?? {}), people: "primary", video: true, data: false });
  remember(begun, nameOf(job));
  const ended = await service.follow(begun.id, (now) => percent(now.percent / 100));
  if (ended.state !== "succeeded") throw new Error(text("problem.failed", { detail: ended.error?.detail ?? "", hint: "" }));
  const link = document.createElement("a");
  link.className = "button";
  link.href = address(ended.links.video);
  link.download = `${stem}_annotated.mp4`;
  link.textContent = text("export.video.get");
  made.replaceWith(link);
}

function showScript() {
  const { job, file, videoUrl, asked } = shown;
  const source = videoUrl ? { address: videoUrl } : { name: file?.name ?? nameOf(job) };
  const at = new URL(".", document.baseURI).href.replace(/\/$/, "");
  const given = asked ?? { people: "all", video: false };
  $("curl").textContent = curl(at, source, given, job.id, Boolean(service.key));
  $("python").textContent = python(at, source, given, Boolean(service.key));
}

function askKey() {
  const dialog = $("key");
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      const given = $("key-value").value.trim();
      $("key-value").value = "";
      resolve(dialog.returnValue === "use" && given ? given : null);
    }, { once: true });
    dialog.showModal();
  });
}

function onKey(event) {
  const typing = event.target.matches("select, textarea, input:not([type=range], [type=checkbox])");
  if (!shown || $("result").hidden || typing || $("key").open || event.altKey || event.ctrlKey || event.metaKey) return;
  const onButton = event.target.matches("button, a, summary, input[type=checkbox]");
  const step = event.shiftKey ? FAST_FRAMES : 1;
  const speeds = [...$("speed").options].map((option) => option.value);
  const faster = (by) => {
    $("speed").value = speeds[Math.max(0, Math.min(speeds.length - 1, speeds.indexOf($("speed").value) - by))];
    $("speed").dispatchEvent(new Event("change"));
  };
  const actions = {
    ArrowLeft: () => stage.seek(stage.wanted - step),
    ArrowRight: () => stage.seek(stage.wanted + step),
    ArrowUp: () => faster(1),
    ArrowDown: () => faster(-1),
    Home: () => stage.seek(0),
    End: () => stage.seek(shown.clip.times.length - 1),
    ...(onButton ? {} : { " ": () => stage.toggle() }),
  };
  if (!(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
}

function setLanguage(code) {
  choose([code]);
  translate(document);
  const kept = $("movement").value || "auto";
  $("movement").replaceChildren(...MOVEMENTS.map((name) => new Option(text(`movement.${name}`), name)));
  $("movement").value = kept;
  $("scrub").setAttribute("aria-label", text("stage.scrub"));
  $("overlay").setAttribute("aria-label", text("stage.overlay"));
  showPlaying(stage.playing);
  camera.build();
}

function listen() {
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    run((signal) => analyze(null, $("address").value.trim(), signal));
  });
  const take = (file) => { if (file) run((signal) => analyze(file, null, signal)); };
  $("file").addEventListener("change", () => { take($("file").files[0]); $("file").value = ""; });
  document.addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
  document.addEventListener("dragleave", () => $("drop").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
  $("new").addEventListener("click", () => run(start));
  $("show-key").addEventListener("click", async () => {
    const given = await askKey();
    if (given) service.key = given;
    run(start);
  });
  $("key-cancel").addEventListener("click", () => $("key").close());
  $("play").addEventListener("click", () => stage.toggle());
  $("back").addEventListener("click", () => stage.seek(stage.wanted - 1));
  $("forward").addEventListener("click", () => stage.seek(stage.wanted + 1));
  $("scrub").addEventListener("input", () => stage.seek(Number($("scrub").value)));
  $("speed").addEventListener("change", () => { $("video").playbackRate = stage.speed = Number($("speed").value); });
  $("athlete").addEventListener("change", () => choosePerson(Number($("athlete").value)));
  for (const name of ["points", "angles", "trail"]) {
    $(`show-${name}`).addEventListener("change", (event) => { stage.show[name] = event.target.checked; stage.draw(); });
  }
  for (const id of ["axis", "show-intervals"]) $(id).addEventListener("change", showAxis);
  document.addEventListener("keydown", onKey);
  $("language").addEventListener("change", () => {
    localStorage.setItem(LANGUAGE, $("language").value);
    setLanguage($("language").value);
    if (shown) showResult();
    else if (!$("start").hidden) run(start);
  });
}

$("language").replaceChildren(...Object.entries(LANGUAGES).map(([code, { name }]) => new Option(name, code)));
$("language").value = choose([localStorage.getItem(LANGUAGE) ?? "", ...navigator.languages]);
setLanguage($("language").value);
listen();
run(async (signal) => {
  const id = /^#([0-9a-f]{32})$/.exec(location.hash)?.[1];
  if (!id) return start();
  return openJob(await service.json(`jobs/${id}`, { signal }), {}, signal);
});
