// Every concept of the library, one card for each name.
import { useState } from "preact/hooks";
import { allConcepts } from "../../api/library";
import type { ConceptView } from "../../api/schema";
import { count } from "../../format";
import { Button, Segments } from "../../parts/button";
import { Head } from "../../parts/head";
import { Icon } from "../../parts/icon";
import { Empty, Failure, Loading } from "../../parts/notice";
import { query, replace, to } from "../../router";
import { useAsked } from "../../state/use";
import { text } from "../../text";
import { Card } from "./card";
import { Import } from "./import";
import { byName } from "./library";

const REFRESH_MS = 15_000;

/** `#/concepts`. */
export function Gallery() {
    const { data, error, again } = useAsked(allConcepts, [], REFRESH_MS);
    const [bundle, setBundle] = useState<File | "choose" | null>(null);
    const [over, setOver] = useState(false);
    const drop = (event: DragEvent) => {
        event.preventDefault();
        setOver(false);
        setBundle(event.dataTransfer?.files[0] ?? null);
    };
    const drag = (event: DragEvent) => {
        if (event.dataTransfer?.types.includes("Files")) {
            event.preventDefault();
            setOver(true);
        }
    };
    const leave = ({ currentTarget, relatedTarget }: DragEvent) => {
        if (!(currentTarget instanceof Node && relatedTarget instanceof Node && currentTarget.contains(relatedTarget))) {
            setOver(false);
        }
    };
    return (
        <div class={`concepts-drop ${over ? "over" : ""}`} onDragOver={drag} onDragLeave={leave} onDrop={drop}>
            <Head title={text.concepts.title} about={text.concepts.about}>
                <Button icon="up" onClick={() => setBundle("choose")}>{text.concepts.import}</Button>
                <a class="button" href={to(["concepts", "trash"])}>
                    <Icon name="trash" />
                    {text.concepts.trash}
                </a>
            </Head>
            <Failure error={error} again={() => void again()} />
            {data ? data.length ? <Found concepts={data} /> : <First /> : !error && <Loading />}
            {over && <div class="concepts-dropping" role="status">{text.concepts.drop}</div>}
            {bundle && <Import key={bundle === "choose" ? "" : `${bundle.name} ${bundle.lastModified}`} first={bundle === "choose" ? null : bundle} onClose={() => setBundle(null)} />}
        </div>
    );
}

function First() {
    return <Empty action={<a class="button main" href={to(["new"])}>{text.concepts.first}</a>}>{text.concepts.none}</Empty>;
}

function Found({ concepts }: { concepts: ConceptView[] }) {
    // In the address, so that a reload finds the same; not in the history, since each letter would be a step back.
    const { search = "", mode = "", family = "" } = Object.fromEntries(query.value) as Partial<Record<string, string>>;
    const filter = (change: Record<string, string>) =>
        replace(["concepts"], Object.fromEntries(Object.entries({ search, mode, family, ...change }).filter(([, value]) => value)));
    const wanted = search.trim().toLocaleLowerCase();
    const matching = concepts.filter(
        (concept) => concept.name.toLocaleLowerCase().includes(wanted) && (!mode || concept.mode === mode) && (!family || concept.family === family),
    );
    const groups = byName(matching);
    const families = new Set(concepts.map(({ family }) => family));
    return (
        <>
            <div class="row concepts-filter">
                <input type="search" aria-label={text.concepts.search} placeholder={text.concepts.search} value={search} onInput={(event) => filter({ search: event.currentTarget.value })} />
                <Segments label={text.concepts.mode} value={mode} onChange={(mode) => filter({ mode })} choices={[["", text.concepts.all], ...Object.entries(text.modes)]} />
                {(families.size > 1 || family) && (
                    <Segments label={text.concepts.family} value={family} onChange={(family) => filter({ family })} choices={[["", text.concepts.all], ...Object.entries(text.families)]} />
                )}
                <span class="soft small" aria-live="polite">{count(groups.length, text.concepts.shown)}</span>
            </div>
            {groups.length ? (
                <ul class="concepts-gallery">
                    {groups.map((versions) => <Card key={versions[0].name} versions={versions} />)}
                </ul>
            ) : (
                <Empty action={<Button onClick={() => replace(["concepts"])}>{text.concepts.clear}</Button>}>{text.concepts.noneMatch}</Empty>
            )}
        </>
    );
}
