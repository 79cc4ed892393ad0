// A concept in the programs that draw with it.
import { useState } from "preact/hooks";
import { ask, GET, POST } from "../../api/client";
import type { HostCheck, HostView, InstallView } from "../../api/schema";
import { count, fill } from "../../format";
import { Button } from "../../parts/button";
import { Empty, Failure, Loading, Notice, toastError } from "../../parts/notice";
import { to } from "../../router";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";
import type { Shown } from "./concept";
import { needsLook } from "./library";

const words = text.concepts.install;

/** Every known host, how the concept stands there, and what can be done about it. */
export function Installs(shown: Shown) {
    const { concept: { id, installs }, again } = shown;
    const { data: hosts, error } = useAsked(() => ask(GET("/v1/hosts")), []);
    const { run, busy } = useAction(async (ids: string[]) => {
        try {
            await ask(POST("/v1/concepts/{id}/install", { params: { path: { id } }, body: { hosts: ids, conflict: "suffix" } }));
        } catch (error) {
            toastError(error);
        }
        await again();
    });
    const without = hosts?.items.filter((host) => !installs.some((install) => install.host === host.id)) ?? [];
    return (
        <section class="card stack">
            <div class="row apart">
                <h2>{words.title}</h2>
                {without.length > 1 && <Button little busy={busy} onClick={() => void run(without.map(({ id }) => id))}>{words.everywhere}</Button>}
            </div>
            <p class="soft">{words.about}</p>
            <Failure error={error} />
            {!hosts ? !error && <Loading /> : hosts.items.length ? (
                <ul class="concepts-hosts">
                    {hosts.items.map((host) => <Host key={host.id} {...shown} host={host} install={installs.find((install) => install.host === host.id)} />)}
                </ul>
            ) : (
                <Empty action={<a class="button" href={to(["settings"])}>{words.settings}</a>}>{words.none}</Empty>
            )}
        </section>
    );
}

function Host({ concept, again, host, install }: Shown & { host: HostView; install: InstallView | undefined }) {
    const [check, setCheck] = useState<HostCheck | null>(null);
    const { run, busy } = useAction(async (what: () => Promise<unknown>) => {
        try {
            await what();
        } catch (error) {
            toastError(error);
        }
        await again();
    });
    const params = { path: { id: concept.id } };
    const put = async () => {
        await ask(POST("/v1/concepts/{id}/install", { params, body: { hosts: [host.id], conflict: "suffix" } }));
        setCheck(null);
    };
    const take = async () => {
        await ask(POST("/v1/concepts/{id}/uninstall", { params, body: { hosts: [host.id] } }));
        setCheck(null);
    };
    const verify = async () => setCheck(await ask(POST("/v1/hosts/{id}/verify", { params: { path: { id: host.id } } })));
    // What a check found stands until something is done, since only a check asks the host itself.
    const shown = install && (check?.installs.find((other) => other.concept === concept.id) ?? install);
    const name = text.hosts[host.kind];
    const button = (label: string, what: () => Promise<unknown>, kind?: "main") => (
        <Button little {...(kind && { kind })} busy={busy} label={fill(words.labelled, { action: label, host: name })} onClick={() => void run(what)}>{label}</Button>
    );
    return (
        <li class="stack">
            <div class="row apart">
                <div class="row">
                    <h3>{name}</h3>
                    <State install={shown} />
                </div>
                <div class="row">
                    {!shown && button(words.installing, put, "main")}
                    {shown && needsLook(shown) && button(words.repair, put, "main")}
                    {button(words.check, verify)}
                    {shown && shown.state !== "leaving" && button(words.remove, take)}
                </div>
            </div>
            <div class="soft small wrap">{host.folder}</div>
            {shown && <p>{shown.text}</p>}
            {check?.running != null && <p class="soft small">{check.running ? words.running : words.off}</p>}
            {[...(check?.problems ?? []), ...(shown?.warnings ?? [])].map((warning) => <Notice key={warning} kind="warn">{warning}</Notice>)}
            {shown && shown.files.length > 0 && (
                <details class="small">
                    <summary>{count(shown.files.length, words.files)}</summary>
                    <ul class="concepts-files">{shown.files.map((file) => <li key={file}><code class="wrap">{file}</code></li>)}</ul>
                </details>
            )}
        </li>
    );
}

function State({ install }: { install: InstallView | undefined }) {
    const state = install?.state ?? "none";
    const weight = !install || state === "leaving" ? "" : state === "installed" || state === "seen" ? "good" : state === "failed" ? "bad" : "warn";
    return <span class={`badge ${weight}`}>{words.states[state]}</span>;
}
