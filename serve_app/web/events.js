/** Server-sent events from pieces of text, which may end anywhere. */
export class EventParser {
  #rest = "";
  #event = { kind: "message", id: "", data: [] };

  /** Return the events that `piece` completes, each `{kind, id, data}`. */
  push(piece) {
    this.#rest += piece;
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line) {
    if (line === "") {
      const { kind, id, data } = this.#event;
      this.#event = { kind: "message", id, data: [] };
      return data.length ? [{ kind, id, data: data.join("\n") }] : [];
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") this.#event.kind = value;
    if (field === "id") this.#event.id = value;
    if (field === "data") this.#event.data.push(value);
    return [];
  }
}
