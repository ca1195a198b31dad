/** Place of a picture that is fitted into a box with its proportions kept, centered. */
export function fit(width, height, boxWidth, boxHeight) {
  const scale = Math.min(boxWidth / width, boxHeight / height);
  return { scale, x: (boxWidth - scale * width) / 2, y: (boxHeight - scale * height) / 2 };
}

/** Point of the box for a point of the picture. */
export function toBox(place, x, y) {
  return [place.x + place.scale * x, place.y + place.scale * y];
}

/** Point of the picture for a point of the box. */
export function toPicture(place, x, y) {
  return [(x - place.x) / place.scale, (y - place.y) / place.scale];
}
