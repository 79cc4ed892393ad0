// A training in the list: its picture, how it stands, what can be done.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ask, GET } from "../../api/client";
import { previewUrl } from "../../api/library";
import type { JobState, JobView } from "../../api/schema";
import { count, duration, fill, number, precise, when } from "../../format";
import { Icon } from "../../parts/icon";
import { Progress } from "../../parts/notice";
import { to } from "../../router";
import { useAsked } from "../../state/use";
import { text } from "../../text";

const words = text.running;

const weights: Record<JobState, string> = { queued: "", running: "accent", paused: "warn", cancelling: "warn", done: "good", failed: "bad", cancelled: "", interrupted: "warn" };

/** The state of a training as a word on colour. */
export function State({ state }: { state: JobState }) {
    return <span class={`badge ${weights[state]}`}>{words.states[state]}</span>;
}

/** How far a training is from 0 to 1; undefined while that cannot be said. */
export function share({ steps, step, stage }: { steps: number; step: number; stage?: JobView["stage"] }): number | undefined {
    return steps > 0 && stage !== "drawing" ? step / steps : undefined;
}

/** A row. `lead` stands before it, `children` are its buttons. */
export function Row({ job, lead, children }: { job: JobView; lead?: ComponentChildren; children: ComponentChildren }) {
    const moving = job.state === "running" || job.state === "cancelling" || job.state === "interrupted" || (job.state === "paused" && job.step > 0);
    return (
        <>
            {lead}
            <Thumb job={job} />
            <div class="job-words">
                <div class="row job-name">
                    <a class="wrap" href={to(["training", job.id])}><b>{job.name}</b></a>
                    <State state={job.state} />
                    {job.priority !== 0 && job.state === "queued" && <span class="badge">{fill(words.priority, { n: job.priority })}</span>}
                </div>
                <p class="soft small wrap">{`${text.modes[job.mode]} · ${job.base} · ${story(job)}`}</p>
                {moving && <Progress {...(job.state === "running" ? { share: share(job) } : { share: job.steps ? job.step / job.steps : 0 })} label={fill(words.progress, { name: job.name })} />}
                {moving && <p class="small number">{facts(job).join(" · ")}</p>}
                {job.waits_for && job.state === "running" && <p class="small">{fill(words.waitsFor, { host: job.waits_for })}</p>}
                {job.failure && <p class="small wrong-words wrap">{job.failure.reason}</p>}
                {job.failure && <p class="small soft">{todo(job)}</p>}
            </div>
            <div class="row job-actions">{children}</div>
        </>
    );
}

/** What a training is at, in a few figures. */
export function facts(job: JobView): string[] {
    const { state, stage, step, steps, seconds_per_step: each, eta_seconds: eta, loss } = job;
    return [
        state === "running" ? (stage ? words.stages[stage] : words.starting) : undefined,
        steps ? fill(words.step, { step: number(step), steps: number(steps) }) : undefined,
        state === "running" && each && step ? fill(words.each, { seconds: precise(each, 2) }) : undefined,
        state === "running" && eta && stage === "training" ? fill(words.left, { time: duration(eta) }) : undefined,
        typeof loss === "number" ? fill(words.lossNow, { loss: precise(loss) }) : undefined,
    ].filter((fact) => fact !== undefined);
}

function story(job: JobView): string {
    const { state, ahead, created_at_ms: created, started_at_ms: started, finished_at_ms: finished } = job;
    if (state === "queued") {
        return ahead ? count(ahead, words.before) : words.next;
    }
    if (finished) {
        return state === "done" && started ? `${when(finished)} · ${fill(words.took, { time: duration((finished - started) / 1000) })}` : ended(job, finished);
    }
    return started ? fill(words.since, { when: when(started) }) : fill(words.asked, { when: when(created) });
}

function ended({ step, steps }: JobView, finished: number): string {
    return step ? `${when(finished)} · ${fill(words.atStep, { step: number(step), steps: number(steps) })}` : when(finished);
}

/** What helps against a failure. */
export function todo(job: JobView): string {
    const known: Partial<Record<string, string>> = words.todo;
    return known[job.failure?.code ?? ""] ?? words.todo.internal;
}

function Thumb({ job }: { job: JobView }) {
    const going = job.state !== "done" && job.state !== "queued" && job.step > 0;
    const { data } = useAsked(() => (going ? ask(GET("/v1/jobs/{id}/samples", { params: { path: { id: job.id } } })) : Promise.resolve(undefined)), [job.id, job.state], job.state === "running" ? 6000 : undefined);
    const [broken, setBroken] = useState("");
    const url = job.state === "done" && job.concept ? previewUrl(job.concept) : data?.items.at(-1)?.url;
    return (
        <a class="job-thumb picture" href={to(["training", job.id])} tabIndex={-1} aria-hidden="true">
            {url && url !== broken ? <img src={url} alt="" loading="lazy" onError={() => setBroken(url)} /> : <Icon name="pictures" size={24} />}
        </a>
    );
}
