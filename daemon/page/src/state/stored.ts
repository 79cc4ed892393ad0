// What this browser keeps between visits: nothing that is secret or that the daemon knows.
import { effect, signal, type Signal } from "@preact/signals";

/** A signal that survives reloads; unreadable values are as if there were none. */
export function stored<T>(name: string, initial: T): Signal<T> {
    const value = signal(kept(name, initial));
    let known = value.peek();
    effect(() => {
        if (value.value === known) {
            return;
        }
        known = value.value;
        try {
            localStorage.setItem(keyOf(name), JSON.stringify(known));
        } catch {
            // A full or forbidden store costs the memory alone.
        }
    });
    return value;
}

/** What there is once for each name, made when it is first asked for. */
export function onePerName<T>(make: (name: string) => T): (name: string) => T {
    const all = new Map<string, T>();
    return (name) => {
        const one = all.get(name) ?? make(name);
        all.set(name, one);
        return one;
    };
}

/** Forgets what is kept under a name. */
export function forget(name: string): void {
    try {
        localStorage.removeItem(keyOf(name));
    } catch {
        // Then nothing was kept either.
    }
}

/** What is kept under a name now, else `initial`. */
export function kept<T>(name: string, initial: T): T {
    try {
        const text = localStorage.getItem(keyOf(name));
        return text === null ? initial : (JSON.parse(text) as T);
    } catch {
        return initial;
    }
}

function keyOf(name: string): string {
    return `conceptd.${name}`;
}
