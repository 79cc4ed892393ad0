// Changing many captions at once, with a look at what would come of it.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import type { Signal } from "@preact/signals";
import { count } from "../../format";
import { Button, Segments } from "../../parts/button";
import { Check, TextField } from "../../parts/field";
import { toast } from "../../parts/notice";
import { text } from "../../text";
import type { Book, Entry } from "./book";
import { Changes } from "./changes";
import { added, replaced } from "./replace";
import { tidy } from "./words";

const words = text.captions.bulk;
const SHOWN = 5;

/** What a change of many is to do. */
export interface Wish {
    open: boolean;
    what: "replace" | "add" | "clear";
    find: string;
    put: string;
    whole: boolean;
    exact: boolean;
    words: string;
    where: "front" | "end";
}

/** Nothing yet. */
export const NO_WISH: Wish = { open: false, what: "replace", find: "", put: "", whole: true, exact: false, words: "", where: "front" };

function wished(caption: string, wish: Wish): string {
    switch (wish.what) {
        case "replace":
            return replaced(caption, wish.find, wish.put, wish);
        case "add":
            return added(caption, wish.words, wish.where);
        case "clear":
            return "";
    }
}

/** The form, of which only what is to be done stays when it is closed. */
export function Bulk({ book, wish, targets, selected }: { book: Book; wish: Signal<Wish>; targets: Entry[]; selected: boolean }) {
    const { value } = wish;
    const set = (part: Partial<Wish>) => (wish.value = { ...wish.peek(), ...part });
    return (
        <details class="caption-panel caption-bulk" open={value.open} onToggle={(event) => event.currentTarget.open !== value.open && set({ open: event.currentTarget.open })}>
            <summary><h3>{words.title}</h3></summary>
            {value.open && (
                <div class="stack">
                    <div class="row">
                        <Segments label={words.what} value={value.what} choices={[["replace", words.replace], ["add", words.add], ["clear", words.clear]]} onChange={(what) => set({ what })} />
                        <span class="soft small">{count(targets.length, selected ? words.onSelected : words.onShown)}</span>
                    </div>
                    <Form wish={value} set={set} />
                    <Outcome book={book} wish={value} targets={targets} />
                </div>
            )}
        </details>
    );
}

function Form({ wish, set }: { wish: Wish; set: (part: Partial<Wish>) => void }): ComponentChildren {
    switch (wish.what) {
        case "replace":
            return (
                <>
                    <div class="caption-two">
                        <TextField label={words.find} value={wish.find} autocomplete="off" onInput={(find) => set({ find })} />
                        <TextField label={words.put} hint={words.putHint} value={wish.put} autocomplete="off" onInput={(put) => set({ put })} />
                    </div>
                    <div class="row">
                        <Check label={words.whole} checked={wish.whole} onChange={(whole) => set({ whole })} />
                        <Check label={words.exact} checked={wish.exact} onChange={(exact) => set({ exact })} />
                    </div>
                </>
            );
        case "add":
            return (
                <div class="caption-two">
                    <TextField label={words.words} hint={words.wordsHint} value={wish.words} autocomplete="off" onInput={(words) => set({ words })} />
                    <div class="field">
                        <span class="label">{words.where}</span>
                        <div><Segments label={words.where} value={wish.where} choices={[["front", words.front], ["end", words.end]]} onChange={(where) => set({ where })} /></div>
                    </div>
                </div>
            );
        case "clear":
            return <p class="soft">{words.clearAbout}</p>;
    }
}

function Outcome({ book, wish, targets }: { book: Book; wish: Wish; targets: Entry[] }) {
    const id = useId();
    void book.settled.value;
    const changes = new Map<Entry, string>();
    for (const entry of targets) {
        const before = tidy(entry.typed.peek());
        const after = tidy(wished(before, wish));
        if (after !== before) {
            changes.set(entry, after);
        }
    }
    const apply = () => {
        book.apply(changes);
        toast(count(changes.size, words.done));
    };
    const nothing = changes.size === 0;
    return (
        <>
            {!nothing && (
                <section aria-labelledby={id} class="caption-preview">
                    <h4 id={id}>{words.preview}</h4>
                    <ul>
                        {[...changes].slice(0, SHOWN).map(([entry, after]) => (
                            <li key={entry.picture}>
                                <span class="soft small wrap">{entry.picture}</span>
                                <Changes from={entry.typed.peek()} to={after} />
                            </li>
                        ))}
                    </ul>
                    {changes.size > SHOWN && <p class="soft small">{count(changes.size - SHOWN, words.more)}</p>}
                </section>
            )}
            <div class="row">
                <Button kind={wish.what === "clear" ? "bad" : "main"} disabled={nothing} onClick={apply}>{count(changes.size, words.apply)}</Button>
                <span class="soft small" aria-live="polite">{nothing ? words.nothing : count(changes.size, words.count)}</span>
            </div>
        </>
    );
}

/** Takes the last change of many back. */
export function TakeBack({ book }: { book: Book }) {
    const undo = book.undo.value;
    if (!undo) {
        return null;
    }
    const takeBack = () => {
        const stay = book.takeBack();
        toast(stay > 0 ? `${words.undone}; ${count(stay, words.kept)}` : words.undone);
    };
    return <Button little icon="back" onClick={takeBack}>{count(Object.keys(undo).length, words.undo)}</Button>;
}
