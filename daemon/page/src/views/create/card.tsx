// A creation: what was asked, its pictures or what becomes of them, what can be done.
import { useEffect, useState } from "preact/hooks";
import { ask, POST } from "../../api/client";
import { isOver } from "../../api/jobs";
import type { CreationView } from "../../api/schema";
import { count, duration, fill, number, when } from "../../format";
import { Button } from "../../parts/button";
import { Failure, Notice, Progress, toastError } from "../../parts/notice";
import { to } from "../../router";
import { useAction } from "../../state/use";
import { text } from "../../text";
import { again, fillLike } from "./again";
import { appliedWords, ratioOf, seedOf, sizeWords } from "./facts";
import { creations, put, training } from "./history";
import type { Asking } from "./hosts";

const words = text.create.card;

/** One of the results. */
export function Card({ creation, onHosts }: { creation: CreationView; onHosts: (asking: Asking) => void }) {
    const { id, state, request, pictures, failure, created_at_ms: at } = creation;
    const repeating = useAction(again);
    const cancelling = useAction(async () => put(await ask(POST("/v1/creations/{id}/cancel", { params: { path: { id } } }))));
    const over = isOver(state);
    const waiting = over ? 0 : request.count - pictures.length;
    const size = sizeWords(request);
    return (
        <article class="card create-card" aria-label={request.prompt}>
            <header>
                <h3 class="wrap" title={request.prompt}><Called prompt={request.prompt} /></h3>
                <p class="soft small create-facts">
                    {request.concepts.map((applied) => <span key={applied.concept} class="badge accent">{appliedWords(applied)}</span>)}
                    {size && <span>{size}</span>}
                    <span class="number">{fill(words.seed, { seed: request.seed })}</span>
                    <span>{when(at)}</span>
                </p>
            </header>
            {!over && <Going creation={creation} cancelling={cancelling.busy} onCancel={() => void cancelling.run()} />}
            {!over && <Failure error={cancelling.error} />}
            {state === "failed" && <Notice kind="bad">{failure?.reason ?? words.failed}</Notice>}
            {state === "cancelled" && <p class="soft">{words.cancelled}</p>}
            {(pictures.length > 0 || waiting > 0) && (
                <ul class={`create-grid ${request.count === 1 ? "one" : ""}`}>
                    {pictures.map((url, index) => (
                        <li key={url}>
                            <a href={to(["create", id, String(index + 1)])} class="picture" style={{ aspectRatio: String(ratioOf(creation)) }}>
                                <img src={url} alt={fill(words.alt, { n: index + 1, prompt: request.prompt, seed: seedOf(creation, index) })} loading="lazy" decoding="async" />
                            </a>
                        </li>
                    ))}
                    {Array.from({ length: waiting }, (_, index) => <li key={index} class={`picture create-coming ${state}`} style={{ aspectRatio: String(ratioOf(creation)) }} />)}
                </ul>
            )}
            <div class="row">
                {over && <Button little icon="play" busy={repeating.busy} onClick={() => void repeating.run(creation)}>{state === "done" ? words.again : text.common.again}</Button>}
                <Button little icon="up" onClick={() => void fillLike(creation).catch(toastError)}>{words.use}</Button>
                <Button little icon="copy" onClick={() => onHosts(request)}>{words.hosts}</Button>
                <a class="button plain little" href={to(["create", id])}>{text.common.details}</a>
            </div>
            <Failure error={repeating.error} />
        </article>
    );
}

/** A prompt with the concepts that it calls set off. */
function Called({ prompt }: { prompt: string }) {
    return <>{prompt.split(/<([^<>]+)>/).map((part, index) => (index % 2 ? <em key={index}>{part}</em> : part))}</>;
}

/** What it waits for, or how long it has been at it. */
function Going({ creation, cancelling, onCancel }: { creation: CreationView; cancelling: boolean; onCancel: () => void }) {
    const [now, set] = useState(Date.now());
    useEffect(() => {
        const timer = setInterval(() => set(Date.now()), 1000);
        return () => clearInterval(timer);
    }, []);
    const { state, created_at_ms: at } = creation;
    const ended = state === "cancelling" || cancelling;
    return (
        <div class="create-going">
            <div class="row apart">
                <span class="create-waits" role="status">{ended ? words.cancelling : state === "running" ? count(creation.request.count, words.running) : <Before creation={creation} />}</span>
                <span class="row">
                    <span class="soft small number">{duration((now - at) / 1000)}</span>
                    <Button little icon="stop" disabled={ended} onClick={onCancel}>{text.common.cancel}</Button>
                </span>
            </div>
            {state === "running" && <Progress label={words.progress} />}
        </div>
    );
}

function Before({ creation }: { creation: CreationView }) {
    const before = creations.value.filter(({ id, state, created_at_ms: at }) => id !== creation.id && at <= creation.created_at_ms && (state === "queued" || state === "running" || state === "cancelling")).length;
    const job = training.value;
    if (!job && before === 0) {
        return <>{words.queued}</>;
    }
    const waits = job && fill(job.eta_seconds ? words.trainingFor : words.training, { name: job.name, percent: job.steps ? number((100 * job.step) / job.steps, 0) : 0, time: duration(job.eta_seconds ?? 0) });
    return (
        <>
            {[waits, before > 0 && count(before, words.before)].filter(Boolean).join(" ")} {job && <a href={to(["training", job.id])}>{words.toTraining}</a>}
        </>
    );
}
