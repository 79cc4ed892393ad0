// Which view is shown: the part of the address behind `#/`. The daemon serves one document, so nothing else changes.
import { computed, signal } from "@preact/signals";

const place = signal(location.hash);
addEventListener("hashchange", () => {
    place.value = location.hash;
});

/** The parts of the address, decoded: `#/concepts/concept-1` is `["concepts", "concept-1"]`; without any, the first view's. */
export const route = computed(() => {
    const [path = ""] = place.value.replace(/^#\/?/, "").split("?");
    const parts = path.split("/").filter(Boolean).map(decoded);
    return parts.length ? parts : ["new"];
});

function decoded(part: string): string {
    try {
        return decodeURIComponent(part);
    } catch {
        // Somebody wrote it by hand.
        return part;
    }
}

/** What stands behind `?` in the address, such as a prompt to begin with. */
export const query = computed(() => new URLSearchParams(place.value.split("?")[1] ?? ""));

/** The address of a view. */
export function to(parts: string[], query?: Record<string, string>): string {
    const path = parts.map(encodeURIComponent).join("/");
    const behind = String(new URLSearchParams(query));
    return `#/${path}${behind && `?${behind}`}`;
}

/** Changes the address of what is shown; going back does not undo it. */
export function replace(parts: string[], query?: Record<string, string>): void {
    place.value = to(parts, query);
    history.replaceState(null, "", place.value);
}

/** Shows another view. */
export function go(parts: string[], query?: Record<string, string>): void {
    location.hash = to(parts, query);
}
