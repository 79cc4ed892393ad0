// What can be done with a concept as a whole.
import { useState } from "preact/hooks";
import { ask, DELETE, GET, PATCH, wordsOf } from "../../api/client";
import { fill } from "../../format";
import { Button } from "../../parts/button";
import { Confirm, Dialog } from "../../parts/dialog";
import { TextField } from "../../parts/field";
import { Icon, type IconName } from "../../parts/icon";
import { toast, toastError } from "../../parts/notice";
import { go, to } from "../../router";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";
import type { Shown } from "./concept";
import { hostsOf, titleOf } from "./library";

const words = text.concepts.one;

/** What a concept is for, beside its name. */
export function Uses({ concept: { id, job } }: Shown) {
    const { data: trained } = useAsked(async () => (job ? ask(GET("/v1/jobs/{id}", { params: { path: { id: job } } })) : null), [job]);
    return (
        <>
            <Link icon="brush" main to={to(["create"], { concept: id })}>{text.concepts.create}</Link>
            {trained && <Link icon="run" to={to(["new", trained.dataset], { job: trained.id })}>{words.again}</Link>}
            <Link icon="play" to={trained ? to(["new", trained.dataset], { job: trained.id, from: id }) : to(["new"], { from: id })}>{words.continue}</Link>
        </>
    );
}

/** What can be done with its files and its name. */
export function Actions(shown: Shown) {
    const [asking, setAsking] = useState<"rename" | "trash" | null>(null);
    const close = () => setAsking(null);
    return (
        <div class="row">
            <a class="button little" href={`/v1/concepts/${encodeURIComponent(shown.concept.id)}/bundle`} download><Icon name="download" size={15} />{words.download}</a>
            <Button little icon="edit" onClick={() => setAsking("rename")}>{words.rename}</Button>
            <Button little icon="trash" onClick={() => setAsking("trash")}>{words.toTrash}</Button>
            {asking === "rename" && <Rename {...shown} onClose={close} />}
            {asking === "trash" && <Discard {...shown} onClose={close} />}
        </div>
    );
}

function Link({ icon, main, to, children }: { icon: IconName; main?: boolean; to: string; children: string }) {
    return <a class={`button ${main ? "main" : ""}`} href={to}><Icon name={icon} />{children}</a>;
}

function Rename({ concept: { id, name }, set, onClose }: Shown & { onClose: () => void }) {
    const [typed, setTyped] = useState(name);
    const { run, busy, error } = useAction(async () => {
        set(await ask(PATCH("/v1/concepts/{id}", { params: { path: { id } }, body: { name: typed.trim(), bare_name: null } })));
        onClose();
    });
    const submit = (event: Event) => {
        event.preventDefault();
        void run();
    };
    return (
        <Dialog title={fill(words.renaming, { name })} onClose={onClose}>
            <form class="stack" onSubmit={submit}>
                <TextField label={words.newName} hint={words.renameHint} wrong={error ? wordsOf(error) : undefined} value={typed} maxLength={100} onInput={setTyped} />
                <footer class="row concepts-end">
                    <Button onClick={onClose}>{text.common.cancel}</Button>
                    <Button kind="main" type="submit" busy={busy} disabled={!typed.trim() || typed.trim() === name}>{words.rename}</Button>
                </footer>
            </form>
        </Dialog>
    );
}

function Discard({ concept, onClose }: Shown & { onClose: () => void }) {
    const name = titleOf(concept);
    const { run, busy } = useAction(async () => {
        try {
            await ask(DELETE("/v1/concepts/{id}", { params: { path: { id: concept.id } } }));
            toast(fill(words.trashed, { name }));
            go(["concepts"]);
        } catch (error) {
            toastError(error);
            onClose();
        }
    });
    return (
        <Confirm title={fill(words.sure, { name })} action={words.toTrash} busy={busy} onDo={() => void run()} onClose={onClose}>
            <p>{concept.installs.length ? fill(words.sureFrom, { hosts: hostsOf(concept.installs) }) : words.sureNowhere}</p>
        </Confirm>
    );
}
