// What the pictures of a table have in common, as it is typed.
import type { Signal } from "@preact/signals";
import type { Mode } from "../../../api/schema";
import { count, fill, number } from "../../../format";
import { Button } from "../../../parts/button";
import { TextField } from "../../../parts/field";
import { text } from "../../../text";
import { kept } from "../kept";

const words = text.concepts.draw;

/** The fields, as typed: nothing is lost by a number that is not one yet. */
export interface Typed {
    prompt: string;
    seeds: string;
    steps: string;
    strengths: string;
}

/** The fields of one of a concept's tables. */
export function typedOf(table: string, concept: string, mode: Mode, seeds: string): Signal<Typed> {
    return kept<Typed>(`${table}.typed.${concept}`, { prompt: promptOf(mode), seeds, steps: "24", strengths: "0.5, 0.75, 1" });
}

/** What shows a concept of this kind. */
export function promptOf(mode: Mode): string {
    return mode === "style" ? "a castle in the style of <concept>" : "a photo of <concept>";
}

/** Numbers with commas or spaces between them, each once; none if anything else stands there. */
export function numbersOf(typed: string, least: number, most: number, whole: boolean): number[] {
    const parts = typed.split(/[\s,;]+/).filter(Boolean).map(Number);
    const fine = parts.every((part) => part >= least && part <= most && (!whole || Number.isInteger(part)));
    return fine ? [...new Set(parts)] : [];
}

/** What the fields say; lists are empty and texts empty where they say nothing usable. */
export function read({ prompt, seeds, steps, strengths }: Typed): { prompt: string; seeds: number[]; steps: number; strengths: number[] } {
    return {
        prompt: prompt.trim(),
        seeds: numbersOf(seeds, 0, Number.MAX_SAFE_INTEGER, true),
        steps: numbersOf(steps, 1, 1000, true)[0] ?? 0,
        strengths: numbersOf(strengths, -4, 4, false),
    };
}

const MOST = 64;

/** Prompt, seeds, steps (and strengths, where there is but one seed), and the button that draws `pictures` of them. */
export function DrawForm({ typed, one, pictures, disabled, onDraw }: { typed: Signal<Typed>; one?: boolean; pictures: number; disabled?: boolean; onDraw: () => void }) {
    const now = typed.value;
    const { prompt, seeds, steps, strengths } = read(now);
    const set = (part: Partial<Typed>) => (typed.value = { ...typed.value, ...part });
    const wrong = {
        prompt: prompt ? undefined : words.wrongPrompt,
        seeds: one ? (seeds.length === 1 ? undefined : words.wrongSeed) : seeds.length ? undefined : fill(words.wrongNumbers, { example: "1, 2, 3" }),
        steps: steps ? undefined : words.wrongSteps,
        strengths: !one || strengths.length ? undefined : fill(words.wrongNumbers, { example: "0.5, 0.75, 1" }),
    };
    const fine = !Object.values(wrong).some(Boolean);
    const draw = (event: Event) => {
        event.preventDefault();
        if (fine && !disabled && pictures <= MOST) {
            onDraw();
        }
    };
    return (
        <form class="stack" onSubmit={draw} noValidate>
            <div class="concepts-draw-fields">
                <TextField label={words.prompt} hint={words.promptHint} wrong={wrong.prompt} maxLength={2000} value={now.prompt} onInput={(prompt) => set({ prompt })} />
                {one && <TextField label={words.strengths} hint={words.strengthsHint} wrong={wrong.strengths} value={now.strengths} onInput={(strengths) => set({ strengths })} />}
                <TextField label={one ? words.seed : words.seeds} hint={one ? undefined : words.seedsHint} wrong={wrong.seeds} value={now.seeds} onInput={(seeds) => set({ seeds })} />
                <TextField label={words.steps} wrong={wrong.steps} value={now.steps} onInput={(steps) => set({ steps })} />
            </div>
            <div class="row">
                <Button kind="main" icon="brush" type="submit" disabled={disabled || !fine || !pictures || pictures > MOST}>{fine && pictures ? count(pictures, words.go) : words.draw}</Button>
                {fine && pictures > MOST && <span class="small concepts-bad">{fill(words.tooMany, { n: number(pictures), most: MOST })}</span>}
            </div>
        </form>
    );
}
