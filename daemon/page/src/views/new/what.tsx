// What the concept is called, and what the pictures have in common.
import type { Signal } from "@preact/signals";
import { useId, useState } from "preact/hooks";
import { TextField } from "../../parts/field";
import { text } from "../../text";
import { change, type Draft } from "./draft";
import { Advice } from "./guide";

const LONGEST = 100;

/** Name and mode. */
export function What({ draft }: { draft: Signal<Draft> }) {
    const { name, mode } = draft.value;
    const [touched, touch] = useState(false);
    const wrong = name.trim() === "" ? (touched ? text.new.what.nameNeeded : undefined) : [...name.trim()].length > LONGEST ? text.new.what.nameLong : undefined;
    const named = (name: string) => {
        touch(true);
        change(draft, { name });
    };
    return (
        <div class="stack">
            <div class="what-name"><TextField label={text.new.what.name} hint={text.new.what.nameHint} wrong={wrong} value={name} required autocomplete="off" spellcheck={false} onInput={named} /></div>
            <fieldset class="modes">
                <legend>{text.new.what.mode}</legend>
                {(["face", "object", "style"] as const).map((one) => <ModeCard key={one} mode={one} chosen={mode === one} onChoose={() => change(draft, { mode: one })} />)}
            </fieldset>
            {mode && (
                <div class="soft small">
                    <p>{text.new.what.advice[mode]}</p>
                    <Advice mode={mode} />
                </div>
            )}
        </div>
    );
}

function ModeCard({ mode, chosen, onChoose }: { mode: NonNullable<Draft["mode"]>; chosen: boolean; onChoose: () => void }) {
    const id = useId();
    const [title, about] = text.new.what.modes[mode];
    return (
        <div class={`mode ${chosen ? "chosen" : ""}`}>
            <label>
                <input type="radio" name="mode" checked={chosen} aria-describedby={id} onChange={onChoose} />
                <strong>{title}</strong>
            </label>
            <p id={id}>{about}</p>
        </div>
    );
}
