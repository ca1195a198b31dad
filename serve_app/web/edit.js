/** The mode in which points and events are corrected by hand. */
import { Draft, nearest } from "./corrections.js";
import { button, element } from "./dom.js";
import { number, text } from "./text.js";

const REACH = 18; // pixels of the page
const FAST = 10; // pixels of the picture
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const NAMES = [
  "nose", "left_eye", "right_eye", "left_ear", "right_ear",
  ...["shoulder", "elbow", "wrist", "hip", "knee", "ankle"].flatMap((joint) => [`left_${joint}`, `right_${joint}`]),
];

export class Editor {
  #clip = null;
  #draft = null;
  #dragged = false;
  #start = null;

  /**
   * @param stage that shows the clip. @param panel element to fill. @param toggle button of the mode.
   * @param onRecompute called with the changes.
   */
  constructor(stage, panel, toggle, onRecompute) {
    Object.assign(this, { stage, panel, toggle, onRecompute, point: NAMES[0] });
    toggle.addEventListener("click", () => this.open(!this.isOpen));
    const { overlay } = stage;
    overlay.addEventListener("pointerdown", (event) => this.#down(event));
    overlay.addEventListener("pointermove", (event) => this.#move(event));
    overlay.addEventListener("pointerup", () => { this.#dragged = false; });
    overlay.addEventListener("keydown", (event) => this.#key(event));
    // Before the stage's own listener, which plays or chooses another athlete.
    overlay.addEventListener("click", (event) => { if (this.isOpen) event.stopImmediatePropagation(); }, true);
    stage.onDraw = (pen, place) => this.#draw(pen, place);
  }

  get isOpen() {
    return this.#draft !== null;
  }

  /** Begin with a result; what was not sent of another one is dropped. */
  reset(clip) {
    this.#clip = clip;
    this.open(false);
  }

  open(open) {
    this.#draft?.clear();
    this.#draft = open ? new Draft(this.#clip) : null;
    this.#start = null;
    this.panel.hidden = !open;
    this.toggle.textContent = text(open ? "edit.stop" : "edit.start");
    this.toggle.setAttribute("aria-expanded", String(open));
    this.stage.overlay.classList.toggle("editing", open);
    this.stage.overlay.setAttribute("role", open ? "application" : "img");
    if (open) {
      this.stage.seek(this.stage.frame);
      this.#build();
    }
    this.stage.draw();
  }

  /** Follow the frame and the athlete that are shown. */
  shown() {
    if (!this.isOpen) return;
    this.#say();
    this.#lists();
  }

  get #keypoints() {
    return this.#clip.person(this.stage.frame, this.stage.person)?.keypoints;
  }

  #place(x, y) {
    this.#draft.place(this.stage.person, this.stage.frame, this.point, x, y);
    this.#changed();
  }

  #changed() {
    this.stage.draw();
    this.#say();
  }

  #down(event) {
    if (!this.isOpen || event.button !== 0) return;
    const { x, y, scale } = this.stage.pictureAt(event);
    const name = nearest(this.#keypoints, x, y, REACH / scale);
    if (!name) return;
    event.preventDefault();
    if (this.stage.playing) this.stage.seek(this.stage.frame);
    this.stage.overlay.focus();
    this.stage.overlay.setPointerCapture(event.pointerId);
    this.#dragged = true;
    this.choose(name);
  }

  #move(event) {
    if (!this.isOpen || !this.#dragged) return;
    const { x, y } = this.stage.pictureAt(event);
    this.#place(x, y);
  }

  /** Choose a point for the keyboard. */
  choose(name) {
    this.point = name;
    this.panel.querySelector("select").value = name;
    this.#changed();
  }

  #key(event) {
    if (!this.isOpen || event.altKey || event.ctrlKey || event.metaKey) return;
    const point = this.#keypoints?.[this.point];
    const step = event.shiftKey ? FAST : 1;
    const next = (by) => this.choose(NAMES[(NAMES.indexOf(this.point) + by + NAMES.length) % NAMES.length]);
    const actions = {
      n: () => next(1), p: () => next(-1), Delete: () => this.#hide(), Backspace: () => this.#hide(),
      u: () => this.#undo(),
    };
    if (event.key in MOVES && point) {
      const [dx, dy] = MOVES[event.key];
      const { width, height } = this.#clip.info;
      this.#place((point.x ?? width / 2) + step * dx, (point.y ?? height / 2) + step * dy);
    } else if (event.key in actions) actions[event.key]();
    else return;
    event.preventDefault();
    event.stopPropagation(); // else the arrows change the frame
  }

  #hide() {
    this.#draft.hide(this.stage.person, this.stage.frame, this.point);
    this.#changed();
  }

