// The captions of a data set while they are edited: what is typed, what the daemon has, and how the one becomes the other.
import { batch, computed, signal, type Signal } from "@preact/signals";
import { ask, GET, PUT, Refused, Unreachable } from "../../api/client";
import type { CaptionView, CaptionViews, SharedPhrase } from "../../api/schema";
import { onePerName, stored } from "../../state/stored";
import { tidy } from "./words";

/** How a caption stands between this page and the daemon. */
export type SaveState = "still" | "waiting" | "saving" | "saved" | "failed";

/** A picture's caption. */
export interface Entry {
    readonly picture: string;
    /** What stands in its editor. */
    readonly typed: Signal<string>;
    /** What the daemon has. */
    readonly view: Signal<CaptionView>;
    readonly state: Signal<SaveState>;
    /** Whether it is selected. */
    readonly chosen: Signal<boolean>;
    /** What the daemon refused, which is not sent again. */
    refused?: string | undefined;
}

/** A change of many captions that can be taken back, by picture. */
export type Undo = Record<string, { before: string; after: string }>;

const PAUSE_MS = 800;
const SETTLE_MS = 250;
const RETRY_MS = 5000;
/** Browsers let no more than 64 KiB outlive a page. */
const KEPT_ALIVE = 20_000;

/** The captions of one data set; it outlives the view, so that coming back finds everything as it was. */
export class Book {
    readonly entries = signal<ReadonlyMap<string, Entry>>(new Map());
    readonly shared = signal<SharedPhrase[]>([]);
    readonly loaded = signal(false);
    /** Why captions could not be read, or written. */
    readonly trouble = signal<unknown>(undefined);
    /** Counts changes that did not come from typing: then rows are sorted out anew. */
    readonly turns = signal(0);
    /** Follows every change after a moment, for what looks at all captions and would be slow at every key press. */
    readonly settled = signal(0);
    /** The last change of many; it survives a reload. */
    readonly undo: Signal<Undo | null>;
    private readonly dirty = signal<ReadonlySet<Entry>>(new Set());
    /** How many captions are not with the daemon. */
    readonly unsaved = computed(() => this.dirty.value.size);
    /** Called when captions were changed. */
    changed: () => void = () => {};

    private readonly kept: Signal<Record<string, string>>;
    private timer: ReturnType<typeof setTimeout> | undefined;
    private settling: ReturnType<typeof setTimeout> | undefined;
    private sending: Promise<void> | undefined;
    private writes = 0;

    constructor(readonly dataset: string) {
        this.kept = stored<Record<string, string>>(`unsaved.${dataset}`, {});
        this.undo = stored<Undo | null>(`undo.${dataset}`, null);
    }

    /** Reads what the daemon has; what is being typed stays. */
    async load(): Promise<void> {
        const writes = this.writes;
        try {
            const views = await ask(GET("/v1/datasets/{id}/describe", this.path()));
            if (writes !== this.writes || this.sending) {
                // It may be older than what was saved meanwhile.
                await this.sending;
                return await this.load();
            }
            this.take(views);
            this.trouble.value = undefined;
        } catch (error) {
            this.trouble.value = error;
            if (error instanceof Unreachable && !this.loaded.peek()) {
                setTimeout(() => void this.load(), RETRY_MS);
            }
        }
    }

    private take({ items, shared }: CaptionViews): void {
        const before = this.entries.peek();
        const entries = new Map<string, Entry>();
        for (const view of items) {
            const entry = before.get(view.picture) ?? this.begin(view);
            const clean = !this.dirty.peek().has(entry);
            entry.view.value = view;
            entries.set(view.picture, entry);
            if (clean && tidy(entry.typed.peek()) !== (view.text ?? "")) {
                entry.typed.value = view.text ?? "";
            }
        }
        this.entries.value = entries;
        this.shared.value = shared;
        this.loaded.value = true;
        this.turns.value++;
        this.settled.value++;
        // What an earlier visit could not save.
        const kept = new Map<Entry, string>();
        for (const [picture, text] of Object.entries(this.kept.peek())) {
            const entry = entries.get(picture);
            if (entry && !before.has(picture)) {
                kept.set(entry, text);
            }
        }
        if (kept.size > 0) {
            this.put(kept);
            this.later(PAUSE_MS);
        }
    }

    private begin(view: CaptionView): Entry {
        return { picture: view.picture, typed: signal(view.text ?? ""), view: signal(view), state: signal<SaveState>("still"), chosen: signal(false) };
    }

    /** Takes what was typed; it is saved after a pause. */
    edit(entry: Entry, text: string): void {
        this.put([[entry, text]]);
        this.later(PAUSE_MS);
    }

