// A watched folder and the data sets in it.
import { useState } from "preact/hooks";
import { ask, DELETE, POST } from "../../api/client";
import type { HostView, WatchedState, WatchedView, WatchView } from "../../api/schema";
import { count, duration, fill } from "../../format";
import { Button } from "../../parts/button";
import { Coded } from "../../parts/code";
import { Confirm } from "../../parts/dialog";
import { Notice, toast, toastError } from "../../parts/notice";
import { to } from "../../router";
import { useAction } from "../../state/use";
import { text } from "../../text";

const words = text.settings.watches;
const weights: Record<WatchedState, string> = { settling: "", training: "accent", done: "good", failed: "bad" };

/** What it is trained with, what lies in it, and what can be done. */
export function WatchCard({ watch, hosts, onChanged }: { watch: WatchView; hosts: HostView[]; onChanged: () => Promise<void> }) {
    const params = { path: { id: watch.id } };
    const [asking, setAsking] = useState(false);
    const tell = async (work: Promise<unknown>, said: string) => {
        try {
            await work;
            toast(said);
        } catch (error) {
            toastError(error);
        }
        setAsking(false);
        await onChanged();
    };
    const failed = watch.sets.some(({ state }) => state === "failed");
    const rescan = useAction(() => tell(ask(POST("/v1/watches/{id}/rescan", { params })), words.rescanned));
    const remove = useAction(() => tell(ask(DELETE("/v1/watches/{id}", { params })), words.stopped));
    return (
        <article class="card stack">
            <header class="row">
                <h3 class="mono wrap">{watch.folder}</h3>
                <span class="settings-push row">
                    <Button little busy={rescan.busy} onClick={() => void rescan.run()}>{failed ? words.rescan : text.settings.refresh}</Button>
                    <Button little kind="plain" onClick={() => setAsking(true)}>{words.stop}</Button>
                </span>
            </header>
            <dl class="definition small">
                <dt>{words.mode}</dt>
                <dd>{fill(words.asMode, { mode: text.modes[watch.mode] })}</dd>
                <dt>{words.base}</dt>
                <dd>{watch.base}</dd>
                <dt>{words.install}</dt>
                <dd>{placesOf(watch.install, hosts)}</dd>
                <dt>{words.waits}</dt>
                <dd>{fill(words.quiet, { time: duration(watch.quiet_seconds) })}</dd>
            </dl>
            {watch.problem && <Notice kind="bad"><Coded>{watch.problem}</Coded></Notice>}
            <Sets sets={watch.sets} />
            {asking && (
                <Confirm title={words.stopTitle} action={words.stop} busy={remove.busy} onDo={() => void remove.run()} onClose={() => setAsking(false)}>
                    <p class="wrap">{fill(words.stopText, { folder: watch.folder })}</p>
                </Confirm>
            )}
        </article>
    );
}

function placesOf(install: string[], hosts: HostView[]): string {
    if (install.length === 0) {
        return words.nowhere;
    }
    if (install.includes("all")) {
        return words.everywhere;
    }
    const named = install.map((id) => hosts.find((host) => host.id === id));
    return named.map((host, at) => (host ? `${text.hosts[host.kind]} (${host.folder})` : install[at])).join(", ");
}

/** More finished ones than these are folded. */
const FEW = 6;

function Sets({ sets }: { sets: WatchedView[] }) {
    if (sets.length === 0) {
        return <p class="soft">{words.empty}</p>;
    }
    const under = sets.filter(({ state }) => state !== "done");
    const done = sets.filter(({ state }) => state === "done");
    return (
        <>
            {under.length > 0 && <SetList sets={under} />}
            {done.length > FEW ? (
                <details>
                    <summary>{count(done.length, words.done)}</summary>
                    <SetList sets={done} />
                </details>
            ) : (
                done.length > 0 && <SetList sets={done} />
            )}
        </>
    );
}

function SetList({ sets }: { sets: WatchedView[] }) {
    return (
        <ul class="settings-list">
            {sets.map(({ name, state, text: said, job }) => (
                <li key={name}>
                    <div class="grow">
                        <strong class="wrap">{name}</strong>
                        <p class="soft small wrap settings-said"><Coded>{said}</Coded></p>
                        {job && <a class="small" href={to(["training", job])} aria-label={`${words.job}: ${name}`}>{words.job}</a>}
                    </div>
                    <span class={`badge ${weights[state]}`}>{words.states[state]}</span>
                </li>
            ))}
        </ul>
    );
}
