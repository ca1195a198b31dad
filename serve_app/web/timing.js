/** Frames and times. `times` are seconds of each frame, ascending. */

const SLACK_S = 0.0005; // time stamps are rounded

/** Index of the frame that begins at or before `time`; the first one before all. */
export function frameAt(times, time) {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= time + SLACK_S) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Index of the frame whose time is nearest, for the exact time of a frame that was presented. */
export function nearestFrame(times, time) {
  const before = frameAt(times, time);
  const after = Math.min(before + 1, times.length - 1);
  return time - times[before] <= times[after] - time ? before : after;
}

/** A time within the display of frame `index`, away from both of its ends. */
export function seekTime(times, index) {
  const begin = times[index];
  const before = index > 0 ? begin - times[index - 1] : 1 / 30;
  const length = index + 1 < times.length ? times[index + 1] - begin : before;
  return begin + Math.max(0, length) / 2;
}
