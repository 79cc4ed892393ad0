// What concepts and their installs are called.
import type { ConceptView, InstallView } from "../../api/schema";
import { fill } from "../../format";
import { text } from "../../text";

/** The concepts of one name, newest first. */
export type Versions = [ConceptView, ...ConceptView[]];

/** Concepts by their names, as the newest of each stands in the list. */
export function byName(concepts: ConceptView[]): Versions[] {
    const groups = new Map<string, Versions>();
    for (const concept of concepts) {
        const group = groups.get(concept.name);
        if (group) {
            group.push(concept);
        } else {
            groups.set(concept.name, [concept]);
        }
    }
    return [...groups.values()];
}

/** `Kojii, version 2`. */
export function titleOf({ name, version }: ConceptView): string {
    return fill(text.concepts.nameVersion, { name, n: version });
}

/** Whether an install needs the user. */
export function needsLook({ state }: InstallView): boolean {
    return state === "unseen" || state === "changed" || state === "failed";
}

/** The hosts of installs in words, each once. */
export function hostsOf(installs: InstallView[]): string {
    return [...new Set(installs.map(({ kind }) => text.hosts[kind]))].join(", ");
}
