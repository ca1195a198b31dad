/** Elements of the page. */

/** Make an element with content: texts and elements. */
export function element(name, ...content) {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}

/** Make a button that does `work`. */
export function button(label, work, disabled = false) {
  const made = element("button", label);
  made.type = "button";
  made.disabled = disabled;
  made.addEventListener("click", work);
  return made;
}
