// The picture that the next ones start from. The daemon keeps no copy that could be fetched, so this browser keeps some.
import { signal } from "@preact/signals";
import { text } from "../../text";

/** A picture to start from. */
export interface Start {
    /** Tells it from others. */
    id: string;
    blob: Blob;
    /** Where it can be shown from. */
    url: string;
}

/** The picture of the form. */
export const start = signal<Start | null>(null);

const CACHE = "conceptd-start";
const FORM = "/page/start/form";
const KEPT = 30;

/** Longer sides only cost time: what is drawn is never larger. */
const LONGEST = 2048;
const TAKEN = ["image/png", "image/jpeg", "image/webp"];

/** Takes a picture, in a form that the daemon reads. */
export async function take(file: Blob): Promise<void> {
    show(await readable(file));
    await keep(FORM, start.value);
}

/** Takes a picture of the daemon. */
export async function takeFrom(url: string): Promise<void> {
    const answer = await fetch(url);
    if (!answer.ok) {
        throw new Error(text.create.start.gone);
    }
    await take(await answer.blob());
}

/** Starts from nothing. */
export function leaveOut(): void {
    show(null);
    void keep(FORM, null);
}

/** Takes back what a creation of this browser started from, or nothing. */
export async function takeBack(creation: string): Promise<void> {
    const blob = await keptFor(creation);
    if (blob) {
        await take(blob);
    } else {
        leaveOut();
    }
}

/** Shows again what the form held before a reload. */
export async function recall(): Promise<void> {
    const blob = start.value ? undefined : await kept(FORM);
    if (blob && !start.value) {
        show(blob);
    }
}

function show(blob: Blob | null): void {
    if (start.value) {
        URL.revokeObjectURL(start.value.url);
    }
    start.value = blob && { id: `${blob.size}-${Date.now()}`, blob, url: URL.createObjectURL(blob) };
}

async function readable(file: Blob): Promise<Blob> {
    const picture = await createImageBitmap(file).catch(() => {
        throw new Error(text.create.start.unreadable);
    });
    const scale = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
    if (scale === 1 && TAKEN.includes(file.type)) {
        return file;
    }
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(picture.width * scale);
    canvas.height = Math.round(picture.height * scale);
    canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    return new Promise((resolve, reject) => {
        canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error(text.create.start.unreadable))), "image/jpeg", 0.95);
    });
}

/** A picture's bytes as the daemon reads them. */
export function inBase64(blob: Blob): Promise<string> {
    return new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
        reader.onerror = () => reject(new Error(text.create.start.unreadable));
        reader.readAsDataURL(blob);
    });
}

/** Keeps what a creation started from, for "again". */
export function keepFor(creation: string, { blob }: { blob: Blob }): Promise<void> {
    return keep(addressFor(creation), { blob });
}

/** What a creation of this browser started from. */
export function keptFor(creation: string): Promise<Blob | undefined> {
    return kept(addressFor(creation));
}

const addressFor = (creation: string) => `/page/start/${encodeURIComponent(creation)}`;

// Pages that are not on this machine itself have no cache; they forget with the tab.
async function keep(address: string, what: { blob: Blob } | null): Promise<void> {
    try {
        const cache = await caches.open(CACHE);
        await cache.delete(address);
        if (what) {
            await cache.put(address, new Response(what.blob, { headers: { "content-type": what.blob.type } }));
        }
        const others = (await cache.keys()).filter(({ url }) => !url.endsWith(FORM));
        await Promise.all(others.slice(0, Math.max(0, others.length - KEPT)).map((old) => cache.delete(old)));
    } catch {
        // Nothing is lost but the comfort.
    }
}

async function kept(address: string): Promise<Blob | undefined> {
    try {
        return await (await (await caches.open(CACHE)).match(address))?.blob();
    } catch {
        return undefined;
    }
}
