// What the states of a job mean.
import type { JobState } from "./schema";

/** Whether nothing will happen any more. */
export function isOver(state: JobState): boolean {
    return state === "done" || state === "failed" || state === "cancelled";
}
