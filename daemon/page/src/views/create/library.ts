// The concepts and checkpoints that pictures can be made with.
import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, GET } from "../../api/client";
import type { BaseFamily, ConceptView, ModelView } from "../../api/schema";
import { fill } from "../../format";
import { text } from "../../text";

/** Every concept, newest first; undefined until they are known. */
export const concepts = signal<ConceptView[] | undefined>(undefined);

/** Every checkpoint that can draw; undefined until they are known. */
export const models = signal<ModelView[] | undefined>(undefined);

/** Why they are not known. */
export const trouble = signal<unknown>(undefined);

/** Counts previews that were changed here, since their address stays the same. */
export const previews = signal(0);

/** Reads both again. */
export async function look(): Promise<void> {
    try {
        await Promise.all([
            all((query) => ask(GET("/v1/concepts", { params: { query } }))).then((known) => (concepts.value = known)),
            all((query) => ask(GET("/v1/models", { params: { query } }))).then((known) => (models.value = known.filter(({ family, problem }) => family && !problem))),
        ]);
        trouble.value = undefined;
    } catch (error) {
        trouble.value = error;
    }
}

/** Reads both when a view appears, and when the tab is looked at again: a training may have ended meanwhile. */
export function useLibrary(): void {
    useEffect(() => {
        const shown = () => void (document.hidden || look());
        shown();
        const timer = setInterval(shown, 20_000);
        document.addEventListener("visibilitychange", shown);
        return () => {
            clearInterval(timer);
            document.removeEventListener("visibilitychange", shown);
        };
    }, []);
}

async function all<T>(page: (query: { limit: number; after?: string }) => Promise<{ items: T[]; next?: string | null | undefined }>): Promise<T[]> {
    const found: T[] = [];
    let after: string | null | undefined;
    do {
        const { items, next } = await page(after ? { limit: 200, after } : { limit: 200 });
        found.push(...items);
        after = next;
    } while (after);
    return found;
}

const byId = computed(() => new Map(concepts.value?.map((concept) => [concept.id, concept])));
const byName = computed(() => {
    // Newest first, so that the first of a name is what the daemon means by it.
    const newest = new Map<string, ConceptView>();
    for (const concept of concepts.value ?? []) {
        if (!newest.has(concept.name)) {
            newest.set(concept.name, concept);
        }
    }
    return newest;
});
const shared = computed(() => {
    const seen = new Set<string>();
    return new Set(concepts.value?.filter(({ name }) => seen.size === seen.add(name).size).map(({ name }) => name));
});

/** A concept by its id, or by its name for the newest of that name. */
export function conceptOf(wanted: string): ConceptView | undefined {
    return byId.value.get(wanted) ?? byName.value.get(wanted);
}

/** A concept's name, with its version where several share the name. */
export function titleOf({ name, version }: ConceptView): string {
    return shared.value.has(name) ? fill(text.create.version, { name, version }) : name;
}

/** What an applied concept is called, also when it is gone. */
export function wordsFor(wanted: string): string {
    const concept = conceptOf(wanted);
    return concept ? titleOf(concept) : wanted.startsWith("concept-") ? text.create.gone : wanted;
}

/** Where a concept's preview is; null without one. */
export function previewOf({ id, preview }: ConceptView): string | null {
    return preview ? `/v1/concepts/${encodeURIComponent(id)}/preview${previews.value ? `?${previews.value}` : ""}` : null;
}

/** What people call a family. */
export function familyOf(family: BaseFamily | null | undefined): string {
    return family ? text.create.families[family] : "";
}
