// Which picture is shown large.
import { signal } from "@preact/signals";

/** A picture of a data set, or none. */
export const opened = signal<{ dataset: string; name: string } | null>(null);

/** Shows it. */
export function open(dataset: string, name: string): void {
    opened.value = { dataset, name };
}
