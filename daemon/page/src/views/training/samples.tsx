// Sample pictures over the steps, two of them side by side behind a line that can be moved.
import { useEffect, useRef, useState } from "preact/hooks";
import { fill, number } from "../../format";
import { Segments } from "../../parts/button";
import { text } from "../../text";
import { Compare } from "./compare";
import type { Sample } from "./run";

const words = text.running.samples;

/** The samples of a training. Until the user chooses, the first stands beside the latest. */
export function Samples({ samples, over }: { samples: Sample[]; over: boolean }) {
    const [chosen, choose] = useState<{ left?: number; right?: number }>({});
    const [view, setView] = useState<"compare" | "one">("compare");
    const [first, latest] = [samples[0], samples.at(-1)];
    const find = (step: number | undefined) => samples.find((sample) => sample.step === step);
    const left = find(chosen.left) ?? first;
    const right = find(chosen.right) ?? latest;
    const strip = useRef<HTMLUListElement>(null);
    useEffect(() => {
        // The latest stands at the end; the page itself must not move.
        const [list, shown] = [strip.current, strip.current?.querySelector<HTMLElement>("[aria-pressed=true]")];
        if (list && shown) {
            list.scrollLeft = shown.offsetLeft - list.offsetLeft - (list.clientWidth - shown.offsetWidth) / 2;
        }
    }, [right?.step]);
    const title = (sample: Sample) => fill(sample === first ? words.first : sample === latest ? words.latest : words.at, { step: number(sample.step) });
    const choices = samples.map((sample) => [String(sample.step), title(sample)] as const);
    const both = view === "compare" && samples.length > 1;
    return (
        <section class="card stack">
            <div class="row apart">
                <h2>{words.title}</h2>
                {samples.length > 1 && <Segments label={words.view} value={view} choices={[["compare", words.compare], ["one", words.one]]} onChange={setView} />}
            </div>
            {!left || !right ? (
                <p class="soft">{over ? words.noneOver : `${words.none} ${words.every}`}</p>
            ) : (
                <>
                    {both ? <Compare left={left} right={right} /> : (
                        <img class="sample-large" src={right.url} alt={fill(words.alt, { step: number(right.step) })} />
                    )}
                    {samples.length > 1 && (
                        <div class="row">
                            {both && <Choice label={words.left} value={left.step} choices={choices} onChange={(left) => choose({ ...chosen, left })} />}
                            <Choice label={both ? words.right : words.shown} value={right.step} choices={choices} onChange={(right) => choose({ ...chosen, right })} />
                        </div>
                    )}
                    <ul class="strip" aria-label={words.strip} ref={strip}>
                        {samples.map((sample) => (
                            <li key={sample.step}>
                                <button type="button" aria-label={fill(both ? words.pick : words.pickOne, { step: number(sample.step) })} aria-pressed={sample === right} class={both && sample === left ? "left" : ""} onClick={() => choose({ ...chosen, right: sample.step })}>
                                    <img src={sample.url} alt="" loading="lazy" />
                                    <span class="number">{number(sample.step)}</span>
                                </button>
                            </li>
                        ))}
                    </ul>
                    <p class="small row apart">
                        <span class="soft">{samples.length > 1 ? words.hint : words.hintOne}</span>
                        <a href={right.url} target="_blank" rel="noreferrer">{words.open}</a>
                    </p>
                </>
            )}
        </section>
    );
}

function Choice({ label, value, choices, onChange }: { label: string; value: number; choices: (readonly [string, string])[]; onChange: (step: number) => void }) {
    return (
        <label class="choice small">
            <span>{label}</span>
            <select value={String(value)} onChange={(event) => onChange(Number(event.currentTarget.value))}>
                {choices.map(([step, title]) => <option key={step} value={step}>{title}</option>)}
            </select>
        </label>
    );
}
