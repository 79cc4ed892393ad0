// The arithmetic of the loss chart: smoothing, thinning out, scales and their marks.
import type { LossPoint } from "../../api/schema";

/** A range of steps or values. */
export type Range = readonly [number, number];

/** A running mean over some 1/30 of the points, not drawn towards where it began. */
export function smoothed(points: readonly LossPoint[]): LossPoint[] {
    const keep = 1 - 1 / Math.min(200, Math.max(4, points.length / 30));
    let sum = 0;
    let weight = 0;
    return points.map(({ step, value }) => {
        if (Number.isFinite(value)) {
            sum = keep * sum + (1 - keep) * value;
            weight = keep * weight + (1 - keep);
        }
        return { step, value: sum / weight };
    });
}

/** The place of the first point at or behind a step. */
export function placeOf(points: readonly LossPoint[], step: number): number {
    let [low, high] = [0, points.length];
    while (low < high) {
        const middle = (low + high) >> 1;
        if ((points[middle]?.step ?? Infinity) < step) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/** The point that is nearest to a step. */
export function nearest(points: readonly LossPoint[], step: number): LossPoint | undefined {
    const at = placeOf(points, step);
    const [before, behind] = [points[at - 1], points[at]];
    return !before || (behind && behind.step - step <= step - before.step) ? behind : before;
}

/** The points of a range and one at each side, thinned out to the lowest and the highest of each column. */
export function within(points: readonly LossPoint[], [from, to]: Range, columns: number): LossPoint[] {
    const part = points.slice(Math.max(0, placeOf(points, from) - 1), placeOf(points, to) + 1);
    if (part.length <= columns * 2) {
        return part;
    }
    const thin: LossPoint[] = [];
    for (let column = 0; column < columns; column++) {
        const some = part.slice(Math.floor((column * part.length) / columns), Math.floor(((column + 1) * part.length) / columns));
        const [first] = some;
        if (!first) {
            continue;
        }
        let [low, high] = [first, first];
        for (const point of some) {
            low = point.value < low.value ? point : low;
            high = point.value > high.value ? point : high;
        }
        thin.push(...(low.step < high.step ? [low, high] : low === high ? [low] : [high, low]));
    }
    return thin;
}

/** A scale from values to pixels. */
export function scaled([from, to]: Range, [first, last]: Range, log = false): (value: number) => number {
    const bend = log ? Math.log10 : (value: number) => value;
    const [low, high] = [bend(from), bend(to)];
    return (value) => first + ((bend(value) - low) / (high - low || 1)) * (last - first);
}

/** The values that a chart has to show: single peaks of the raw loss may be cut off. */
export function extent(raw: readonly LossPoint[], lines: readonly (readonly LossPoint[])[], log: boolean): Range {
    const good = (value: number) => Number.isFinite(value) && (!log || value > 0);
    const values = raw.map(({ value }) => value).filter(good).sort((a, b) => a - b);
    const share = (part: number) => values[Math.round(part * (values.length - 1))] ?? NaN;
    let [low, high] = [share(0.02), share(0.96)];
    for (const { value } of lines.flat()) {
        if (good(value)) {
            low = Number.isNaN(low) ? value : Math.min(low, value);
            high = Number.isNaN(high) ? value : Math.max(high, value);
        }
    }
    if (Number.isNaN(low)) {
        return log ? [0.01, 1] : [0, 1];
    }
    if (log) {
        return [low / 1.1, high * 1.1];
    }
    const air = (high - low) * 0.06 || high * 0.1 || 1;
    return [Math.max(0, low - air), high + air];
}

/** Round numbers within a range, some `count` of them. */
export function marks([from, to]: Range, count: number, whole = false): number[] {
    const raw = (to - from) / count;
    if (!(raw > 0)) {
        return [from];
    }
    const power = 10 ** Math.floor(Math.log10(raw));
    const unit = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= raw && !(whole && size % 1)) ?? raw;
    const size = whole ? Math.max(1, unit) : unit;
    const found: number[] = [];
    for (let n = Math.ceil(from / size); n * size <= to * (1 + 1e-9); n++) {
        found.push(n * size);
    }
    return found;
}

/** Marks of a logarithmic scale: 1, 2 and 5 of each power, or more where the range is small. */
export function logMarks([from, to]: Range, count: number): number[] {
    if (to / from < 4) {
        return marks([from, to], count);
    }
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power++) {
        found.push(...[1, 2, 5].map((factor) => factor * 10 ** power));
    }
    return found.filter((mark) => mark >= from && mark <= to);
}

/** The `d` of an SVG path through points; what is no number makes a gap. */
export function path(points: readonly LossPoint[], x: (step: number) => number, y: (value: number) => number): string {
    let pen = "M";
    let d = "";
    for (const { step, value } of points) {
        const height = y(value);
        if (Number.isFinite(height)) {
            d += `${pen}${x(step).toFixed(1)} ${height.toFixed(1)}`;
            pen = "L";
        } else {
            pen = "M";
        }
    }
    return d;
}
