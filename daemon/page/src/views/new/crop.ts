// Which part of a picture is learnt: what the daemon's `dataset::fit` cuts out.
import type { Crop, PictureMeasures, PictureView } from "../../api/schema";

/** A part of a picture; all from 0 to 1 of its sides. */
export interface Part {
    left: number;
    top: number;
    width: number;
    height: number;
}

type Sides = Pick<PictureView, "width" | "height">;

/** The part that is learnt; null where it is the whole. */
export function cropOf(picture: PictureView, crop: Crop, measures: PictureMeasures | undefined): Part | null {
    if (crop === "bucket" || picture.width === picture.height) {
        return null;
    }
    if (picture.focus) {
        return around(picture, picture.focus[axisOf(picture) === "across" ? 0 : 1] ?? 0.5);
    }
    const subject = crop === "center" ? null : measures?.subject;
    const [left = 0, top = 0, right = 1, bottom = 1] = subject ?? [];
    return axisOf(picture) === "across" ? around(picture, middle(lengthOf(picture), left, right)) : around(picture, middle(lengthOf(picture), top, bottom));
}

/** Along which side the square can be moved. */
export function axisOf({ width, height }: Sides): "across" | "down" {
    return width > height ? "across" : "down";
}

/** The square's part of the longer side. */
export function lengthOf({ width, height }: Sides): number {
    return Math.min(width, height) / Math.max(width, height, 1);
}

/** Where the middle of a part is along the side on which it can be moved. */
export function middleOf(picture: Sides, part: Part): number {
    return axisOf(picture) === "across" ? part.left + part.width / 2 : part.top + part.height / 2;
}

/** The square whose middle is there, or as near as it stays inside. */
export function around(picture: Sides, at: number): Part {
    const length = lengthOf(picture);
    const start = clamp(at - length / 2, 0, 1 - length);
    return axisOf(picture) === "across" ? { left: start, top: 0, width: length, height: 1 } : { left: 0, top: start, width: 1, height: length };
}

/** What is kept of a user's wish. */
export function focusAt(picture: Sides, at: number): [number, number] {
    const kept = Math.round(at * 1000) / 1000;
    return axisOf(picture) === "across" ? [kept, 0.5] : [0.5, kept];
}

/** From the middle of the picture just so far that `from..to` is inside; of what does not fit, the middle. */
function middle(length: number, from: number, to: number): number {
    const [least, most] = [to - length / 2, from + length / 2];
    return least <= most ? clamp(0.5, least, most) : (from + to) / 2;
}

function clamp(value: number, least: number, most: number): number {
    return Math.min(most, Math.max(least, value));
}
