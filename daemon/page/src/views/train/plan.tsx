// What a training would do, before it does it.
import type { ComponentChildren } from "preact";
import type { Finding, PlanView, Severity } from "../../api/schema";
import { bytes, count, duration, number } from "../../format";
import { Button } from "../../parts/button";
import { Failure, Notice } from "../../parts/notice";
import { text } from "../../text";
import { toStep } from "../new/steps";
import { parameterOf } from "./parameters";

const words = text.train.plan;

/** The plan, and why there is none. */
export function Plan({ plan, error, waiting, asks }: { plan: PlanView | undefined; error: unknown; waiting: boolean; asks: boolean }) {
    return (
        <section class={`stack train-plan ${waiting && plan ? "waiting" : ""}`} aria-busy={waiting}>
            <h3>{words.title}</h3>
            {!asks && <p class="soft">{words.needs}</p>}
            {asks && !plan && waiting && <p class="soft" role="status">{words.waiting}</p>}
            {asks && <Failure error={error} />}
            {asks && plan && (
                <>
                    {Boolean(error) && <p class="soft small">{words.old}</p>}
                    <Figures plan={plan} />
                    {plan.warnings.map(({ code, text: why }) => <Notice key={code} kind="warn"><strong>{words.codes[code] ?? code}.</strong> {why}</Notice>)}
                    <Findings findings={plan.findings} />
                    <Decisions plan={plan} />
                </>
            )}
        </section>
    );
}

function Figures({ plan: { pictures, steps, seconds, memory_bytes, disk_bytes, stem } }: { plan: PlanView }) {
    return (
        <>
            <div class="train-figures">
                <Figure name={words.pictures}>{number(pictures)}</Figure>
                <Figure name={words.steps}>{steps == null ? <small>{words.stepsTime}</small> : number(steps)}</Figure>
                <Figure name={words.time}>{seconds == null ? <small>{words.timeUnknown}</small> : duration(seconds)}</Figure>
                <Figure name={words.memory}>{bytes(memory_bytes)}</Figure>
                <Figure name={words.disk}>{bytes(disk_bytes)}</Figure>
            </div>
            <p class="soft small">{words.files} <code class="wrap">{stem}</code></p>
        </>
    );
}

function Figure({ name, children }: { name: string; children: ComponentChildren }) {
    return (
        <div>
            <span class="soft small">{name}</span>
            <strong class="number">{children}</strong>
        </div>
    );
}

function Findings({ findings }: { findings: Finding[] }) {
    const of = (severity: Severity) => findings.filter((finding) => finding.severity === severity).length;
    const [serious, warning] = [of("serious"), of("warning")];
    if (serious + warning === 0) {
        return null;
    }
    return (
        <Notice kind={serious > 0 ? "bad" : "warn"} action={<Button little onClick={() => toStep("check")}>{words.look}</Button>}>
            {words.findings}{" "}
            {serious > 0 && <strong>{count(serious, words.serious)}</strong>}
            {serious > 0 && warning > 0 && ", "}
            {warning > 0 && count(warning, words.warning)}
        </Notice>
    );
}

function Decisions({ plan: { resolved } }: { plan: PlanView }) {
    return (
        <details class="train-decisions">
            <summary>{count(resolved.length, words.decisions)}</summary>
            <div class="scroll" tabIndex={0} role="region" aria-label={words.title}>
                <table>
                    <thead><tr><th>{words.parameter}</th><th>{words.value}</th><th>{words.why}</th></tr></thead>
                    <tbody>
                        {resolved.map(({ parameter, value, why }) => (
                            <tr key={parameter}><td>{parameterOf(parameter)?.label ?? parameter}</td><td class="wrap">{value}</td><td class="soft">{why}</td></tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </details>
    );
}
