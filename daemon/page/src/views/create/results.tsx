// What was made, newest first.
import { useEffect, useState } from "preact/hooks";
import { Button } from "../../parts/button";
import { Empty, Failure, Loading } from "../../parts/notice";
import { count } from "../../format";
import { useAction, useQuiet } from "../../state/use";
import { text } from "../../text";
import { Card } from "./card";
import { passes } from "./facts";
import { creations, more, older, refresh, trouble } from "./history";
import type { Asking } from "./hosts";
import { concepts, titleOf } from "./library";

const words = text.create.results;

/** So many are looked for when a filter leaves few. */
const ENOUGH = 12;

/** The filter and the cards; `onShown` hears which ones pass. */
export function Results({ onHosts, onShown }: { onHosts: (asking: Asking) => void; onShown: (ids: string[]) => void }) {
    const [typed, setTyped] = useState("");
    const [concept, setConcept] = useState("");
    const search = useQuiet(typed, 200);
    const wanted = search.toLowerCase().split(/\s+/).filter(Boolean);
    const filtered = wanted.length > 0 || concept !== "";
    const shown = filtered ? creations.value.filter((creation) => passes(creation, wanted, concept)) : creations.value;
    const reading = useAction(more);
    useEffect(() => onShown(shown.map(({ id }) => id)), [shown.map(({ id }) => id).join()]);
    useEffect(() => {
        // The daemon cannot filter, so that older ones are read until enough pass.
        if (filtered && older.value && shown.length < ENOUGH && !reading.busy && !reading.error) {
            void reading.run(200);
        }
    }, [filtered, shown.length, creations.value.length, reading.busy]);
    const unread = older.value === undefined;
    return (
        <section class="create-results" aria-labelledby="create-results">
            <div class="create-filter">
                <h2 id="create-results" tabIndex={-1}>{words.title}</h2>
                {(filtered || creations.value.length > 1 || older.value) && (
                    <>
                        <input type="search" class="grow" aria-label={words.search} placeholder={words.search} value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
                        <select aria-label={words.concept} value={concept} onChange={(event) => setConcept(event.currentTarget.value)}>
                            <option value="">{words.everyConcept}</option>
                            {concepts.value?.map((known) => <option key={known.id} value={known.id}>{titleOf(known)}</option>)}
                        </select>
                    </>
                )}
            </div>
            <Failure error={trouble.value} again={() => void refresh()} />
            {unread && !trouble.value && <Loading />}
            {!unread && creations.value.length === 0 && <Empty>{words.none}</Empty>}
            {filtered && shown.length === 0 && !reading.busy && !older.value && <Empty>{words.nothing}</Empty>}
            {shown.map((creation) => <Card key={creation.id} creation={creation} onHosts={onHosts} />)}
            <Failure error={reading.error} again={() => void reading.run(200)} />
            {filtered && reading.busy && <p class="soft small" role="status">{count(creations.value.length, words.looked)}</p>}
            {older.value && <More busy={reading.busy} alone={!reading.error} onMore={() => void reading.run()} />}
        </section>
    );
}

/** Reads on when it is pressed, and `alone` when it comes into sight. */
function More({ busy, alone, onMore }: { busy: boolean; alone: boolean; onMore: () => void }) {
    const [place, setPlace] = useState<HTMLDivElement | null>(null);
    useEffect(() => {
        if (!place || busy || !alone) {
            return;
        }
        const watcher = new IntersectionObserver(([entry]) => entry?.isIntersecting && onMore(), { rootMargin: "600px" });
        watcher.observe(place);
        return () => watcher.disconnect();
    }, [place, busy, alone]);
    return <div ref={setPlace} class="create-more"><Button busy={busy} onClick={onMore}>{text.common.more}</Button></div>;
}
