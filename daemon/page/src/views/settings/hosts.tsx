// The programs that concepts are installed into.
import { useState } from "preact/hooks";
import { ask, GET, POST } from "../../api/client";
import type { FoundHost, HostView } from "../../api/schema";
import { Button } from "../../parts/button";
import { Empty, Failure, Loading, toast, toastError } from "../../parts/notice";
import { fill } from "../../format";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";
import { HostCard } from "./host_card";
import { HostForm } from "./host_form";
import { Page } from "./page";

const words = text.settings.hosts;

/** Those that are known, those that are found, and a form for others. */
export function Hosts() {
    const { data, error, again } = useAsked(() => ask(GET("/v1/hosts")), [], 10_000);
    const [found, setFound] = useState<FoundHost[]>();
    const [adding, setAdding] = useState(false);
    const detect = useAction(async () => setFound((await ask(POST("/v1/hosts/detect"))).items));
    const added = (host: HostView) => {
        toast(fill(words.added, { kind: text.hosts[host.kind] }));
        setAdding(false);
        void again();
    };
    const actions = (
        <>
            <Button kind="main" icon="search" busy={detect.busy} onClick={() => void detect.run()}>{detect.busy ? text.settings.reading : words.detect}</Button>
            <Button icon="add" onClick={() => setAdding(true)}>{words.add}</Button>
        </>
    );
    return (
        <Page title={text.settings.pages.hosts} about={words.about} actions={actions}>
            <Failure error={detect.error} />
            {found && <Found found={found} known={data?.items ?? []} onAdded={added} />}
            <Failure error={error} again={() => void again()} />
            {data ? data.items.map((host) => <HostCard key={host.id} host={host} onForgotten={() => void again()} />) : !error && <Loading />}
            {data?.items.length === 0 && !found && <Empty>{words.none}</Empty>}
            {adding && <HostForm onAdded={added} onClose={() => setAdding(false)} />}
        </Page>
    );
}

function Found({ found, known, onAdded }: { found: FoundHost[]; known: HostView[]; onAdded: (host: HostView) => void }) {
    const isKnown = (one: FoundHost) => known.some((host) => host.id === one.known || (host.loras === one.loras && host.embeddings === one.embeddings));
    return (
        <section class="card" aria-live="polite">
            <h3>{words.found}</h3>
            {found.length === 0 && <p class="soft">{words.foundNone}</p>}
            <ul class="settings-list">
                {found.map((one) => <FoundOne key={`${one.kind} ${one.loras} ${one.folder}`} found={one} known={isKnown(one)} onAdded={onAdded} />)}
            </ul>
        </section>
    );
}

function FoundOne({ found, known, onAdded }: { found: FoundHost; known: boolean; onAdded: (host: HostView) => void }) {
    const { kind, folder, loras, embeddings, url } = found;
    const { run, busy } = useAction(() => ask(POST("/v1/hosts", { body: { kind, folder, loras, embeddings, url } })).then(onAdded, toastError));
    return (
        <li>
            <div class="grow">
                <strong>{text.hosts[kind]}</strong> <span class="soft">{found.evidence}</span>
                <div class="mono wrap">{folder}</div>
            </div>
            {known ? <span class="badge good">{words.known}</span> : <Button little icon="add" busy={busy} label={`${words.addFound} ${folder}`} onClick={() => void run()}>{words.addFound}</Button>}
        </li>
    );
}
