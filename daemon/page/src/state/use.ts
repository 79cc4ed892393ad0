// Data of the daemon in components.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Refused } from "../api/client";

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
    const [{ data, error }, put] = useState<{ data: T | undefined; error: unknown }>({ data: undefined, error: undefined });
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
                put(({ data }) => ({ data: error instanceof Refused && error.problem.status === 404 ? undefined : data, error }));
            }
        }
    }, []);
    const set = useCallback((data: T) => {
        turn.current++;
        put({ data, error: undefined });
    }, []);
    useEffect(() => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        let gone = false;
        const round = async () => {
            clearTimeout(timer);
            if (!document.hidden) {
                await again();
            }
            if (every && !gone) {
                clearTimeout(timer);
                timer = setTimeout(round, every);
            }
        };
        const shown = () => void (document.hidden || round());
        put({ data: undefined, error: undefined });
        void round();
        if (every) {
            document.addEventListener("visibilitychange", shown);
        }
        return () => {
            gone = true;
            turn.current++;
            clearTimeout(timer);
            document.removeEventListener("visibilitychange", shown);
        };
    }, [every, ...keys]);
    return { data, error, again, set };
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
