// What a creation was asked for, in words.
import type { ApplyConcept, CreationView } from "../../api/schema";
import { fill, number } from "../../format";
import { text } from "../../text";
import { conceptOf, wordsFor } from "./library";

/** `Kojii × 0.8`. */
export function appliedWords({ concept, strength, step }: ApplyConcept): string {
    const name = step ? fill(text.create.atStep, { name: wordsFor(concept), step: number(step) }) : wordsFor(concept);
    return strength === 1 ? name : `${name} × ${number(strength)}`;
}

/** `832 × 1216`; nothing where that was left to the concept. */
export function sizeWords({ width, height }: { width?: number | null; height?: number | null }): string {
    return width && height ? fill(text.create.shape.pixels, { width, height }) : "";
}

/** The ratio of the pictures, as far as it is known before they are there. */
export function ratioOf({ request: { width, height } }: CreationView): number {
    return width && height ? width / height : 1;
}

/** The seed of one of its pictures. */
export function seedOf({ request }: CreationView, picture: number): number {
    return request.seed + picture;
}

/** Whether a filter lets it through: words of its prompt, and a concept's id. */
export function passes({ request }: CreationView, wanted: string[], concept: string): boolean {
    const prompt = request.prompt.toLowerCase();
    return wanted.every((word) => prompt.includes(word)) && (!concept || request.concepts.some((applied) => conceptOf(applied.concept)?.id === concept));
}

/** What a picture is called when it is saved. */
export function fileOf(creation: CreationView, picture: number): string {
    const words = creation.request.prompt.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60);
    return `${words || "picture"}-${seedOf(creation, picture)}.png`;
}
