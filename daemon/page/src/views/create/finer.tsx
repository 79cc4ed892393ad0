// What seldom needs a change: what to keep away from, base, seed, steps, guidance.
import { bytes, fill, number } from "../../format";
import { Button, Segments } from "../../parts/button";
import { Field, SelectField } from "../../parts/field";
import { stored } from "../../state/stored";
import { text } from "../../text";
import { anySeed, applied, change, draft, fresh } from "./draft";
import { baseOf } from "./fit";
import { familyOf, models } from "./library";
import { NumberLine } from "./number";

const words = text.create.finer;
const open = stored("create.finer", false);

/** Folded, with what differs from the usual in its line. */
export function Finer() {
    const { negative, base, seed, steps, cfg } = draft.value;
    const differs = [
        base !== null && base,
        negative.trim() && words.hasNegative,
        seed !== null && fill(words.seedIs, { seed }),
        steps !== fresh.steps && fill(words.stepsAre, { steps }),
        cfg !== fresh.cfg && fill(words.cfgIs, { cfg: number(cfg) }),
    ].filter(Boolean);
    return (
        <details class="create-finer" open={open.value} onToggle={(event) => (open.value = event.currentTarget.open)}>
            <summary>
                <span>{words.title}</span>
                {differs.length > 0 && <span class="soft small wrap">{differs.join(" · ")}</span>}
            </summary>
            <div class="stack">
                <Field label={words.negative} hint={words.negativeHint}>
                    {(inside) => <textarea {...inside} rows={2} maxLength={2000} value={negative} onInput={(event) => change({ negative: event.currentTarget.value })} />}
                </Field>
                <Base />
                <Seed />
                <div class="create-pair">
                    <Field label={words.steps} hint={words.stepsHint}>
                        {(inside) => <NumberLine inside={inside} value={steps} min={1} max={1000} step={1} onChange={(steps) => change({ steps })} />}
                    </Field>
                    <Field label={words.cfg} hint={words.cfgHint}>
                        {(inside) => <NumberLine inside={inside} value={cfg} min={0} max={100} step={0.5} onChange={(cfg) => change({ cfg })} />}
                    </Field>
                </div>
            </div>
        </details>
    );
}

/** Which checkpoint draws. */
export function Base() {
    const { base } = draft.value;
    const [first] = applied.value;
    const known = models.value ?? [];
    const own = baseOf({ ...draft.value, base: null });
    const choices: [string, string][] = known.map(({ name, family, bytes: size }) => [name, `${name} (${familyOf(family)}, ${bytes(size)})`]);
    if (base !== null && !known.some(({ name }) => name === base)) {
        choices.unshift([base, base]);
    }
    choices.unshift(["", first ? (own ? fill(words.ownNamed, { base: own.name }) : words.own) : words.chooseBase]);
    return <SelectField label={words.base} hint={words.baseHint} value={base ?? ""} choices={choices} onChange={(name) => change({ base: name || null })} />;
}

function Seed() {
    const { seed } = draft.value;
    return (
        <div class="field">
            <span class="label">{words.seed}</span>
            <div class="row create-seed">
                <Segments label={words.seed} value={seed === null ? "any" : "fixed"} choices={[["any", words.anySeed], ["fixed", words.fixedSeed]]} onChange={(kind) => change({ seed: kind === "any" ? null : (seed ?? anySeed()) })} />
                {seed !== null && (
                    <>
                        <NumberLine label={words.seed} value={seed} min={0} max={Number.MAX_SAFE_INTEGER} step={1} onChange={(seed) => change({ seed })} />
                        <Button label={words.dice} onClick={() => change({ seed: anySeed() })}><Dice /></Button>
                    </>
                )}
            </div>
            <div class="hint">{words.seedHint}</div>
        </div>
    );
}

function Dice() {
    return (
        <svg width="18" height="18" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
            <path d="M5 4h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zM8.5 8.5h.01M15.5 8.5h.01M12 12h.01M8.5 15.5h.01M15.5 15.5h.01" />
        </svg>
    );
}
