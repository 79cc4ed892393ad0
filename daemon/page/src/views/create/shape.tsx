// How large.
import { useState } from "preact/hooks";
import { fill } from "../../format";
import { Field } from "../../parts/field";
import { text } from "../../text";
import { change, draft } from "./draft";
import { baseOf, familyIn } from "./fit";
import { NumberLine } from "./number";

const words = text.create.shape;

type Size = [number, number];
const presets: Record<string, readonly (readonly [keyof typeof words.presets, Size])[]> = {
    sdxl: [["square", [1024, 1024]], ["portrait", [832, 1216]], ["landscape", [1216, 832]]],
    sd15: [["square", [512, 512]], ["portrait", [512, 768]], ["landscape", [768, 512]]],
};

/** Sizes that suit the base, and others in steps of 64. */
export function Shape() {
    const { size } = draft.value;
    // A base of sizes of its own draws in those alone; no usual size suits it.
    const family = baseOf(draft.value)?.nonstandard ? undefined : familyIn(draft.value);
    const usual = (family && presets[family]) || [];
    const [own, setOwn] = useState(false);
    const same = size && usual.find(([, [width, height]]) => width === size[0] && height === size[1])?.[0];
    const preset = size ? (own || !same ? "own" : same) : "made";
    const begin: Size = size ?? usual[0]?.[1] ?? [512, 512];
    const choose = (name: keyof typeof words.presets, size: Size | null) => (
        <button key={name} type="button" aria-pressed={preset === name} title={size ? fill(words.pixels, { width: size[0], height: size[1] }) : words.madeHint} onClick={() => (setOwn(name === "own"), change({ size }))}>
            <Glyph size={name === "own" || name === "made" ? null : size} />
            <span>{words.presets[name]}</span>
        </button>
    );
    return (
        <>
            <div class="field">
                <span class="label" id="create-size">{words.size}</span>
                <div class="create-shapes" role="group" aria-labelledby="create-size">
                    {choose("made", null)}
                    {usual.map(([name, size]) => choose(name, size))}
                    {choose("own", begin)}
                </div>
                {preset !== "own" && <div class="hint">{size ? fill(words.pixels, { width: size[0], height: size[1] }) : words.madeHint}</div>}
            </div>
            {size && preset === "own" && (
                <div class="create-pair">
                    <Side label={words.width} value={size[0]} onChange={(width) => change({ size: [width, size[1]] })} />
                    <Side label={words.height} value={size[1]} onChange={(height) => change({ size: [size[0], height] })} />
                </div>
            )}
        </>
    );
}

function Side({ label, value, onChange }: { label: string; value: number; onChange: (value: number) => void }) {
    return <Field label={label}>{(inside) => <NumberLine inside={inside} value={value} min={64} max={4096} step={64} onChange={onChange} />}</Field>;
}

/** The outline of a size. */
function Glyph({ size }: { size: Size | null }) {
    const [width, height] = size ?? [1, 1];
    const scale = 18 / Math.max(width, height);
    const [w, h] = [width * scale, height * scale];
    return (
        <svg width="22" height="22" viewBox="0 0 22 22" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray={size ? undefined : "3 2.5"} aria-hidden="true">
            <rect x={11 - w / 2} y={11 - h / 2} width={w} height={h} rx="2" />
        </svg>
    );
}
