// Files that are chosen, and their way to the daemon. It goes on when another view is shown.
import { signal, type Signal } from "@preact/signals";
import { newKey } from "../../api/client";
import { formOf, upload, type Chosen } from "../../api/upload";
import type { DatasetView } from "../../api/schema";
import { onePerName } from "../../state/stored";

/** What is chosen for one place. */
export interface Sending {
    files: Signal<readonly Chosen[]>;
    /** The share that is sent; null while nothing is. */
    share: Signal<number | null>;
    /** Why the last attempt failed. */
    error: Signal<unknown>;
    add: (more: Chosen[]) => void;
    remove: (some: readonly Chosen[]) => void;
    /** Sends what is usable; undefined if that failed or was cancelled. */
    send: (url: string, usable: Chosen[]) => Promise<DatasetView | undefined>;
    cancel: () => void;
}

/** What is chosen for `place`: a data set's id, or `new`. */
export const sendingFor = onePerName((): Sending => {
    const files = signal<readonly Chosen[]>([]);
    const share = signal<number | null>(null);
    const error = signal<unknown>(undefined);
    let stop: AbortController | undefined;
    // The same files under the same key make one data set, however often they are sent.
    let key = newKey();
    const set = (now: readonly Chosen[]) => {
        files.value = now;
        error.value = undefined;
        key = newKey();
    };
    const remove = (some: readonly Chosen[]) => {
        const gone = new Set(some);
        set(files.value.filter((file) => !gone.has(file)));
    };
    return {
        files,
        share,
        error,
        add: (more) => set([...files.value, ...told(files.value, more)]),
        remove,
        cancel: () => stop?.abort(),
        async send(url, usable) {
            if (share.value !== null) {
                return undefined;
            }
            // What is added while these are sent stays.
            const before = files.value;
            stop = new AbortController();
            share.value = 0;
            error.value = undefined;
            addEventListener("beforeunload", warn);
            try {
                const made = await upload<DatasetView>(url, formOf(usable), (sent) => (share.value = sent), key, stop.signal);
                remove(before);
                return made;
            } catch (why) {
                error.value = why;
                return undefined;
            } finally {
                share.value = null;
                removeEventListener("beforeunload", warn);
            }
        },
    };
});

function warn(event: Event): void {
    event.preventDefault();
}

/** Without what is chosen already; other files of the same names get a folder of their own, so that captions stay beside pictures. */
function told(before: readonly Chosen[], more: Chosen[]): Chosen[] {
    const known = new Map(before.map((chosen) => [chosen.path.toLowerCase(), chosen.file]));
    const same = (a: File | undefined, b: File) => a?.size === b.size && a.lastModified === b.lastModified;
    const others = more.filter(({ file, path }) => !same(known.get(path.toLowerCase()), file));
    if (!others.some(({ path }) => known.has(path.toLowerCase()))) {
        return others;
    }
    let turn = 2;
    while (others.some(({ path }) => known.has(`${turn}/${path}`.toLowerCase()))) {
        turn++;
    }
    return others.map(({ file, path }) => ({ file, path: `${turn}/${path}` }));
}
