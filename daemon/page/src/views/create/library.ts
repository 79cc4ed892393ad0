// The concepts and checkpoints that pictures can be made with.
import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { allConcepts, allModels, previewChanges, previewUrl } from "../../api/library";
import type { BaseFamily, ConceptView, ModelView } from "../../api/schema";
import { fill } from "../../format";
import { useEvery } from "../../state/use";
import { text } from "../../text";

/** Every concept, newest first; undefined until they are known. */
export const concepts = signal<ConceptView[] | undefined>(undefined);

/** Every checkpoint that can draw; undefined until they are known. */
export const models = signal<ModelView[] | undefined>(undefined);

/** Why they are not known. */
export const trouble = signal<unknown>(undefined);

/** Reads both again. */
export async function look(): Promise<void> {
    try {
        await Promise.all([
            allConcepts().then((known) => (concepts.value = known)),
            allModels().then((known) => (models.value = known.filter(({ family, problem }) => family && !problem))),
        ]);
        trouble.value = undefined;
    } catch (error) {
        trouble.value = error;
    }
}

/** Reads both when a view appears, and now and then: a training may end meanwhile. */
export function useLibrary(): void {
    useEffect(() => void look(), []);
    useEvery(look, 20_000);
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
    return preview || previewChanges(id) ? previewUrl(id) : null;
}

/** What people call a family. */
export function familyOf(family: BaseFamily | null | undefined): string {
    return family ? text.families[family] : "";
}