    /** Changes many captions, at once saved and for once revocable; `was` says what to go back to where that is not what stands there. */
    apply(changes: ReadonlyMap<Entry, string>, was?: ReadonlyMap<Entry, string>): void {
        const undo: Undo = {};
        for (const [entry, after] of changes) {
            undo[entry.picture] = { before: was?.get(entry) ?? entry.typed.peek(), after };
        }
        this.put(changes);
        this.undo.value = undo;
        this.turns.value++;
        void this.flush();
    }

    /** Takes the last change of many back; answers how many were edited since and stay. */
    takeBack(): number {
        let stay = 0;
        const back = new Map<Entry, string>();
        for (const [picture, { before, after }] of Object.entries(this.undo.peek() ?? {})) {
            const entry = this.entries.peek().get(picture);
            if (entry && tidy(entry.typed.peek()) === tidy(after)) {
                back.set(entry, before);
            } else if (entry) {
                stay++;
            }
        }
        this.put(back);
        this.undo.value = null;
        this.turns.value++;
        void this.flush();
        return stay;
    }

    private put(changes: Iterable<readonly [Entry, string]>): void {
        batch(() => {
            const entries = [...changes].map(([entry, text]) => {
                entry.typed.value = text;
                return entry;
            });
            this.mark(entries);
        });
        this.settling ??= setTimeout(() => {
            this.settling = undefined;
            this.settled.value++;
        }, SETTLE_MS);
    }

    /** Notes which of some differ from what the daemon has, and keeps those in this browser. */
    private mark(entries: Iterable<Entry>): void {
        const dirty = new Set(this.dirty.peek());
        for (const entry of entries) {
            if (tidy(entry.typed.peek()) !== (entry.view.peek().text ?? "")) {
                dirty.add(entry);
                entry.state.value = "waiting";
            } else {
                dirty.delete(entry);
                if (entry.state.peek() !== "still") {
                    entry.state.value = "saved";
                }
            }
        }
        this.dirty.value = dirty;
        this.kept.value = Object.fromEntries([...dirty].map((entry) => [entry.picture, entry.typed.peek()]));
    }

    private later(ms: number): void {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => void this.flush(), ms);
    }

    /** Saves what is not saved, all of it in one request; `leaving` lets it outlive the page. */
    async flush(leaving = false): Promise<void> {
        clearTimeout(this.timer);
        while (this.sending && !leaving) {
            await this.sending;
        }
        const sent = new Map<Entry, string>();
        for (const entry of this.dirty.peek()) {
            const text = tidy(entry.typed.peek());
            if (text !== entry.refused) {
                sent.set(entry, text);
            }
        }
        if (sent.size === 0) {
            return;
        }
        const sending = this.send(sent, leaving);
        this.sending = sending;
        await sending;
        if (this.sending === sending) {
            this.sending = undefined;
        }
        if ([...this.dirty.peek()].some((entry) => entry.state.peek() === "waiting")) {
            this.later(PAUSE_MS);
        }
    }

    private async send(sent: ReadonlyMap<Entry, string>, keepalive: boolean): Promise<void> {
        batch(() => sent.forEach((_, entry) => (entry.state.value = "saving")));
        try {
            const captions = Object.fromEntries([...sent].map(([entry, text]) => [entry.picture, text || null]));
            await ask(PUT("/v1/datasets/{id}/captions", { ...this.path(), body: { captions }, keepalive: keepalive && JSON.stringify(captions).length < KEPT_ALIVE }));
            batch(() => {
                for (const [entry, text] of sent) {
                    entry.view.value = { ...entry.view.peek(), text: text || null, origin: "edited" };
                    entry.refused = undefined;
                    entry.state.value = "saved";
                }
                this.mark(sent.keys());
            });
            this.trouble.value = undefined;
            this.changed();
        } catch (error) {
            this.failed(error, sent);
        } finally {
            this.writes++;
        }
    }

    private failed(error: unknown, sent: ReadonlyMap<Entry, string>): void {
        const field = error instanceof Refused ? error.problem.field : undefined;
        const culprit = [...sent.keys()].find((entry) => field === `captions.${entry.picture}`);
        for (const [entry, text] of sent) {
            // One that cannot be saved does not keep the others from it.
            const alone = culprit !== undefined && entry !== culprit;
            entry.state.value = alone ? "waiting" : "failed";
            entry.refused = entry === culprit ? text : undefined;
        }
        this.trouble.value = error;
        if (error instanceof Unreachable || (error instanceof Refused && error.problem.status >= 500)) {
            this.later(RETRY_MS);
        }
    }

    private path() {
        return { params: { path: { id: this.dataset } } };
    }
}

/** The captions of a data set. */
export const bookOf = onePerName((dataset) => new Book(dataset));
