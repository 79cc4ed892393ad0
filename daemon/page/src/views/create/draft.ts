// What is filled in for the next pictures; kept by this browser, so that a reload loses nothing.
import { computed } from "@preact/signals";
import type { ConceptView, CreationRequest } from "../../api/schema";
import { stored } from "../../state/stored";
import { conceptOf, concepts as library } from "./library";

/** A concept that is applied. */
export interface Applied {
    /** Its id. */
    concept: string;
    strength: number;
    /** A snapshot in place of what was delivered. */
    step?: number | undefined;
}

/** The form. */
export interface Draft {
    prompt: string;
    negative: string;
    concepts: Applied[];
    /** A checkpoint's name; null for the first concept's own. */
    base: string | null;
    /** Width and height; null for what the concept was made for. */
    size: [number, number] | null;
    steps: number;
    cfg: number;
    /** Null for another each time. */
    seed: number | null;
    count: number;
    /** How far to leave the picture that it starts from. */
    leave: number;
}

/** The most concepts of a picture. */
export const MOST_CONCEPTS = 8;

/** The form before anything is filled in: the daemon's own defaults. */
export const fresh: Draft = { prompt: "", negative: "", concepts: [], base: null, size: null, steps: 28, cfg: 6, seed: null, count: 1, leave: 0.6 };

const kept = stored<Partial<Draft>>("create", {});

/** The form as it stands. */
export const draft = computed<Draft>(() => ({ ...fresh, ...kept.value }));

/** Fills in a part of it. */
export function change(part: Partial<Draft>): void {
    kept.value = { ...kept.value, ...part };
}

/** Applies a concept once. */
export function apply(concept: string, strength = 1, step?: number): void {
    const { concepts } = draft.value;
    if (concepts.length < MOST_CONCEPTS && !concepts.some((applied) => applied.concept === concept)) {
        change({ concepts: [...concepts, step === undefined ? { concept, strength } : { concept, strength, step }] });
    }
}

/** Changes how a concept is applied. */
export function reapply(concept: string, part: Partial<Applied>): void {
    change({ concepts: draft.value.concepts.map((applied) => (applied.concept === concept ? { ...applied, ...part } : applied)) });
}

/** Applies a concept no longer. */
export function unapply(concept: string): void {
    change({ concepts: draft.value.concepts.filter((applied) => applied.concept !== concept) });
}

/** A seed that every host can take. */
export function anySeed(): number {
    return Math.floor(Math.random() * 2 ** 32);
}

/** The form as the daemon is asked. */
export function requestOf({ prompt, negative, concepts, base, size, steps, cfg, count, leave }: Draft): Omit<CreationRequest, "seed"> {
    const [width, height] = size ?? [null, null];
    return { prompt: prompt.trim(), negative, concepts, base, width, height, steps, cfg, count, init_image: null, init_strength: leave };
}

/** Fills the form with what was asked; returns how many of its concepts are gone. */
export function refill({ prompt, negative, concepts, base, width, height, steps, cfg, count, init_strength: leave }: CreationRequest, seed: number): number {
    const there = concepts.flatMap(({ concept, strength, step }) => {
        // Before the library is known, none counts as gone.
        const id = library.value ? conceptOf(concept)?.id : concept;
        return id ? [step ? { concept: id, strength, step } : { concept: id, strength }] : [];
    });
    change({ prompt, negative, concepts: there, base, size: width && height ? [width, height] : null, steps, cfg, count, seed, leave });
    return concepts.length - there.length;
}

/** The applied concepts that are in the library, in their order. */
export const applied = computed<ConceptView[]>(() => draft.value.concepts.flatMap(({ concept }) => conceptOf(concept) ?? []));
