// What the gallery and a concept's page ask of the whole library.
import { ask, GET } from "../../api/client";
import type { ConceptView, InstallView, ModelView } from "../../api/schema";
import { fill } from "../../format";
import { text } from "../../text";

const AT_ONCE = 200;

/** Every concept, newest first. */
export async function allConcepts(): Promise<ConceptView[]> {
    return everyPage((after) => ask(GET("/v1/concepts", { params: { query: { limit: AT_ONCE, ...after } } })));
}

/** Every checkpoint in the configured folders. */
export async function allModels(): Promise<ModelView[]> {
    return everyPage((after) => ask(GET("/v1/models", { params: { query: { limit: AT_ONCE, ...after } } })));
}

async function everyPage<T>(page: (after: { after?: string }) => Promise<{ items: T[]; next?: string | null }>): Promise<T[]> {
    const items: T[] = [];
    let after = {};
    for (;;) {
        const { items: more, next } = await page(after);
        items.push(...more);
        if (!next) {
            return items;
        }
        after = { after: next };
    }
}

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
    return [...new Set(installs.map(({ kind }) => text.concepts.hosts[kind]))].join(", ");
}
