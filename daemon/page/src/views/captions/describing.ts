// Letting a captioner describe pictures, also those whose captions a user took away.
import { signal, type Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, GET, POST, Refused, Unreachable } from "../../api/client";
import type { CaptionRequest } from "../../api/schema";
import { toastError } from "../../parts/notice";
import { onePerName } from "../../state/stored";
import { useAction } from "../../state/use";
import type { Book, Entry } from "./book";
import { tidy } from "./words";

const ROUND_MS = 1000;
/** How often an examination that was quicker is waited for. */
const TURNS = 3;

/** What came of it. */
export interface Outcome {
    described: number;
    notes: string[];
}

/** What is remembered of a data set's captioning for as long as the page is open. */
interface Going {
    /** Pictures to be looked at, where this page asked. */
    of: Signal<number | null>;
    /** Pictures that were looked at; null while nobody is at it. */
    looked: Signal<number | null>;
    outcome: Signal<Outcome | null>;
}

const goingOf = onePerName((): Going => ({ of: signal(null), looked: signal(null), outcome: signal(null) }));

/** Captioning of a data set: whether it goes on, whoever asked for it, and how to ask. */
export function useDescribing(book: Book) {
    const { of, looked, outcome } = goingOf(book.dataset);
    const path = { params: { path: { id: book.dataset } } };
    const asking = of.value !== null;

    useEffect(() => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        let gone = false;
        const round = async () => {
            clearTimeout(timer);
            const before = looked.peek();
            const view = await ask(GET("/v1/datasets/{id}", path)).catch(() => undefined);
            if (gone) {
                return;
            }
            if (view) {
                looked.value = view.looked_at ?? null;
            }
            if (asking || looked.peek() !== null) {
                timer = setTimeout(round, ROUND_MS);
            } else if (before !== null) {
                // Somebody else's is over: asked by another tab, or before a reload.
                await book.load();
                book.changed();
            }
        };
        const shown = () => void (document.hidden || round());
        document.addEventListener("visibilitychange", shown);
        void round();
        return () => {
            gone = true;
            clearTimeout(timer);
            document.removeEventListener("visibilitychange", shown);
        };
    }, [book, asking]);

    const action = useAction(async (request: CaptionRequest, asked: Entry[], replace: boolean) => {
        of.value = asked.length;
        outcome.value = null;
        try {
            outcome.value = await describe(book, request, asked, replace);
        } finally {
            of.value = null;
        }
    });
    const stop = async () => {
        try {
            await ask(POST("/v1/datasets/{id}/cancel", path));
        } catch (error) {
            toastError(error);
        }
    };
    return { ...action, looked: looked.value ?? 0, of: of.value, going: asking || looked.value !== null, outcome: outcome.value, stop };
}

/** Asks, and puts the captioner's words where a user's empty caption would hide them. */
async function describe(book: Book, request: CaptionRequest, asked: Entry[], replace: boolean): Promise<Outcome> {
    const before = new Map(asked.map((entry) => [entry, tidy(entry.typed.peek())]));
    const own = asked.filter((entry) => replace && before.get(entry) && entry.view.peek().origin !== "model");
    if (own.length > 0) {
        book.apply(new Map(own.map((entry) => [entry, ""])));
    }
    await book.flush();
    // None until the captioner is done.
    let notes: string[] | undefined;
    try {
        notes = await post(book.dataset, request);
    } finally {
        await book.load();
        const put = new Map<Entry, string>();
        for (const [entry, caption] of before) {
            const { described, origin } = entry.view.peek();
            // Where nothing came of it, there is what was there.
            const now = notes && described ? described.text : caption;
            if (now && origin === "edited" && !tidy(entry.typed.peek())) {
                put.set(entry, now);
            }
        }
        if (put.size > 0) {
            book.apply(put, before);
        }
        book.changed();
    }
    const described = asked.filter((entry) => entry.view.peek().described && tidy(entry.typed.peek()) === entry.view.peek().described?.text);
    return { described: described.length, notes: notes ?? [] };
}

/** Asks, and waits until it is done: behind an examination, and also where the browser does not wait so long. */
async function post(dataset: string, body: CaptionRequest): Promise<string[]> {
    const path = { params: { path: { id: dataset } } };
    for (let turn = 1; ; turn++) {
        try {
            return (await ask(POST("/v1/datasets/{id}/describe", { ...path, body }))).notes;
        } catch (error) {
            const busy = error instanceof Refused && error.problem.status === 409;
            if (!(error instanceof Unreachable) && (!busy || turn === TURNS)) {
                throw error;
            }
            await free(dataset);
            if (!busy) {
                return [];
            }
        }
    }
}

/** Waits until nobody looks at a data set. */
async function free(dataset: string): Promise<void> {
    for (;;) {
        await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
        try {
            const { looked_at: looked } = await ask(GET("/v1/datasets/{id}", { params: { path: { id: dataset } } }));
            if (looked === null) {
                return;
            }
        } catch (error) {
            if (!(error instanceof Unreachable)) {
                throw error;
            }
        }
    }
}
