// Which view is shown: the part of the address behind `#/`. The daemon serves one document, so nothing else changes.
import { computed, signal } from "@preact/signals";

const place = signal(location.hash);
addEventListener("hashchange", () => {
    place.value = location.hash;
});

/** The parts of the address, decoded: `#/concepts/concept-1` is `["concepts", "concept-1"]`. */
export const route = computed(() => {
    const [path = ""] = place.value.replace(/^#\/?/, "").split("?");
    return path.split("/").filter(Boolean).map(decodeURIComponent);
});

/** What stands behind `?` in the address, such as a prompt to begin with. */
export const query = computed(() => new URLSearchParams(place.value.split("?")[1] ?? ""));

/** The address of a view. */
export function to(parts: string[], query?: Record<string, string>): string {
    const path = parts.map(encodeURIComponent).join("/");
    return `#/${path}${query ? `?${new URLSearchParams(query)}` : ""}`;
}

/** Shows another view. */
export function go(parts: string[], query?: Record<string, string>): void {
    location.hash = to(parts, query);
}
