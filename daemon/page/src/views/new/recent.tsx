// Data sets of earlier, to go on with or to delete.
import { useState } from "preact/hooks";
import { ask, DELETE, GET, Refused } from "../../api/client";
import type { DatasetSummary } from "../../api/schema";
import { bytes, count, fill, when } from "../../format";
import { Button } from "../../parts/button";
import { Confirm } from "../../parts/dialog";
import { Icon } from "../../parts/icon";
import { Empty, Failure, Loading, toast } from "../../parts/notice";
import { query, to } from "../../router";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";
import { forgetDraft, nameIn } from "./draft";
import { Thumb } from "./thumb";

const AT_ONCE = 12;
const page = (after?: string) => ask(GET("/v1/datasets", { params: { query: { limit: AT_ONCE, ...(after ? { after } : {}) } } }));

/** The newest data sets, and more on demand. */
export function Recent() {
    const { data, error, again, set } = useAsked(() => page(), []);
    const [deleting, choose] = useState<DatasetSummary | null>(null);
    const more = useAction(async () => {
        if (data?.next) {
            const { items, next } = await page(data.next);
            set({ items: [...data.items, ...items], next });
        }
    });
    const gone = (id: string) => {
        forgetDraft(id);
        choose(null);
        if (data) {
            set({ ...data, items: data.items.filter((item) => item.id !== id) });
        }
    };
    return (
        <section class="stack recent" aria-labelledby="recent">
            <h2 id="recent">{text.new.recent.title}</h2>
            <Failure error={error} again={() => void again()} />
            {!data && !error && <Loading />}
            {data?.items.length === 0 && <Empty>{text.new.recent.none}</Empty>}
            <ul class="recent-list">
                {data?.items.map((item) => <Item key={item.id} item={item} onDelete={() => choose(item)} />)}
            </ul>
            <Failure error={more.error} />
            {data?.next && <div><Button busy={more.busy} onClick={() => void more.run()}>{text.common.more}</Button></div>}
            {deleting && <Delete item={deleting} onGone={() => gone(deleting.id)} onClose={() => choose(null)} />}
        </section>
    );
}

function Item({ item, onDelete }: { item: DatasetSummary; onDelete: () => void }) {
    const given = nameIn(item.id);
    const name = given || text.new.recent.unnamed;
    return (
        <li class="card">
            <a href={to(["new", item.id], Object.fromEntries(query.value))}>
                {item.cover ? <Thumb dataset={item.id} sha256={item.cover} alt="" /> : <span class="thumb missing"><Icon name="pictures" size={24} /></span>}
                <span class="recent-words">
                    <strong class={given ? "" : "soft"}>{name}</strong>
                    <span class="small soft">{count(item.pictures, text.new.recent.pictures)} · {bytes(item.bytes)}</span>
                    <span class="small soft">{when(item.created_at_ms)}</span>
                </span>
            </a>
            <Button kind="plain" little icon="trash" label={fill(text.new.recent.delete, { name })} onClick={onDelete} />
        </li>
    );
}

function Delete({ item, onGone, onClose }: { item: DatasetSummary; onGone: () => void; onClose: () => void }) {
    const { run, busy, error } = useAction(async () => {
        try {
            await ask(DELETE("/v1/datasets/{id}", { params: { path: { id: item.id } } }));
            toast(text.new.recent.deleted);
        } catch (error) {
            // Another tab was faster.
            if (!(error instanceof Refused && error.problem.code === "not_found" && error.problem.status === 404)) {
                throw error;
            }
        }
        onGone();
    });
    const about = { pictures: count(item.pictures, text.new.recent.pictures), size: bytes(item.bytes), age: when(item.created_at_ms) };
    return (
        <Confirm title={text.new.recent.sure} action={text.common.delete} busy={busy} onDo={() => void run()} onClose={onClose}>
            <p>{fill(text.new.recent.about, about)}</p>
            <Failure error={error} />
        </Confirm>
    );
}
