// How long a training takes, and how large its pictures are.
import { useState } from "preact/hooks";
import { fill, number } from "../../format";
import { Segments } from "../../parts/button";
import { TextField } from "../../parts/field";
import { text } from "../../text";
import { type Form, setParameters } from "./form";
import { isSet, parameterOf } from "./parameters";
import { ParameterField } from "./parameter";

const words = text.train.length;
type How = "auto" | "steps" | "time";
const USUAL = { steps: 300, time: 600 };

/** The parameters that matter to everybody. */
export function Length({ form }: { form: Form }) {
    const { parameters } = form.draft.value;
    const steps = typeof parameters.steps === "number" || "steps" in form.typed.value;
    const [how, set] = useState<How>("auto");
    // An emptied field is still the one that is being filled in.
    const shown: How = isSet(parameters, "time_budget") || "time_budget" in form.typed.value ? "time" : steps ? "steps" : how;
    const choose = (how: How) => {
        set(how);
        form.typed.value = {};
        setParameters(form.draft, { steps: how === "steps" ? USUAL.steps : undefined, time_budget: how === "time" ? USUAL.time : undefined });
    };
    const [count, resolution] = [parameterOf("steps"), parameterOf("resolution")];
    return (
        <section class="stack train-part">
            <h3>{words.title}</h3>
            <div class="train-two">
                <div class="field">
                    <span class="label">{words.label}</span>
                    <div><Segments label={words.label} value={shown} choices={[["auto", words.auto], ["steps", words.steps], ["time", words.time]]} onChange={choose} /></div>
                    {shown === "auto" && <div class="hint">{words.autoHint}</div>}
                </div>
                {shown === "steps" && count && <ParameterField parameter={count} form={form} label={words.stepsLabel} hint={words.stepsHint} />}
                {shown === "time" && <Minutes form={form} />}
                {resolution && <ParameterField parameter={resolution} form={form} label={words.resolution} hint={words.resolutionHint} />}
            </div>
        </section>
    );
}

/** The time budget, which the daemon counts in seconds. */
function Minutes({ form }: { form: Form }) {
    const { time_budget: seconds } = form.draft.value.parameters;
    const takes = parameterOf("time_budget")?.takes;
    const range = takes?.kind === "number" ? { least: number(takes.least / 60, 2), most: number(takes.most / 60, 0) } : { least: "", most: "" };
    const put = (text: string) => {
        const minutes = Number(text.trim().replace(",", "."));
        const { time_budget: _, ...typed } = form.typed.peek();
        const usable = text.trim() !== "" && Number.isFinite(minutes) && !/[.,]$/.test(text.trim());
        form.typed.value = usable ? typed : { ...typed, time_budget: text };
        setParameters(form.draft, { time_budget: usable ? Math.round(minutes * 60_000) / 1000 : undefined });
    };
    const typed = form.typed.value.time_budget;
    const wrong = form.wrong("parameters.time_budget") && fill(words.timeWrong, range);
    return <TextField label={words.timeLabel} hint={words.timeHint} wrong={wrong} value={typed ?? (seconds ? String(Math.round((seconds / 60) * 1000) / 1000) : "")} autocomplete="off" onInput={put} />;
}
