// What this browser keeps for each concept: what was typed, and which tables were drawn.
import type { Signal } from "@preact/signals";
import { stored } from "../../state/stored";

const signals = new Map<string, Signal<unknown>>();

/** One signal for each name, however often it is asked for. */
export function kept<T>(name: string, initial: T): Signal<T> {
    let signal = signals.get(name) as Signal<T> | undefined;
    if (!signal) {
        signal = stored<T>(`concepts.${name}`, initial);
        signals.set(name, signal as Signal<unknown>);
    }
    return signal;
}
