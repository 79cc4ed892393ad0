// What can be told of a caption by its words alone.
import type { Mode } from "../../api/schema";

/** The word that means the concept in every caption, whatever it is called. */
export const CONCEPT = "<concept>";

/** More tokens than these an encoder does not read at once. */
export const MOST_TOKENS = 75;

/** With single spaces, as the daemon keeps it. */
export function tidy(text: string): string {
    return text.split(/\s+/).filter(Boolean).join(" ");
}

/** What matches words literally; whole words only where `whole`. */
export function finder(words: string, { whole, exact }: { whole: boolean; exact: boolean }): RegExp {
    const literal = words.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("\\s+");
    // `\b` knows ASCII alone.
    const bounded = whole ? `(?<![\\p{L}\\p{N}_])${literal}(?![\\p{L}\\p{N}_])` : literal;
    return new RegExp(bounded, exact ? "gu" : "giu");
}

/** What matches the concept: `<concept>`, `<Name>` and the bare name. */
export function mention(name: string): RegExp {
    const bare = name.trim() ? finder(name, { whole: true, exact: false }).source : "";
    return new RegExp([CONCEPT, bare && `<${bare}>`, bare].filter(Boolean).join("|"), "giu");
}

/** A piece of a caption. */
export interface Piece {
    text: string;
    concept: boolean;
}

/** A caption taken apart, the concept by itself. */
export function pieces(text: string, concept: RegExp): Piece[] {
    const found: Piece[] = [];
    let at = 0;
    for (const match of text.matchAll(concept)) {
        found.push({ text: text.slice(at, match.index), concept: false }, { text: match[0], concept: true });
        at = match.index + match[0].length;
    }
    found.push({ text: text.slice(at), concept: false });
    return found.filter((piece) => piece.text);
}

/** Whether a caption names the concept. */
export function names(text: string, concept: RegExp): boolean {
    return text.search(concept) >= 0;
}

/** A caption with the concept in it: where the daemon puts it by itself. */
export function withConcept(text: string, mode: Mode | null): string {
    return mode === "style" ? `${text}, in the style of ${CONCEPT}` : `${CONCEPT}, ${text}`;
}

/** What is learnt of a picture that has no caption. */
export function bareCaption(mode: Mode | null): string {
    return mode === "style" ? `a picture in the style of ${CONCEPT}` : `a photo of ${CONCEPT}`;
}

/** About how many tokens a caption has; long words have several, and so does the concept. */
export function tokens(text: string, concept: RegExp, each = 3): number {
    return pieces(text, concept).reduce((sum, piece) => {
        const words = piece.text.match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];
        return sum + (piece.concept ? Math.max(1, each) : words.reduce((sum, word) => sum + Math.ceil(word.length / 10), 0));
    }, 0);
}