  #undo() {
    this.#draft.undo();
    this.#changed();
  }

  #draw(pen, place) {
    if (!this.isOpen) return;
    for (const [name, point] of Object.entries(this.#keypoints ?? {})) {
      if (point.x === null) continue;
      pen.beginPath();
      pen.arc(place.x + place.scale * point.x, place.y + place.scale * point.y, name === this.point ? 10 : 6, 0, 2 * Math.PI);
      pen.lineWidth = name === this.point ? 3 : 1.5;
      pen.strokeStyle = point.by_hand ? "#2fd14f" : "#fff";
      pen.stroke();
    }
  }

  #build() {
    const choice = document.createElement("select");
    choice.append(...NAMES.map((name) => new Option(text(`point.${name}`), name)));
    choice.value = this.point;
    choice.addEventListener("change", () => { this.choose(choice.value); this.stage.overlay.focus(); });
    const label = element("label", element("span", text("edit.point")), choice);
    this.said = element("p");
    this.said.setAttribute("role", "status");
    this.send = button(text("edit.recompute"), () => this.onRecompute(this.#draft.changes()));
    this.send.className = "primary";
    this.events = element("div");
    const about = element("p", text("edit.about"));
    about.className = "about";
    const tools = element(
      "div", label, button(text("edit.hide"), () => this.#hide()), button(text("edit.undo"), () => this.#undo()),
      button(text("edit.clear"), () => { this.#draft.clear(); this.#changed(); this.#lists(); }),
    );
    tools.className = "controls";
    this.panel.replaceChildren(about, tools, this.said, this.events, this.send);
    this.shown();
  }

  #say() {
    const point = this.#keypoints?.[this.point];
    const at = point?.x == null ? text("missing") : `${number(point.x)}, ${number(point.y)}`;
    const { size } = this.#draft;
    this.said.textContent = text("edit.said", { point: text(`point.${this.point}`), at, n: size });
    this.send.disabled = size === 0;
  }

  get #number() {
    return this.#clip.numbers[this.stage.frame];
  }

  #lists() {
    const { person } = this.stage;
    const rows = [
      ...this.#gait(person), ...this.#repetitions(person),
    ];
    const empty = element("p", text("edit.noevents"));
    empty.className = "about";
    this.events.replaceChildren(element("h4", text("edit.events")), ...(rows.length ? rows : [empty]));
  }

  /** Listener that changes events, and shows them. */
  #change(work) {
    return () => { work(); this.#say(); this.#lists(); };
  }

  #gait(person) {
    const here = this.#number;
    const rows = this.#draft.events(person).filter((event) => event.to !== null).sort((a, b) => a.to - b.to).map((event) => row(
      text("edit.event", { what: text(`edit.${event.kind}.${event.side}`), frame: event.to }),
      button(text("edit.go"), () => this.#go(event.to)),
      button(text("edit.here"), this.#change(() => { event.to = here; })),
      button(text("edit.remove"), this.#change(() => { event.to = null; })),
    ));
    if (!this.#draft.canAdd(person, "event")) return rows;
    const adds = ["contact", "toe_off"].flatMap((kind) => ["left", "right"].map((side) => button(
      text("edit.add", { what: text(`edit.${kind}.${side}`) }),
      this.#change(() => this.#draft.add(person, "event", { kind, side, to: here })),
    )));
    return [...rows, row("", ...adds)];
  }

  #repetitions(person) {
    const here = this.#number;
    const wide = (start, stop) => stop - start >= 2;
    const made = this.#draft.repetitions(person);
    const rows = made.filter((rep) => rep.to).sort((a, b) => a.to[0] - b.to[0]).map((rep, nth) => row(
      text("edit.repetition", { n: nth + 1, start: rep.to[0], stop: rep.to[1] }),
      button(text("edit.go"), () => this.#go(rep.to[0])),
      button(text("edit.begin"), this.#change(() => { rep.to = [here, rep.to[1]]; }), !wide(here, rep.to[1])),
      button(text("edit.end"), this.#change(() => { rep.to = [rep.to[0], here]; }), !wide(rep.to[0], here)),
      button(text("edit.remove"), this.#change(() => { rep.to = null; })),
    ));
    if (!this.#draft.canAdd(person, "repetition")) return rows;
    const start = this.#start;
    const add = start === null
      ? button(text("edit.add.begin"), this.#change(() => { this.#start = here; }))
      : button(text("edit.add.end", { start }), this.#change(() => {
        this.#start = null;
        this.#draft.add(person, "repetition", { to: [start, here] });
      }), !wide(start, here));
    return [...rows, row("", add)];
  }

  #go(frame) {
    const index = this.#clip.numbers.indexOf(frame);
    if (index >= 0) this.stage.seek(index);
  }
}

function row(label, ...buttons) {
  const made = element("div", element("span", label), ...buttons);
  // Rows have the same buttons: a reader of screens hears which event each is of.
  if (label) for (const part of buttons) part.setAttribute("aria-label", `${part.textContent}: ${label}`);
  made.className = "controls event";
  return made;
}
