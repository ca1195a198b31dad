/** Texts of the page in the reader's language. */
import * as de from "./strings.de.js";
import * as en from "./strings.en.js";

export const LANGUAGES = { en, de };

let language = "en";

/** Choose the first of the `wanted` languages that there is, else English. */
export function choose(wanted) {
  const codes = wanted.map((tag) => tag.toLowerCase().split("-")[0]);
  language = codes.find((code) => code in LANGUAGES) ?? "en";
  return language;
}

/** Text of `key`, with `{name}` filled in from `values`. */
export function text(key, values = {}) {
  const found = LANGUAGES[language].strings[key] ?? key;
  return found.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Write a number with `digits` decimals; the sign of something missing where there is none. */
export function number(value, digits = 0) {
  if (value === null || value === undefined || Number.isNaN(value)) return text("missing");
  const style = { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "negative" }; // no -0
  return new Intl.NumberFormat(language, style).format(value);
}

/** Say why a number is missing; a reason without a text is written as words. */
export function reason(code) {
  if (!code) return text("reason.unknown");
  const key = `reason.${code}`;
  return key in LANGUAGES[language].strings ? text(key) : words(code);
}

/** Write a name of the response as words. */
export function words(name) {
  return name.replaceAll("_", " ");
}

export function duration(seconds) {
  const minutes = seconds >= 90;
  const n = Math.max(1, Math.round(minutes ? seconds / 60 : seconds));
  return text(minutes ? "time.minutes" : "time.seconds", { n });
}

export function date(seconds) {
  const style = { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(language, style).format(new Date(1000 * seconds));
}

/** Fill the elements below `root` that name a text. */
export function translate(root) {
  root.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label));
    element.title = text(element.dataset.label);
  }
}
