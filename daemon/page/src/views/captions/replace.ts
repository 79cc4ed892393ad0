// Changes of many captions: text in, text out.
import { finder, tidy } from "./words";

/** How a search compares. */
export interface Comparison {
    whole: boolean;
    exact: boolean;
}

/** A caption with words replaced; what is left behind where words went is made good. */
export function replaced(text: string, find: string, put: string, comparison: Comparison): string {
    if (!find.trim()) {
        return text;
    }
    const found = finder(find, comparison);
    if (text.search(found) < 0) {
        return text;
    }
    const changed = text.replace(found, () => put);
    return put.trim() ? tidy(changed) : mended(changed);
}

/** Without commas that follow each other, or stand where nothing is before or behind them. */
function mended(text: string): string {
    return tidy(text)
        .replace(/\s+([,.;:!?])/g, "$1")
        .replace(/,(?:\s*,)+/g, ",")
        .replace(/,\s*([.;!?])/g, "$1")
        .replace(/^[\s,.;:]+|[\s,;:]+$/g, "");
}

/** A caption with words in front or at the end, unless it has them there. */
export function added(text: string, words: string, where: "front" | "end"): string {
    const [more, own] = [tidy(words), tidy(text)];
    if (!more || !own) {
        return more || own;
    }
    if (where === "front") {
        return own.startsWith(more) ? text : `${more} ${own}`;
    }
    return own.endsWith(more) ? text : `${own}${/^[,.;:!?]/.test(more) ? "" : " "}${more}`;
}

/** Words that two texts share, and those that only one has. */
export interface Difference {
    kind: "same" | "put" | "left";
    /** What stands before it. */
    space: string;
    text: string;
}

/** What was done to the words of `from` to make `to`: their longest common row stays. */
export function difference(from: string, to: string): Difference[] {
    const [a, b] = [wordsOf(from), wordsOf(to)];
    const wide = b.length + 1;
    const longest = new Uint16Array((a.length + 1) * wide);
    const at = (i: number, j: number) => longest[i * wide + j] ?? 0;
    for (let i = a.length - 1; i >= 0; i--) {
        for (let j = b.length - 1; j >= 0; j--) {
            longest[i * wide + j] = a[i]?.word === b[j]?.word ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
        }
    }
    const found: Difference[] = [];
    const tell = (kind: Difference["kind"], words: Word[], at: number) => {
        const { space = "", word = "" } = words[at] ?? {};
        const last = found.at(-1);
        if (last?.kind === kind) {
            last.text += space + word;
        } else {
            found.push({ kind, space, text: word });
        }
    };
    let [i, j] = [0, 0];
    while (i < a.length || j < b.length) {
        if (i < a.length && j < b.length && a[i]?.word === b[j]?.word) {
            tell("same", b, j++);
            i++;
        } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) {
            tell("left", a, i++);
        } else {
            tell("put", b, j++);
        }
    }
    return found;
}

interface Word {
    space: string;
    word: string;
}

/** Words and marks, each with the space before it. */
function wordsOf(text: string): Word[] {
    const found = text.matchAll(/(\s*)(<[^<>\s]+>|[\p{L}\p{N}'’_-]+|\S)/gu);
    return Array.from(found, ([, space = "", word = ""]) => ({ space, word }));
}
