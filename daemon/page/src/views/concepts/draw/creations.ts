// The creations that tables show, as far as they are known.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, GET, isGone } from "../../../api/client";
import { isOver } from "../../../api/jobs";
import type { CreationView } from "../../../api/schema";

/** Each by its id; null for what was deleted. */
export const seen = signal<Record<string, CreationView | null>>({});

/** Keeps what an answer says. */
export function see(view: CreationView): void {
    seen.value = { ...seen.value, [view.id]: view };
}

/** Whether a creation is not known yet, or goes on. */
export function isOpen(view: CreationView | null | undefined): boolean {
    return view === undefined || (view !== null && !isOver(view.state));
}

const POLL_MS = 1200;
/** They are drawn in the order in which they were asked for, so that only the first of those that wait can change. */
const FIRST = 3;

/** Follows creations until all are over. */
export function useCreations(ids: string[]): void {
    const names = ids.join(" ");
    useEffect(() => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        let gone = false;
        const round = async () => {
            const known = seen.peek();
            const open = ids.filter((id) => isOpen(known[id]));
            if (!document.hidden) {
                const unknown = open.filter((id) => known[id] === undefined);
                const waiting = open.filter((id) => known[id]).sort((a, b) => (known[a]?.created_at_ms ?? 0) - (known[b]?.created_at_ms ?? 0));
                await Promise.all([...unknown, ...waiting.slice(0, FIRST)].map(look));
            }
            if (open.length && !gone) {
                timer = setTimeout(round, POLL_MS);
            }
        };
        void round();
        return () => {
            gone = true;
            clearTimeout(timer);
        };
    }, [names]);
}

async function look(id: string): Promise<void> {
    try {
        see(await ask(GET("/v1/creations/{id}", { params: { path: { id } } })));
    } catch (error) {
        if (isGone(error)) {
            seen.value = { ...seen.value, [id]: null };
        }
        // Anything else is asked again with the next round.
    }
}
