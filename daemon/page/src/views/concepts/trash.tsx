// Deleted concepts: restored, or deleted for good.
import { useState } from "preact/hooks";
import { ask, DELETE, GET, POST } from "../../api/client";
import type { TrashedConcept } from "../../api/schema";
import { bytes, fill, when } from "../../format";
import { Button } from "../../parts/button";
import { Confirm } from "../../parts/dialog";
import { Back, Head } from "../../parts/head";
import { Empty, Failure, Loading, toast, toastError } from "../../parts/notice";
import { to } from "../../router";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";

const words = text.concepts.bin;
const REFRESH_MS = 15_000;

/** `#/concepts/trash`. */
export function TrashPage() {
    const { data, error, again } = useAsked(() => ask(GET("/v1/trash")), [], REFRESH_MS);
    const [doomed, setDoomed] = useState<TrashedConcept | null>(null);
    const { run: erase, busy } = useAction(async ({ id, name }: TrashedConcept) => {
        try {
            await ask(DELETE("/v1/trash/{id}", { params: { path: { id } } }));
            toast(fill(words.gone, { name }));
        } catch (error) {
            toastError(error);
        }
        setDoomed(null);
        await again();
    });
    return (
        <>
            <Back to={to(["concepts"])}>{words.back}</Back>
            <Head title={words.title} about={words.about} />
            <Failure error={error} again={() => void again()} />
            {!data ? !error && <Loading /> : data.items.length ? (
                <ul class="concepts-trash">
                    {data.items.map((item) => <Trashed key={item.id} item={item} again={again} onErase={() => setDoomed(item)} />)}
                </ul>
            ) : (
                <Empty>{words.none}</Empty>
            )}
            {doomed && (
                <Confirm title={fill(words.sure, { name: doomed.name })} action={words.forGood} busy={busy} onDo={() => void erase(doomed)} onClose={() => setDoomed(null)}>
                    <p>{words.sureAbout}</p>
                </Confirm>
            )}
        </>
    );
}

function Trashed({ item, again, onErase }: { item: TrashedConcept; again: () => Promise<void>; onErase: () => void }) {
    const { run: restore, busy } = useAction(async () => {
        try {
            await ask(POST("/v1/trash/{id}/restore", { params: { path: { id: item.id } } }));
            toast(fill(words.restored, { name: item.name }));
        } catch (error) {
            toastError(error);
        }
        await again();
    });
    return (
        <li class="card row apart">
            <div>
                <h2 class="wrap">{item.name}</h2>
                <p class="soft small">{[text.modes[item.mode], bytes(item.bytes), fill(words.deleted, { when: when(item.deleted_at_ms) })].join(" · ")}</p>
            </div>
            <div class="row">
                <Button busy={busy} label={fill(words.restoreOne, { name: item.name })} onClick={() => void restore()}>{words.restore}</Button>
                <Button kind="bad" label={fill(words.forGoodOne, { name: item.name })} onClick={onErase}>{words.forGood}</Button>
            </div>
        </li>
    );
}
