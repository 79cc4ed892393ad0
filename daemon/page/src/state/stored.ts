// What this browser keeps between visits: nothing that is secret or that the daemon knows.
import { effect, signal, type Signal } from "@preact/signals";

/** A signal that survives reloads; unreadable values are as if there were none. */
export function stored<T>(name: string, initial: T): Signal<T> {
    const key = `conceptd.${name}`;
    const value = signal(read(key, initial));
    effect(() => {
        try {
            localStorage.setItem(key, JSON.stringify(value.value));
        } catch {
            // A full or forbidden store costs the memory alone.
        }
    });
    return value;
}

function read<T>(key: string, initial: T): T {
    try {
        const text = localStorage.getItem(key);
        return text === null ? initial : (JSON.parse(text) as T);
    } catch {
        return initial;
    }
}
