// A known host: how it stands, and what is installed there.
import { useState } from "preact/hooks";
import { ask, DELETE, POST } from "../../api/client";
import type { HostView, InstallState, InstallView } from "../../api/schema";
import { count, fill } from "../../format";
import { Button } from "../../parts/button";
import { Coded } from "../../parts/code";
import { Confirm } from "../../parts/dialog";
import { Failure, Notice, toast, toastError } from "../../parts/notice";
import { to } from "../../router";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";

const words = text.settings.hosts;
const weights: Record<InstallState, string> = { installed: "", seen: "good", unseen: "warn", changed: "warn", leaving: "", failed: "bad" };

/** Asks the host itself when it appears. */
export function HostCard({ host, onForgotten }: { host: HostView; onForgotten: () => void }) {
    const params = { path: { id: host.id } };
    // What was changed by adding the same folders again is asked for again.
    const verify = useAsked(() => ask(POST("/v1/hosts/{id}/verify", { params })), [host.id, host.folder, host.url]);
    const look = useAction(verify.again);
    const [asking, setAsking] = useState(false);
    const kind = text.hosts[host.kind];
    const forget = useAction(async () => {
        try {
            await ask(DELETE("/v1/hosts/{id}", { params }));
            toast(fill(words.forgotten, { kind }));
        } catch (error) {
            toastError(error);
        }
        setAsking(false);
        onForgotten();
    });
    const { data } = verify;
    return (
        <article class="card stack">
            <header class="row">
                <h3>{kind}</h3>
                {typeof data?.running === "boolean" && <span class={`badge ${data.running ? "good" : ""}`}>{data.running ? words.running : words.away}</span>}
                <span class="settings-push row">
                    <Button little busy={look.busy} onClick={() => void look.run()}>{look.busy ? text.settings.reading : text.settings.refresh}</Button>
                    <Button little kind="plain" onClick={() => setAsking(true)}>{text.settings.forget}</Button>
                </span>
            </header>
            <dl class="definition small">
                <dt>{words.folder}</dt>
                <dd class="mono">{host.folder}</dd>
                <dt>{words.loras}</dt>
                <dd class="mono">{host.loras}</dd>
                <dt>{words.embeddings}</dt>
                <dd class="mono">{host.embeddings}</dd>
                {host.url && (
                    <>
                        <dt>{words.url}</dt>
                        <dd><a href={host.url} target="_blank" rel="noreferrer">{host.url}</a></dd>
                    </>
                )}
            </dl>
            <Failure error={verify.error} again={() => void verify.again()} />
            {data?.problems.map((problem) => <Notice key={problem} kind="warn"><Coded>{problem}</Coded></Notice>)}
            {data && <Installed installs={data.installs} />}
            {asking && (
                <Confirm title={fill(words.forgetTitle, { kind })} action={text.settings.forget} busy={forget.busy} onDo={() => void forget.run()} onClose={() => setAsking(false)}>
                    <p>{words.forgetText}</p>
                    <p class="mono soft wrap">{host.folder}</p>
                </Confirm>
            )}
        </article>
    );
}

/** More than these are folded. */
const FEW = 8;

function Installed({ installs }: { installs: InstallView[] }) {
    if (installs.length === 0) {
        return <p class="soft">{words.nothing} <a href={to(["concepts"])}>{words.toConcepts}</a></p>;
    }
    return (
        <details open={installs.length <= FEW}>
            <summary>{count(installs.length, words.installed)}</summary>
            <ul class="settings-list">
                {installs.map(({ concept, stem, state, text: said, warnings }) => (
                    <li key={concept}>
                        <div class="grow">
                            <a href={to(["concepts", concept])}><strong>{stem}</strong></a>
                            <p class="soft small wrap"><Coded>{said}</Coded></p>
                            {warnings.map((warning) => <p key={warning} class="settings-warning small wrap"><Coded>{warning}</Coded></p>)}
                        </div>
                        <span class={`badge ${weights[state]}`}>{words.states[state]}</span>
                    </li>
                ))}
            </ul>
        </details>
    );
}
