// All concepts and checkpoints, and the previews of concepts.
import { signal } from "@preact/signals";
import { ask, GET, PUT } from "./client";
import type { ConceptView, ModelView } from "./schema";

const AT_ONCE = 200;

/** Every concept, newest first. */
export async function allConcepts(): Promise<ConceptView[]> {
    return everyPage((query) => ask(GET("/v1/concepts", { params: { query } })));
}

/** Every checkpoint in the configured folders. */
export async function allModels(): Promise<ModelView[]> {
    return everyPage((query) => ask(GET("/v1/models", { params: { query } })));
}

async function everyPage<T>(page: (query: { limit: number; after?: string }) => Promise<{ items: T[]; next?: string | null }>): Promise<T[]> {
    const items: T[] = [];
    let after: string | null | undefined;
    do {
        const { items: more, next } = await page({ limit: AT_ONCE, ...(after ? { after } : {}) });
        items.push(...more);
        after = next;
    } while (after);
    return items;
}

/** How often each preview was changed here: its address stays the same, so that a browser would show the old one. */
const changes = signal<Record<string, number>>({});

/** Whether a concept's preview was changed by this tab, and how often. */
export function previewChanges(id: string): number {
    return changes.value[id] ?? 0;
}

/** Where the preview of a concept is. */
export function previewUrl(id: string): string {
    const changed = previewChanges(id);
    return `/v1/concepts/${encodeURIComponent(id)}/preview${changed ? `?change=${changed}` : ""}`;
}

/** Takes a created picture as the preview of a concept. */
export async function choosePreview(id: string, creation: string, picture: number): Promise<void> {
    await ask(PUT("/v1/concepts/{id}/preview", { params: { path: { id } }, body: { creation, picture } }));
    changes.value = { ...changes.value, [id]: previewChanges(id) + 1 };
}
