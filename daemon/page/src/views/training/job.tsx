// One training, live: how far it is, what it draws, how it learns, what happened.
import { useEffect, useMemo, useState } from "preact/hooks";
import { isGone } from "../../api/client";
import { isOver } from "../../api/jobs";
import { previewUrl } from "../../api/library";
import type { JobView } from "../../api/schema";
import { count, duration, fill, number, when } from "../../format";
import { Back, Head } from "../../parts/head";
import { Failure, Loading, Notice } from "../../parts/notice";
import { to } from "../../router";
import { type Asked, useAsked, useEvery } from "../../state/use";
import { text } from "../../text";
import { Actions } from "./actions";
import { ending } from "./announce";
import { LossChart } from "./chart";
import { job as jobOf } from "./jobs";
import { Moments, WorkerLog } from "./log";
import { Repeat, Request } from "./request";
import { State, todo } from "./row";
import { type Run, useRun } from "./run";
import { Samples } from "./samples";
import { Snapshots } from "./scores";
import { Stages } from "./stages";

const words = text.running;
const POLL_MS = 4000;
/** A hidden tab looks now and then, so that its title stays true. */
const HIDDEN_MS = 15_000;

/** The view of a training. */
export function Job({ id }: { id: string }) {
    const asked = useAsked(() => jobOf(id), [id]);
    const back = <Back to={to(["training"])}>{words.back}</Back>;
    const { data: job, error, again } = asked;
    if (job) {
        return <>{back}<Shown job={job} asked={asked} /></>;
    }
    const gone = isGone(error);
    return (
        <div class="stack">
            {back}
            <Head title={words.title} />
            {gone ? <Notice>{words.gone}</Notice> : error ? <Failure error={error} again={() => void again()} /> : <Loading />}
        </div>
    );
}

function Shown({ job, asked: { error, again, set } }: { job: JobView; asked: Asked<JobView> }) {
    const run = useRun(job.id);
    const over = isOver(job.state);
    useEvery(again, over ? 60_000 : POLL_MS, over ? undefined : HIDDEN_MS);
    useEffect(() => {
        // What the events say comes first; what the daemon makes of it is asked then.
        if (run.state && (run.state !== job.state || run.stage !== job.stage)) {
            void again();
        }
    }, [run.state, run.stage]);
    useTitle(job, run);
    // Events come several times a second; what they do not touch rests.
    const samples = useMemo(() => <Samples samples={run.samples} over={over} />, [run.samples, over]);
    const snapshots = useMemo(() => <Snapshots scores={run.scores} heldOut={run.heldOut} />, [run.scores, run.heldOut]);
    const curve = useMemo(() => <section class="card"><h2>{words.curve.title}</h2><LossChart training={run.training} heldOut={run.heldOut} /></section>, [run.training, run.heldOut]);
    const moments = useMemo(() => <Moments moments={run.moments} />, [run.moments]);
    const started = job.started_at_ms ? fill(words.since, { when: when(job.started_at_ms) }) : fill(words.asked, { when: when(job.created_at_ms) });
    const took = over && job.finished_at_ms && job.started_at_ms ? fill(words.took, { time: duration((job.finished_at_ms - job.started_at_ms) / 1000) }) : undefined;
    const about = [text.modes[job.mode], job.base, started, took].filter(Boolean).join(" · ");
    return (
        <div class="training">
            <Head title={job.name} about={<><State state={job.state} /> {about}</>}>
                <Actions job={job} sampling changed={set} again={again} />
                {(job.state === "failed" || job.state === "cancelled") && <Repeat id={job.id} />}
            </Head>
            <div class="stack">
                <Failure error={error} again={() => void again()} />
                <Standing job={job} run={run} />
                {!over && <Stages job={job} run={run} />}
                <div class="job-columns">
                    <div class="stack">
                        {job.state === "done" && job.concept && <Result concept={job.concept} name={job.name} />}
                        {samples}
                        {snapshots}
                        <Installs job={job} />
                    </div>
                    <div class="stack">
                        {curve}
                        {moments}
                        <Request id={job.id} dataset={job.dataset} />
                        <WorkerLog id={job.id} />
                    </div>
                </div>
            </div>
        </div>
    );
}

/** How a training stands, where that is more than a step among steps. */
function Standing({ job, run }: { job: JobView; run: Run }) {
    const saved = run.saved || job.step;
    switch (job.state) {
        case "done":
            return <Notice kind="good">{fill(words.done, { name: job.name })}</Notice>;
        case "failed":
            return (
                <Notice kind="bad">
                    <div class="stack tight">
                        <b>{fill(words.failed, { name: job.name })} {job.step > 0 && fill(words.failedAt, { step: number(job.step), steps: number(job.steps) })}</b>
                        <span>{job.failure?.reason}</span>
                        <span><b>{words.what}:</b> {todo(job)}</span>
                        {job.failure && <code>{job.failure.code}</code>}
                    </div>
                </Notice>
            );
        case "cancelled":
            return <Notice>{words.cancelled}</Notice>;
        case "cancelling":
            return <Notice kind="warn">{words.cancelling}</Notice>;
        case "paused":
            return <Notice kind="warn">{saved ? fill(words.paused, { step: number(saved) }) : words.pausedEarly}</Notice>;
        case "interrupted":
            return <Notice kind="warn">{fill(words.interrupted, { step: number(saved) })}</Notice>;
        case "queued":
            return <Notice action={<a href={to(["training"])}>{words.queued.link}</a>}>{job.ahead ? count(job.ahead, words.queued.wait) : words.queued.next}</Notice>;
        case "running":
            return job.waits_for ? <Notice kind="warn">{fill(words.waitsFor, { host: job.waits_for })}</Notice> : null;
    }
}

/** The tab says how far it is, so that it can stay in the background. */
function useTitle(job: JobView, run: Run): void {
    // A hidden tab hears no events.
    const [step, steps] = [Math.max(run.step, job.step), run.steps || job.steps];
    const percent = job.state === "running" && steps ? `${Math.floor((100 * step) / steps)} % ` : "";
    const title = job.state === "done" || job.state === "failed" ? `${job.state === "done" ? "✓" : "✗"} ${ending(job)}` : `${percent}${job.name}`;
    useEffect(() => {
        document.title = `${title} · ${text.app.name}`;
    }, [title]);
}

/** What came of it, as the library shows it; gone with the concept. */
function Result({ concept, name }: { concept: string; name: string }) {
    const [gone, setGone] = useState(false);
    return gone ? null : (
        <section class="card stack">
            <h2>{words.result}</h2>
            <a href={to(["concepts", concept])}>
                <img class="sample-large" src={previewUrl(concept)} alt={fill(words.resultAlt, { name })} onError={() => setGone(true)} />
            </a>
        </section>
    );
}

function Installs({ job }: { job: JobView }) {
    const weights: Record<string, string> = { seen: "good", installed: "good", failed: "bad", changed: "warn", unseen: "warn", leaving: "" };
    return job.installs.length === 0 ? null : (
        <section class="card">
            <h2>{words.installs.title}</h2>
            <ul class="plain stack tight">
                {job.installs.map((install) => (
                    <li key={install.host}>
                        <div class="row"><b>{text.hosts[install.kind]}</b><span class={`badge ${weights[install.state]}`}>{words.installs.states[install.state]}</span></div>
                        <p class="small wrap">{install.text}</p>
                        {install.warnings.map((warning) => <p key={warning} class="small wrap warn-words">{warning}</p>)}
                    </li>
                ))}
            </ul>
        </section>
    );
}
