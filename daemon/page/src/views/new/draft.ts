// What a user has filled in for a data set but not started yet; kept by this browser, so that a reload loses nothing.
import type { Signal } from "@preact/signals";
import type { Courtesy, Mode, Parameters } from "../../api/schema";
import { stored } from "../../state/stored";

/** A training that is still being filled in. */
export interface Draft {
    name: string;
    mode: Mode | null;
    /** A checkpoint's name; empty until one is chosen. */
    base: string;
    /** Only what differs from the defaults. */
    parameters: Parameters;
    /** Ids of hosts; null until the user chose, for all that are known. */
    install: string[] | null;
    /** Null for the daemon's own setting. */
    courtesy: Courtesy | null;
    /** Begin with the weights of this concept. */
    continueFrom: string | null;
}

const drafts = new Map<string, Signal<Draft>>();

/** The draft of a data set. */
export function draftOf(dataset: string): Signal<Draft> {
    let draft = drafts.get(dataset);
    if (!draft) {
        draft = stored<Draft>(`draft.${dataset}`, { name: "", mode: null, base: "", parameters: {}, install: null, courtesy: null, continueFrom: null });
        drafts.set(dataset, draft);
    }
    return draft;
}

/** Changes a part of it. */
export function change(draft: Signal<Draft>, part: Partial<Draft>): void {
    draft.value = { ...draft.value, ...part };
}
