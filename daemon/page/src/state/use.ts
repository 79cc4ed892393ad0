// Data of the daemon in components.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { isGone, reachable, Unreachable } from "../api/client";

/** What was asked for, as it stands. */
export interface Asked<T> {
    /** The last answer; kept while the daemon is away. */
    data: T | undefined;
    /** Why there is none, or none newer. */
    error: unknown;
    /** Asks again now. */
    again: () => Promise<void>;
    /** Puts in what another request answered. */
    set: (data: T) => void;
}

/**
 * Asks when a component appears and when `keys` change, and again `every` so many milliseconds while the tab is shown.
 * An answer that was overtaken by a newer question is dropped.
 */
export function useAsked<T>(question: () => Promise<T>, keys: unknown[], every?: number): Asked<T> {
    const [answer, put] = useState<{ data: T | undefined; error: unknown }>(NOTHING);
    const turn = useRef(0);
    const latest = useRef(question);
    latest.current = question;
    const again = useCallback(async () => {
        const mine = ++turn.current;
        try {
            const data = await latest.current();
            if (mine === turn.current) {
                put({ data, error: undefined });
            }
        } catch (error) {
            if (mine === turn.current) {
                put(({ data }) => ({ data: isGone(error) ? undefined : data, error }));
            }
        }
    }, []);
    const set = useCallback((data: T) => {
        turn.current++;
        put({ data, error: undefined });
    }, []);
    useEffect(() => {
        put(NOTHING);
        void again();
        return () => void turn.current++;
    }, keys);
    // Not before the first answer, which would be overtaken where the daemon is slow.
    useEvery(again, answer === NOTHING ? undefined : every);
    const missed = answer.error instanceof Unreachable;
    // What the daemon did not answer is asked again as soon as it answers anything.
    useEffect(() => (missed ? reachable.subscribe((now) => void (now && again())) : undefined), [missed, again]);
    return { ...answer, again, set };
}

const NOTHING = { data: undefined, error: undefined };

/**
 * Does something every so many milliseconds while the tab is shown, and once when it is shown again.
 * A hidden tab does it every `hidden` milliseconds, or not at all.
 */
export function useEvery(work: () => Promise<void>, every: number | undefined, hidden?: number): void {
    useEffect(() => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        let gone = !every;
        const next = () => {
            clearTimeout(timer);
            const wait = document.hidden ? hidden : every;
            if (wait && !gone) {
                timer = setTimeout(() => void work().finally(next), wait);
            }
        };
        const turned = () => (gone || document.hidden ? next() : void work().finally(next));
        next();
        document.addEventListener("visibilitychange", turned);
        return () => {
            gone = true;
            clearTimeout(timer);
            document.removeEventListener("visibilitychange", turned);
        };
    }, [work, every, hidden]);
}

/** A value that follows another after it has been quiet for `ms`. */
export function useQuiet<T>(value: T, ms: number): T {
    const [quiet, set] = useState(value);
    useEffect(() => {
        const timer = setTimeout(() => set(value), ms);
        return () => clearTimeout(timer);
    }, [value, ms]);
    return quiet;
}

/** How many of a long list are drawn: more in each turn, so that the page answers meanwhile. */
export function useGrowing(all: number): number {
    const [drawn, draw] = useState(EACH_TURN);
    useEffect(() => {
        if (drawn < all) {
            const timer = setTimeout(() => draw(drawn + EACH_TURN));
            return () => clearTimeout(timer);
        }
    }, [drawn, all]);
    return drawn;
}

const EACH_TURN = 150;

/** An action that is under way at most once, with whether it is and why it failed. */
export function useAction<A extends unknown[]>(work: (...of: A) => Promise<unknown>): {
    run: (...of: A) => Promise<boolean>;
    busy: boolean;
    error: unknown;
    clear: () => void;
} {
    const [{ busy, error }, put] = useState<{ busy: boolean; error: unknown }>({ busy: false, error: undefined });
    const running = useRef(false);
    const run = async (...of: A) => {
        if (running.current) {
            return false;
        }
        running.current = true;
        put({ busy: true, error: undefined });
        try {
            await work(...of);
            put({ busy: false, error: undefined });
            return true;
        } catch (error) {
            put({ busy: false, error });
            return false;
        } finally {
            running.current = false;
        }
    };
    return { run, busy, error, clear: () => put({ busy, error: undefined }) };
}
