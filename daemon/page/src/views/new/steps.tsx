// The sections of the page of a data set, and where in it one is.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Icon } from "../../parts/icon";
import { text } from "../../text";

/** A section's name, and its element's. */
export type StepName = "pictures" | "what" | "check" | "captions" | "train";
const names: readonly StepName[] = ["pictures", "what", "check", "captions", "train"];

/** A bar that stays in sight and leads to the sections. */
export function Steps({ done }: { done: Record<StepName, boolean> }) {
    const [here, set] = useState<StepName>("pictures");
    useEffect(() => {
        const seen = () => {
            const begun = names.filter((name) => (document.getElementById(name)?.getBoundingClientRect().top ?? Infinity) < innerHeight / 3);
            const bottom = innerHeight + scrollY >= document.documentElement.scrollHeight - 4;
            set((bottom ? names.at(-1) : begun.at(-1)) ?? "pictures");
        };
        addEventListener("scroll", seen, { passive: true });
        return () => removeEventListener("scroll", seen);
    }, []);
    return (
        <nav class="steps-bar" aria-label={text.new.steps.label}>
            <ol>
                {names.map((name, at) => (
                    <li key={name}>
                        <button type="button" aria-current={name === here ? "step" : undefined} onClick={() => toStep(name)}>
                            <span class={`steps-mark ${done[name] ? "done" : ""}`}>{done[name] ? <Icon name="check" size={14} /> : at + 1}</span>
                            {text.new.steps[name]}
                            {done[name] && <span class="hide-visually">({text.new.steps.done})</span>}
                        </button>
                    </li>
                ))}
            </ol>
        </nav>
    );
}

/** One of them. */
export function Step({ id, children }: { id: StepName; children: ComponentChildren }) {
    return (
        <section class="card step" id={id} tabIndex={-1} aria-label={text.new.steps[id]}>
            <h2>{text.new.steps[id]}</h2>
            {children}
        </section>
    );
}

/** Leads to a section, for eyes and for the keyboard. */
export function toStep(name: StepName): void {
    const section = document.getElementById(name);
    section?.scrollIntoView({ behavior: "smooth" });
    section?.focus({ preventScroll: true });
}
