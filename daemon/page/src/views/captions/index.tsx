// The captions of a data set.
import { signal, untracked, type Signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Unreachable } from "../../api/client";
import type { DatasetView, PictureView } from "../../api/schema";
import { count, fill } from "../../format";
import { Button } from "../../parts/button";
import { Field } from "../../parts/field";
import { Icon } from "../../parts/icon";
import { Empty, Failure, Loading, Notice } from "../../parts/notice";
import { useGrowing, useQuiet } from "../../state/use";
import { text } from "../../text";
import type { Draft } from "../new/draft";
import { type Book, bookOf, type Entry } from "./book";
import { Bulk, NO_WISH, TakeBack, type Wish } from "./bulk";
import "./captions.css";
import { Describe, listed, mannerOf } from "./describe";
import { isOf, type Kind, KINDS } from "./filter";
import { Row, type Around } from "./row";
import { Shared } from "./shared";
import { mention } from "./words";

const words = text.captions;
const QUIET_MS = 150;
const NAME_MS = 500;

/** Every picture's caption: edit, replace, describe. `onChanged` is called when a picture's caption was changed. */
export function CaptionTable({ dataset, draft, onChanged }: { dataset: DatasetView; draft: Signal<Draft>; onChanged: () => void }) {
    const book = bookOf(dataset.id);
    book.changed = onChanged;
    useKept(book);
    if (!book.loaded.value) {
        return book.trouble.value && !(book.trouble.value instanceof Unreachable) ? <Failure error={book.trouble.value} again={() => void book.load()} /> : <Loading />;
    }
    return <Table book={book} dataset={dataset} draft={draft} />;
}

/** Reads captions now and whenever the tab is shown again, and saves what is left before the page is left. */
function useKept(book: Book): void {
    useEffect(() => {
        const turned = () => void (document.hidden ? book.flush(true) : book.load());
        const leaving = () => void book.flush(true);
        void book.load();
        document.addEventListener("visibilitychange", turned);
        addEventListener("pagehide", leaving);
        return () => {
            document.removeEventListener("visibilitychange", turned);
            removeEventListener("pagehide", leaving);
            void book.flush();
        };
    }, [book]);
}

interface Shown {
    entry: Entry;
    picture: PictureView;
}

function Table({ book, dataset, draft }: { book: Book; dataset: DatasetView; draft: Signal<Draft> }) {
    const { name: typed, mode, parameters } = draft.value;
    // Every row is drawn anew for another name.
    const name = useQuiet(typed, NAME_MS);
    const concept = useMemo(() => mention(name), [name]);
    const each = parameters.token_count ?? 3;
    const around = useMemo<Around>(() => ({ book, dataset: dataset.id, concept, mode, each }), [book, concept, mode, each]);
    const [search, kind, wish] = useMemo(() => [signal(""), signal<Kind>("all"), signal<Wish>(NO_WISH)] as const, [book]);
    const entries = book.entries.value;
    const used = useSteady(dataset.pictures.filter((picture) => picture.used));
    const all = useMemo<Shown[]>(
        () =>
            used.flatMap((picture) => {
                const entry = entries.get(picture.name);
                return entry ? [{ entry, picture }] : [];
            }),
        [used, entries],
    );
    const wanted = useQuiet(search.value, QUIET_MS);
    const shown = useMemo(() => untracked(() => sortedOut(all, wanted, kind.value, concept)), [all, wanted, kind.value, concept, book.turns.value]);
    const alone = useMemo(() => all.map(({ entry }) => entry), [all]);
    const bulk = useRef<HTMLDivElement>(null);

    const leaveOut = (phrase: string) => {
        const manner = mannerOf(dataset.id);
        const { leaveOut } = manner.peek();
        if (!listed(leaveOut).includes(phrase)) {
            manner.value = { ...manner.peek(), leaveOut: [...listed(leaveOut), phrase].join(", ") };
        }
        [search.value, kind.value] = ["", "all"];
        alone.forEach((entry) => (entry.chosen.value = false));
        wish.value = { ...NO_WISH, open: true, find: phrase };
        bulk.current?.scrollIntoView({ block: "center" });
        bulk.current?.querySelector("summary")?.focus({ preventScroll: true });
    };

    return (
        <div class="stack captions">
            <div class="row apart">
                <p class="soft small grow">{words.about} {words.keys}</p>
                <Saved book={book} />
            </div>
            <Unsaved book={book} />
            <Tools book={book} draft={draft} all={alone} shown={shown} wish={wish} onLeaveOut={leaveOut} place={bulk} />
            <Bar book={book} shown={shown} all={alone} search={search} kind={kind} concept={concept} />
            {used.length < dataset.pictures.length && <p class="soft small">{count(dataset.pictures.length - used.length, words.leftOut)}</p>}
            <Rows all={all} shown={shown} around={around} />
            {shown.length === 0 && <Empty action={<Button onClick={() => ([search.value, kind.value] = ["", "all"])}>{words.showAll}</Button>}>{words.none}</Empty>}
        </div>
    );
}

