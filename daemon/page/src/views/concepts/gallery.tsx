// Every concept of the library, one card for each name.
import { useEffect, useState } from "preact/hooks";
import type { ConceptView } from "../../api/schema";
import { count } from "../../format";
import { Button, Segments } from "../../parts/button";
import { Head } from "../../parts/head";
import { Icon } from "../../parts/icon";
import { Empty, Failure, Loading } from "../../parts/notice";
import { query, to } from "../../router";
import { useAsked } from "../../state/use";
import { text } from "../../text";
import { Card } from "./card";
import { Import } from "./import";
import { allConcepts, byName } from "./library";

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
    const [search, setSearch] = useState(query.value.get("search") ?? "");
    const [mode, setMode] = useState(query.value.get("mode") ?? "");
    const [family, setFamily] = useState(query.value.get("family") ?? "");
    useEffect(() => {
        // In the address, so that a reload finds the same; not in the history, since each letter would be a step back.
        const filter = Object.entries({ search, mode, family }).filter(([, value]) => value);
        history.replaceState(null, "", to(["concepts"], filter.length ? Object.fromEntries(filter) : undefined));
    }, [search, mode, family]);
    const wanted = search.trim().toLocaleLowerCase();
    const matching = concepts.filter(
        (concept) => concept.name.toLocaleLowerCase().includes(wanted) && (!mode || concept.mode === mode) && (!family || concept.family === family),
    );
    const groups = byName(matching);
    const families = new Set(concepts.map(({ family }) => family));
    const clear = () => (setSearch(""), setMode(""), setFamily(""));
    return (
        <>
            <div class="row concepts-filter">
                <input type="search" aria-label={text.concepts.search} placeholder={text.concepts.search} value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
                <Segments label={text.concepts.mode} value={mode} onChange={setMode} choices={[["", text.concepts.all], ...Object.entries(text.modes)]} />
                {(families.size > 1 || family) && (
                    <Segments label={text.concepts.family} value={family} onChange={setFamily} choices={[["", text.concepts.all], ...Object.entries(text.concepts.families)]} />
                )}
                <span class="soft small" aria-live="polite">{count(groups.length, text.concepts.shown)}</span>
            </div>
            {groups.length ? (
                <ul class="concepts-gallery">
                    {groups.map((versions) => <Card key={versions[0].name} versions={versions} />)}
                </ul>
            ) : (
                <Empty action={<Button onClick={clear}>{text.concepts.clear}</Button>}>{text.concepts.noneMatch}</Empty>
            )}
        </>
    );
}
