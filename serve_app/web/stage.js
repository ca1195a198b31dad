/** The video with the skeleton drawn over it, frame by frame. */
import { BONES } from "./clip.js";
import { fit, toBox, toPicture } from "./letterbox.js";
import { number, text } from "./text.js";
import { frameAt, nearestFrame, seekTime } from "./timing.js";

const COLORS = { left: "#e69f00", right: "#56b4e9", middle: "#f0f0f0" };
const ANGLES = ["elbow", "knee", "shoulder"];
const TRAIL = ["left_wrist", "right_wrist", "left_ankle", "right_ankle"];
const TRAIL_FRAMES = 30;

const sideOf = (name) => (name.startsWith("left_") ? "left" : name.startsWith("right_") ? "right" : "middle");

export class Stage {
  #clip = null;
  #pending = false;
  #presented = null;

  /**
   * @param elements video, picture, overlay and box.
   * @param onFrame called with each frame that is shown. onPerson: with a person clicked on.
   */
  constructor(elements, { onFrame, onPerson, onPlaying, onUnplayable }) {
    Object.assign(this, elements, { onFrame, onPerson });
    this.frame = this.wanted = 0;
    this.person = null;
    this.speed = 1;
    this.show = { points: true, angles: true, trail: false };
    const { video } = this;
    for (const event of ["play", "pause", "ended"]) video.addEventListener(event, () => onPlaying(!video.paused));
    video.addEventListener("loadedmetadata", () => { video.playbackRate = this.speed; if (this.#clip) this.seek(this.frame); });
    video.addEventListener("seeked", () => this.#sought());
    video.addEventListener("error", () => { if (video.getAttribute("src")) this.#tryPicture(onUnplayable); });
    this.overlay.addEventListener("click", (event) => this.#clicked(event));
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.#listen();
  }

  get #timed() {
    return "requestVideoFrameCallback" in HTMLVideoElement.prototype;
  }

  get playing() {
    return !this.video.paused && !this.video.ended;
  }

  /** Show a clip from the address of its video. */
  open(clip, source) {
    this.#clip = clip;
    this.person = clip.people[0] ?? null;
    this.frame = this.wanted = Math.max(0, clip.frames.findIndex((people) => people.has(this.person)));
    this.#presented = null;
    this.box.style.aspectRatio = `${clip.info.width} / ${clip.info.height}`;
    this.picture.hidden = true;
    this.video.hidden = false;
    this.video.src = source;
    this.video.load();
    this.draw();
  }

  close() {
    this.#clip = null;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    this.picture.removeAttribute("src");
  }

  /**
   * Show frame `index`. A browser may present another one, which is then `frame`; `wanted` stays, so
   * that steps get past a frame that the browser cannot reach.
   */
  seek(index) {
    const clip = this.#clip;
    if (!clip) return;
    this.video.pause();
    const to = this.wanted = Math.max(0, Math.min(clip.times.length - 1, index));
    if (this.video.readyState > 0) this.video.currentTime = seekTime(clip.times, to);
    this.#shown(to);
  }

  toggle() {
    if (this.playing) this.video.pause();
    else this.video.play().catch(() => {}); // its event says why
  }

  draw() {
    const { overlay, box } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [box.clientWidth, box.clientHeight];
    overlay.width = Math.round(width * ratio);
    overlay.height = Math.round(height * ratio);
    const pen = overlay.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (!this.#clip || !width) return;
    const place = this.#place();
    if (this.show.trail) this.#trail(pen, place);
    for (const id of this.#clip.people) {
      const person = this.#clip.person(this.frame, id);
      if (person) this.#figure(pen, place, person, id === this.person);
    }
    this.onDraw?.(pen, place);
  }

  /** Point of the picture under a pointer, and pixels of the page a pixel of the picture. */
  pictureAt(event) {
    const bounds = this.overlay.getBoundingClientRect();
    const place = this.#place();
    const [x, y] = toPicture(place, event.clientX - bounds.left, event.clientY - bounds.top);
    return { x, y, scale: place.scale };
  }

  #place() {
    const { width, height } = this.#clip.info;
    return fit(width, height, this.box.clientWidth, this.box.clientHeight);
  }

  #figure(pen, place, { keypoints, angles }, chosen) {
    if (!keypoints || !this.show.points && !this.show.angles) return;
    const at = (name) => toBox(place, keypoints[name].x, keypoints[name].y);
    const seen = (name) => this.#clip.seen(keypoints[name]);
    const size = Math.max(1.5, this.box.clientHeight / 200);
    pen.globalAlpha = chosen ? 1 : 0.35;
    if (this.show.points) {
      for (const [from, to] of BONES) {
        if (!seen(from) || !seen(to)) continue;
        const side = sideOf(from) === sideOf(to) ? sideOf(from) : "middle";
        line(pen, [at(from), at(to)], COLORS[side], size);
      }
      for (const name of Object.keys(keypoints).filter(seen)) dot(pen, at(name), COLORS[sideOf(name)], size * 1.2);
    }
    if (this.show.angles && chosen) {
      for (const joint of ANGLES) {
        const [left, right] = [`left_${joint}`, `right_${joint}`];
        const isToTheRight = { [left]: keypoints[left].x >= keypoints[right].x, [right]: keypoints[right].x > keypoints[left].x };
        for (const name of [left, right]) {
          const value = angles?.[name] ?? null;
          if (value !== null && seen(name)) label(pen, at(name), `${number(value)}°`, isToTheRight[name], COLORS[sideOf(name)]);
        }
      }
    }
    pen.globalAlpha = 1;
  }

  #trail(pen, place) {
    for (const name of TRAIL) {
      const points = [];
      for (let at = Math.max(0, this.frame - TRAIL_FRAMES); at <= this.frame; at += 1) {
        const point = this.#clip.person(at, this.person)?.keypoints?.[name];
        if (this.#clip.seen(point)) points.push(toBox(place, point.x, point.y));
      }
      pen.globalAlpha = 0.7;
      line(pen, points, COLORS[sideOf(name)], 2);
      pen.globalAlpha = 1;
    }
  }

  #shown(index) {
    this.frame = index;
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => {
      this.#pending = false;
      if (!this.#clip) return;
      this.draw();
      this.onFrame(this.frame);
    });
  }

  /** Follow the frames that the browser presents, by their exact times where it tells them. */
  #listen() {
    const { video } = this;
    if (this.#timed) {
      const presented = (_now, { mediaTime }) => {
        if (this.#clip) {
          this.#shown(this.#presented = nearestFrame(this.#clip.times, mediaTime));
          if (this.playing) this.wanted = this.#presented;
        }
        video.requestVideoFrameCallback(presented);
      };
      video.requestVideoFrameCallback(presented);
      return;
    }
    const polled = () => {
      if (this.#clip && this.playing) this.#shown(this.wanted = frameAt(this.#clip.times, video.currentTime));
      requestAnimationFrame(polled);
    };
    requestAnimationFrame(polled);
  }

  /** A seek that presents no new frame leaves the picture as it was: draw the frame of that one. */
  #sought() {
    if (!this.#clip) return;
    if (!this.#timed) {
      this.#shown(frameAt(this.#clip.times, this.video.currentTime));
      return;
    }
    requestAnimationFrame(() => requestAnimationFrame(() => {
      if (this.#clip && this.#presented !== null && !this.video.seeking) this.#shown(this.#presented);
    }));
  }

  #tryPicture(onUnplayable) {
    const { picture, video } = this;
    picture.onload = () => { picture.hidden = false; video.hidden = true; };
    picture.onerror = () => onUnplayable();
    picture.src = video.currentSrc || video.src;
  }

  #clicked(event) {
    if (!this.#clip) return;
    const { x, y } = this.pictureAt(event);
    const id = this.#clip.personAt(this.frame, x, y);
    if (id === null || id === this.person) this.toggle();
    else this.onPerson(id);
  }
}

/** Say a frame for the clock and for readers of screens. */
export function frameText(clip, index) {
  return text("stage.frame", { frame: clip.numbers[index], time: number(clip.times[index], 2) });
}

function line(pen, points, color, width) {
  if (points.length < 2) return;
  pen.lineCap = pen.lineJoin = "round";
  for (const [style, wide] of [["rgba(0, 0, 0, 0.45)", width + 2], [color, width]]) {
    pen.strokeStyle = style;
    pen.lineWidth = wide;
    pen.beginPath();
    points.forEach(([x, y], nth) => (nth ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.stroke();
  }
}

function dot(pen, [x, y], color, radius) {
  pen.fillStyle = color;
  pen.strokeStyle = "rgba(0, 0, 0, 0.6)";
  pen.lineWidth = 1;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
  pen.stroke();
}

function label(pen, [x, y], words, isToTheRight, color) {
  pen.font = "600 13px system-ui, sans-serif";
  pen.textAlign = isToTheRight ? "left" : "right";
  pen.textBaseline = "middle";
  const shift = isToTheRight ? 9 : -9;
  pen.lineWidth = 3;
  pen.strokeStyle = "rgba(0, 0, 0, 0.75)";
  pen.strokeText(words, x + shift, y);
  pen.fillStyle = color;
  pen.fillText(words, x + shift, y);
}