/** The same list for as long as it holds the same pictures, whatever else of the data set is asked for anew. */
function useSteady(pictures: PictureView[]): PictureView[] {
    const key = pictures.map(({ name, sha256 }) => `${name}\n${sha256}`).join("\n");
    return useMemo(() => pictures, [key]);
}

/** Rows that match, also those that no longer do once they are typed in. */
function sortedOut(all: Shown[], search: string, kind: Kind, concept: RegExp): Shown[] {
    const wanted = search.trim().toLowerCase();
    const says = ({ entry, picture }: Shown) => `${entry.typed.peek()}\n${picture.name}`.toLowerCase().includes(wanted);
    return all.filter((one) => isOf(one.entry, kind, concept) && (!wanted || says(one)));
}

function Tools({ book, draft, all, shown, wish, onLeaveOut, place }: { book: Book; draft: Signal<Draft>; all: Entry[]; shown: Shown[]; wish: Signal<Wish>; onLeaveOut: (phrase: string) => void; place: { current: HTMLDivElement | null } }) {
    const chosen = shown.map(({ entry }) => entry).filter((entry) => entry.chosen.value);
    return (
        <>
            <Describe book={book} draft={draft} entries={all} chosen={chosen} />
            <Shared book={book} entries={all} onLeaveOut={onLeaveOut} />
            <div ref={place}>
                <Bulk book={book} wish={wish} targets={chosen.length > 0 ? chosen : shown.map(({ entry }) => entry)} selected={chosen.length > 0} />
            </div>
        </>
    );
}

/** What is shown, and what of it is selected. */
function Bar({ book, shown, all, search, kind, concept }: { book: Book; shown: Shown[]; all: Entry[]; search: Signal<string>; kind: Signal<Kind>; concept: RegExp }) {
    const chosen = shown.filter(({ entry }) => entry.chosen.value).length;
    const some = useRef<HTMLInputElement>(null);
    const counts = useMemo(() => untracked(() => new Map(KINDS.map((one) => [one, all.filter((entry) => isOf(entry, one, concept)).length]))), [all, concept, book.settled.value]);
    useEffect(() => {
        if (some.current) {
            some.current.indeterminate = chosen > 0 && chosen < shown.length;
        }
    });
    return (
        <div class="caption-bar">
            <Field label={words.filter.search}>{(inside) => <input type="search" {...inside} value={search.value} onInput={(event) => (search.value = event.currentTarget.value)} />}</Field>
            <Field label={words.filter.kind}>
                {(inside) => (
                    <select {...inside} value={kind.value} onChange={(event) => (kind.value = KINDS.find((one) => one === event.currentTarget.value) ?? "all")}>
                        {KINDS.map((one) => <option key={one} value={one}>{fill(words.filter.option, { words: words.filter[one], n: counts.get(one) ?? 0 })}</option>)}
                    </select>
                )}
            </Field>
            <div class="row caption-bar-all">
                <label class="row">
                    <input ref={some} type="checkbox" checked={chosen > 0 && chosen === shown.length} onChange={(event) => shown.forEach(({ entry }) => (entry.chosen.value = event.currentTarget.checked))} />
                    {words.selectAll}
                </label>
                <span class="soft small number" aria-live="polite">
                    {chosen > 0 ? count(chosen, words.selected) : fill(words.shown, { n: shown.length, all: all.length })}
                </span>
                <TakeBack book={book} />
            </div>
        </div>
    );
}

/** The list; Enter in a caption goes to the next one. Rows that do not match are hidden, since to make them anew would take long. */
function Rows({ all, shown, around }: { all: Shown[]; shown: Shown[]; around: Around }) {
    const matching = new Set(shown);
    const drawn = useGrowing(all.length);
    const pressed = (event: KeyboardEvent) => {
        if (event.key !== "Enter" || event.isComposing || !(event.target instanceof HTMLTextAreaElement) || !(event.currentTarget instanceof HTMLElement)) {
            return;
        }
        event.preventDefault();
        const editors = [...event.currentTarget.querySelectorAll<HTMLElement>("li:not([hidden]) textarea")];
        editors[editors.indexOf(event.target) + (event.shiftKey ? -1 : 1)]?.focus();
    };
    return (
        <ul class="caption-rows" style={{ "--rows": shown.length }} onKeyDown={pressed}>
            {all.slice(0, drawn).map((one) => (
                <li key={one.picture.name} class="caption-row" hidden={!matching.has(one)}>
                    <Row entry={one.entry} picture={one.picture} around={around} />
                </li>
            ))}
        </ul>
    );
}

function Saved({ book }: { book: Book }) {
    const unsaved = book.unsaved.value;
    return (
        <span class="soft small caption-saved" aria-live="polite">
            {unsaved === 0 ? <><Icon name="check" size={15} /> {words.all.saved}</> : words.all.saving}
        </span>
    );
}

function Unsaved({ book }: { book: Book }) {
    const { value: trouble } = book.trouble;
    if (!trouble) {
        return null;
    }
    const unsaved = book.unsaved.value;
    return (
        <>
            <Failure error={trouble} />
            {unsaved > 0 && <Notice kind="warn" action={<Button little onClick={() => void book.flush()}>{text.common.again}</Button>}>{count(unsaved, words.unsaved)}</Notice>}
        </>
    );
}
