// The creations of the daemon as far as they were looked at, and making more.
import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, GET, isGone, POST, Unreachable } from "../../api/client";
import { isOver } from "../../api/jobs";
import type { CreationRequest, CreationView, JobView } from "../../api/schema";
import { useEvery } from "../../state/use";
import { anySeed } from "./draft";
import { inBase64, keepFor, type Start } from "./start";

const shelf = signal<ReadonlyMap<string, CreationView>>(new Map());

/** The creations that are known, newest first. */
export const creations = computed(() => [...shelf.value.values()].sort((a, b) => b.created_at_ms - a.created_at_ms || (a.id < b.id ? 1 : -1)));

/** Whether the daemon has older ones; undefined until the first page is there. */
export const older = signal<boolean | undefined>(undefined);

/** Why the newest page is not there. */
export const trouble = signal<unknown>(undefined);

/** The training that has the device while a creation waits. */
export const training = signal<JobView | undefined>(undefined);

/** Those of which more is to come. */
export const active = computed(() => creations.value.filter(({ state }) => !isOver(state)));

/** A creation that is known. */
export function known(id: string): CreationView | undefined {
    return shelf.value.get(id);
}

/** Puts in what the daemon answered. */
export function put(...answered: CreationView[]): void {
    const next = new Map(shelf.value);
    let changed = false;
    for (const creation of answered) {
        const before = next.get(creation.id);
        if (!before || before.state !== creation.state || before.pictures.length !== creation.pictures.length) {
            next.set(creation.id, creation);
            changed = true;
        }
    }
    if (changed) {
        shelf.value = next;
    }
}

/** Takes out what is deleted. */
export function drop(id: string): void {
    const next = new Map(shelf.value);
    if (next.delete(id)) {
        shelf.value = next;
    }
}

const PAGE = 24;
const page = (query: { limit: number; after?: string }) => ask(GET("/v1/creations", { params: { query } }));

/** Reads the newest page, and what is under way beyond it. */
export async function refresh(): Promise<void> {
    try {
        const before = creations.value;
        const { items, next } = await page({ limit: PAGE });
        const ids = new Set(items.map(({ id }) => id));
        const last = items.at(-1);
        if (older.value !== undefined && next && !items.some(({ id }) => shelf.value.has(id))) {
            // So many are new that there may be some between these and those that were known.
            shelf.value = new Map();
        }
        // What should be among these and is not was deleted elsewhere.
        for (const { id, created_at_ms: at } of before) {
            if (!ids.has(id) && (!next || (last && at > last.created_at_ms))) {
                drop(id);
            }
        }
        if (older.value === undefined || !next || shelf.value.size === 0) {
            older.value = Boolean(next);
        }
        put(...items);
        await Promise.all(active.value.filter(({ id }) => !ids.has(id)).map(({ id }) => renew(id)));
        training.value = active.value.some(({ state }) => state === "queued") ? await busy() : undefined;
        trouble.value = undefined;
    } catch (error) {
        trouble.value = error;
    }
}

/** Reads one, which may be older than all that were looked at: it is not put among them, since those between are not known. */
export function one(id: string): Promise<CreationView> {
    return ask(GET("/v1/creations/{id}", { params: { path: { id } } }));
}

async function renew(id: string): Promise<void> {
    try {
        put(await one(id));
    } catch (error) {
        if (!isGone(error)) {
            throw error;
        }
        drop(id);
    }
}

async function busy(): Promise<JobView | undefined> {
    const { items } = await ask(GET("/v1/jobs", { params: { query: { limit: 50 } } }));
    return items.find(({ state }) => state === "running" || state === "cancelling");
}

/** Reads older ones. */
export async function more(limit = PAGE): Promise<void> {
    const last = creations.value.at(-1);
    const { items, next } = await page(last ? { limit, after: last.id } : { limit });
    put(...items);
    older.value = Boolean(next);
}

// What is under way is looked at soon.
const pace = computed(() => (active.value.length ? 1000 : 8000));

/** Keeps the creations fresh while a view shows them. */
export function useCreations(): void {
    useEffect(() => void refresh(), []);
    useEvery(refresh, pace.value);
}

/** What was sent while the daemon was away and may have arrived: the same again goes under the same key. */
let unsure: { same: string; key: string; request: CreationRequest } | undefined;

/** Asks for pictures; without a seed, one is chosen, once for what is sent again because no answer came. */
export async function make(form: Omit<CreationRequest, "seed">, seed: number | null, start: Start | null): Promise<CreationView> {
    const same = JSON.stringify([{ ...form, seed }, start?.id]);
    const { key, request } = unsure?.same === same ? unsure : { key: `page-${Date.now()}-${Math.random().toString(36).slice(2)}`, request: { ...form, seed: seed ?? anySeed() } };
    unsure = { same, key, request };
    const body = start ? { ...request, init_image: await inBase64(start.blob) } : request;
    try {
        const creation = await ask(POST("/v1/creations", { body, params: { header: { "Idempotency-Key": key } } }));
        unsure = undefined;
        put(creation);
        if (start) {
            void keepFor(creation.id, start);
        }
        return creation;
    } catch (error) {
        if (!(error instanceof Unreachable)) {
            unsure = undefined;
        }
        throw error;
    }
}
