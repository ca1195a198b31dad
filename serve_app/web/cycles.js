/** Cycles of a movement, strides or repetitions, as curves over their per cent. */

export const PERCENT = Array.from({ length: 101 }, (_, at) => at);
const MOST_UNKNOWN = 0.1;
const ROUNDING_S = 0.001;

/**
 * Return the cycles of one side, `{from, to}` in seconds: from contact to contact of that foot where
 * the person walks or runs, else from valley to valley of each repetition. Contacts of one foot
 * without one of the other between them are no stride, as a step was not seen; nor are contacts of
 * different bouts.
 */
export function cyclesOf(clip, id, side) {
  const summary = clip.summary(id);
  const contacts = (summary?.gait?.events ?? []).filter((event) => event.kind === "contact").sort((a, b) => a.t_s - b.t_s);
  const timeOf = (number) => clip.times[clip.numbers.indexOf(number)];
  const boutOf = ({ frame }) => {
    const time = timeOf(frame);
    return summary.gait.bouts.findIndex(({ t_start_s: from, t_end_s: to }) => from - ROUNDING_S <= time && time <= to + ROUNDING_S);
  };
  if (contacts.length) {
    return contacts.slice(2).flatMap((last, nth) => {
      const [first, other] = [contacts[nth], contacts[nth + 1]];
      return first.side === side && last.side === side && other.side !== side && boutOf(first) === boutOf(last) ? [{ from: first.t_s, to: last.t_s }] : [];
    });
  }
  return (summary?.reps ?? [])
    .map(({ frames: [first, , last] }) => ({ from: timeOf(first), to: timeOf(last) }))
    .filter(({ from, to }) => to > from);
}

/**
 * Return the value at each of {@link PERCENT} of a cycle, null where it is unknown; null for a cycle of
 * which more than a tenth is unknown.
 */
export function normalized(times, values, { from, to }) {
  let at = 0;
  const found = PERCENT.map((percent) => {
    const time = from + ((to - from) * percent) / 100;
    while (at + 2 < times.length && times[at + 1] < time) at += 1;
    const [before, after] = [values[at], values[at + 1]];
    if (before === null || after === null || before === undefined || after === undefined) return null;
    const share = (time - times[at]) / (times[at + 1] - times[at]);
    return share < -0.5 || share > 1.5 ? null : before + share * (after - before);
  });
  return found.filter((value) => value === null).length > MOST_UNKNOWN * found.length ? null : found;
}

/** Return the mean of curves and the ends of mean ± one standard deviation (n - 1), null below two. */
export function meanBand(curves) {
  const columns = PERCENT.map((at) => curves.map((curve) => curve[at]).filter((value) => value !== null));
  const mean = columns.map((column) => (column.length ? sum(column) / column.length : null));
  const band = columns.map((column, at) => {
    if (column.length < 2) return null;
    const sd = Math.sqrt(sum(column.map((value) => (value - mean[at]) ** 2)) / (column.length - 1));
    return [mean[at] - sd, mean[at] + sd];
  });
  return { mean, band };
}

/** Return the number of different cycles in lists of cycles: a repetition is one for both sides and all joints. */
export function countCycles(lists) {
  return new Set(lists.flat().map(({ from, to }) => `${from} ${to}`)).size;
}

/** Return the per cent of a time in the cycle that holds it; null outside of all. */
export function percentAt(cycles, time) {
  const cycle = cycles.find(({ from, to }) => from <= time && time < to);
  return cycle ? (100 * (time - cycle.from)) / (cycle.to - cycle.from) : null;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
