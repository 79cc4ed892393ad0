// What a user has filled in for a data set but not started yet; kept by this browser, so that a reload loses nothing.
import type { Signal } from "@preact/signals";
import type { Courtesy, Mode, Parameters, TrainRequest } from "../../api/schema";
import { forget, kept, onePerName, stored } from "../../state/stored";

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
    /** What the pictures were last examined for without being asked, so that it happens once. */
    examined?: Mode;
}

const empty: Draft = { name: "", mode: null, base: "", parameters: {}, install: null, courtesy: null, continueFrom: null };

/** The draft of a data set. */
export const draftOf = onePerName((dataset) => stored<Draft>(`draft.${dataset}`, empty));

/** Changes a part of it. */
export function change(draft: Signal<Draft>, part: Partial<Draft>): void {
    draft.value = { ...draft.value, ...part };
}

/** The name in a draft, if there is one, also where another tab gave it; unlike {@link draftOf} it begins none. */
export function nameIn(dataset: string): string {
    return kept<Partial<Draft>>(`draft.${dataset}`, {}).name?.trim() ?? "";
}

/** Takes what was filled in along to another data set. */
export function moveDraft(from: string, to: string): void {
    const { examined: _, ...draft } = draftOf(from).value;
    draftOf(to).value = draft;
}

/** Nothing that this browser keeps is needed once a data set is deleted. */
export function forgetDraft(dataset: string): void {
    for (const what of ["draft", "describe", "undo", "unsaved"]) {
        forget(`${what}.${dataset}`);
    }
}

/** What an earlier training was asked for, as a draft. */
export function draftFrom(request: TrainRequest): Draft {
    const { name, mode, base, parameters, install, courtesy, continue_from } = request;
    return { name, mode, base, parameters, install: install.includes("all") ? null : install, courtesy, continueFrom: continue_from };
}
