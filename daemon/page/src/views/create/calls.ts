// Which concepts a prompt calls, and which one is being typed.
import type { ConceptView } from "../../api/schema";

/** What is being typed where the caret is. */
export interface Typing {
    /** Where it begins; it ends at the caret. */
    from: number;
    /** Concepts that it may become, best first. */
    offers: ConceptView[];
}

const MOST_OFFERS = 7;
const WORD = /[\p{L}\p{N}_]/u;

/** What may be meant before the caret: what follows `<`, or the beginning of a name. */
export function typingAt(prompt: string, caret: number, concepts: ConceptView[], applied: ConceptView[]): Typing | undefined {
    const before = prompt.slice(Math.max(0, caret - 101), caret).toLowerCase();
    const after = /<([^<>\n]*)$/.exec(before)?.[1];
    const bracket = after === undefined ? undefined : offersOf((name) => (name.includes(after) ? after.length + 1 : 0), caret, concepts, applied, true);
    return bracket ?? offersOf((name) => begun(before, name), caret, concepts, applied, false);
}

/** The concepts of which most is typed; `typed` says how many characters of a name. */
function offersOf(typed: (name: string) => number, caret: number, concepts: ConceptView[], applied: ConceptView[], bracket: boolean): Typing | undefined {
    let longest = 0;
    const offers: ConceptView[] = [];
    for (const concept of offered(concepts, applied)) {
        const length = typed(concept.name.toLowerCase());
        // A whole name of an applied concept needs nothing more.
        if (length > 0 && (bracket || length < concept.name.length || !applied.includes(concept))) {
            if (length > longest) {
                offers.length = 0;
                longest = length;
            }
            if (length === longest && offers.length < MOST_OFFERS) {
                offers.push(concept);
            }
        }
    }
    return offers.length ? { from: caret - longest, offers } : undefined;
}

/** Applied ones first; of their names no other version. */
function offered(concepts: ConceptView[], applied: ConceptView[]): ConceptView[] {
    const names = new Set(applied.map(({ name }) => name));
    return [...applied, ...concepts.filter(({ name }) => !names.has(name))];
}

/** How many characters at the end of a text begin a name; 0 for fewer than two. */
function begun(before: string, name: string): number {
    for (let length = Math.min(name.length, before.length); length >= 2; length--) {
        const at = before.length - length;
        if (before.endsWith(name.slice(0, length)) && !(at > 0 && WORD.test(before.charAt(at - 1)))) {
            return length;
        }
    }
    return 0;
}

/** Whether a prompt names a concept: `<Name>`, or the name as a word. */
export function names(prompt: string, name: string): boolean {
    const text = prompt.toLowerCase();
    const wanted = name.toLowerCase();
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
        const inside = WORD.test(text.charAt(at - 1)) || WORD.test(text.charAt(at + wanted.length));
        if (!inside) {
            return true;
        }
    }
    return false;
}
