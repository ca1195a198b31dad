/** Film with the camera of the device: preview, record, stop. */
import { button } from "./dom.js";
import { text } from "./text.js";

const KINDS = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];
const WANTED = {
  audio: false,
  video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 60 } },
};

/** Key of the text that says why there is no camera in a window; null where there may be one. */
export function obstacle(window) {
  if (!window.isSecureContext) return "film.insecure";
  if (!window.navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) return "film.unable";
  return null;
}

/** First kind of file that the recorder writes; the browser's own choice where it names none. */
export function kindOf(isTypeSupported) {
  return KINDS.find(isTypeSupported) ?? "";
}

/** Name of a recording of a kind, by its time. */
export function nameOf(kind, date) {
  const end = kind.startsWith("video/mp4") ? "mp4" : "webm";
  return `camera-${date.toISOString().slice(0, 19).replace(/[T:]/g, "-")}.${end}`;
}

/** Key of the text that says why a camera did not open. */
export function refusal(error) {
  if (error.name === "NotAllowedError" || error.name === "SecurityError") return "film.denied";
  return error.name === "NotFoundError" || error.name === "OverconstrainedError" ? "film.none" : "film.failed";
}

export class Camera {
  #stream = null;
  #recorder = null;

  /** @param panel element to fill. @param onFile called with the recording, as a file. */
  constructor(panel, onFile) {
    Object.assign(this, { panel, onFile });
  }

  /** Fill the panel in the chosen language. */
  build() {
    this.close();
    const why = obstacle(window);
    const open = button(text("film.open"), () => this.#open());
    open.disabled = why !== null;
    const about = document.createElement("span");
    about.className = "about";
    about.id = "film-about";
    about.setAttribute("role", "status");
    about.textContent = why ? text(why) : "";
    open.setAttribute("aria-describedby", about.id);
    this.about = about;
    this.panel.replaceChildren(open, about);
  }

  close() {
    if (this.#recorder?.state === "recording") this.#recorder.stop();
    this.#recorder = null;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
  }

  async #open() {
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia(WANTED);
    } catch (error) {
      this.about.textContent = text(refusal(error), { detail: error.message });
      return;
    }
    const preview = document.createElement("video");
    Object.assign(preview, { muted: true, playsInline: true, autoplay: true, srcObject: this.#stream });
    preview.setAttribute("aria-label", text("film.preview"));
    const record = button(text("film.record"), () => this.#record(record));
    record.className = "primary";
    const row = document.createElement("div");
    row.className = "controls";
    row.append(record, button(text("cancel"), () => this.build()), this.about);
    this.about.textContent = "";
    this.panel.replaceChildren(preview, row);
    record.focus();
  }

  #record(made) {
    if (this.#recorder) {
      this.#recorder.stop();
      return;
    }
    const kind = kindOf((type) => MediaRecorder.isTypeSupported(type));
    const recorder = new MediaRecorder(this.#stream, kind ? { mimeType: kind, videoBitsPerSecond: 8e6 } : {});
    const parts = [];
    recorder.addEventListener("dataavailable", (event) => { if (event.data.size) parts.push(event.data); });
    recorder.addEventListener("stop", () => {
      if (recorder !== this.#recorder) return; // cancelled
      const type = recorder.mimeType.split(";")[0];
      const file = new File(parts, nameOf(recorder.mimeType, new Date()), { type });
      this.build();
      if (file.size) this.onFile(file);
    });
    this.#recorder = recorder;
    recorder.start();
    made.textContent = text("film.stop");
    this.about.textContent = text("film.running");
  }
}
