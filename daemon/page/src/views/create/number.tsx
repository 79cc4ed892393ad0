// A number that is typed: what is behind it always stays within its bounds, whatever stands in the field meanwhile.
import { useEffect, useState } from "preact/hooks";
import type { Inside } from "../../parts/field";

interface Bounds {
    min: number;
    max: number;
    /** Below 1 it only says how far the arrows go. */
    step: number;
}

/** A line for a number; without a field around it, it needs a `label`. */
export function NumberLine({ label, inside, value, onChange, ...bounds }: { label?: string; inside?: Inside; value: number; onChange: (value: number) => void } & Bounds) {
    const [typed, set] = useState(String(value));
    const read = numberIn(typed);
    const fits = read !== undefined && nearest(read, bounds) === read;
    useEffect(() => {
        if (!fits || read !== value) {
            set(String(value));
        }
    }, [value]);
    const type = (words: string) => {
        set(words);
        const next = numberIn(words);
        if (next !== undefined && nearest(next, bounds) === next) {
            onChange(next);
        }
    };
    const leave = () => {
        const near = read === undefined ? value : nearest(read, bounds);
        set(String(near));
        if (near !== value) {
            onChange(near);
        }
    };
    return (
        <input
            type="number"
            class="number"
            {...inside}
            aria-label={label}
            aria-invalid={fits ? undefined : "true"}
            {...bounds}
            step={bounds.step < 1 ? "any" : bounds.step}
            value={typed}
            onInput={(event) => type(event.currentTarget.value)}
            onBlur={leave}
        />
    );
}

function numberIn(words: string): number | undefined {
    const read = Number(words);
    return words.trim() === "" || Number.isNaN(read) ? undefined : read;
}

function nearest(value: number, { min, max, step }: Bounds): number {
    const on = step < 1 ? value : min + Math.round((value - min) / step) * step;
    return Math.min(max, Math.max(min, on));
}
