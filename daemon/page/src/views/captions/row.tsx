// A picture with its caption. It draws itself anew when its own signals change, and at no other key press.
import { useSignal } from "@preact/signals";
import { useId, useMemo } from "preact/hooks";
import type { Mode, PictureView } from "../../api/schema";
import { fill } from "../../format";
import { Button } from "../../parts/button";
import { Coded } from "../../parts/code";
import { Icon } from "../../parts/icon";
import { text } from "../../text";
import { Thumb } from "../new/thumb";
import type { Book, Entry } from "./book";
import { Caption } from "./caption";
import { Changes } from "./changes";
import { originOf } from "./filter";
import { bareCaption, MOST_TOKENS, names, tidy, tokens, withConcept } from "./words";

const words = text.captions;

/** What all rows are drawn with. */
export interface Around {
    book: Book;
    dataset: string;
    concept: RegExp;
    mode: Mode | null;
    /** New tokens of the concept, which count in a caption's length. */
    each: number;
}

/** A row, made once and kept for as long as it is of the same picture. */
export function Row({ entry, picture, around }: { entry: Entry; picture: PictureView; around: Around }) {
    // Rows do not change when others do, and preact leaves what is the same as before alone.
    return useMemo(() => <Inside entry={entry} picture={picture} around={around} />, [entry, picture.sha256, around]);
}

function Inside({ entry, picture, around: { book, dataset, concept, mode, each } }: { entry: Entry; picture: PictureView; around: Around }) {
    const [typed, state, { described }] = [entry.typed.value, entry.state.value, entry.view.value];
    const id = useId();
    const long = tokens(typed, concept, each);
    const nameless = typed.trim() !== "" && !names(typed, concept);
    const put = (caption: string) => {
        book.edit(entry, caption);
        void book.flush();
    };
    const left = () => {
        entry.typed.value = tidy(entry.typed.peek());
        void book.flush();
    };
    return (
        <>
            <div class="caption-pick">
                <input type="checkbox" aria-label={fill(words.select, { name: picture.name })} checked={entry.chosen.value} onChange={(event) => (entry.chosen.value = event.currentTarget.checked)} />
                <Thumb dataset={dataset} sha256={picture.sha256} alt={fill(words.thumbnail, { name: picture.name })} kind="picture caption-picture" />
            </div>
            <div class="caption-side">
                <Caption id={id} label={fill(words.of, { name: picture.name })} described={`${id}-about`} text={typed} concept={concept} placeholder={fill(words.bare, { prompt: bareCaption(mode) })} wrong={state === "failed"} onInput={(caption) => book.edit(entry, caption)} onBlur={left} />
                <div class="caption-about" id={`${id}-about`}>
                    <Origin entry={entry} />
                    <span class="caption-name soft" title={picture.name}>{picture.name}</span>
                    {state !== "still" && (
                        <span class={state === "failed" ? "caption-failed" : "soft"}>
                            {state === "saved" && <Icon name="check" size={14} />}
                            {state === "failed" && <Icon name="warn" size={14} />} {words.state[state]}
                        </span>
                    )}
                    {typed.trim() !== "" && long <= MOST_TOKENS && <span class="soft number caption-tokens">{fill(words.tokens, { n: long })}</span>}
                </div>
                {long > MOST_TOKENS && <p class="caption-hint"><Icon name="warn" size={15} /> {fill(words.long, { n: long })}</p>}
                {nameless && (
                    <p class="caption-hint">
                        <span title={fill(words.namelessHelp, { text: withConcept(tidy(typed), mode) })}><Icon name="warn" size={15} /> {words.nameless}</span>
                        <Button kind="plain" little onClick={() => put(withConcept(tidy(typed), mode))}>{words.insert}</Button>
                    </p>
                )}
                {described && <Described entry={entry} onUse={() => put(described.text)} />}
            </div>
        </>
    );
}

function Origin({ entry }: { entry: Entry }) {
    const origin = originOf(entry);
    const kind = { edited: "accent", beside: "", model: "good", nobody: "warn" }[origin];
    return <span class={`badge ${kind}`} title={words.originHelp[origin]}>{words.origin[origin]}</span>;
}

/** What a captioner wrote, what was made of it, and the way back to it. */
function Described({ entry, onUse }: { entry: Entry; onUse: () => void }) {
    const open = useSignal(false);
    const { described } = entry.view.value;
    if (!described) {
        return null;
    }
    const used = tidy(entry.typed.value) === described.text;
    return (
        <div class="caption-described">
            <details open={open.value} onToggle={(event) => (open.value = event.currentTarget.open)}>
                <summary>{words.changed}</summary>
                {open.value && (
                    <div class="stack">
                        <p class="soft small">{fill(described.raw === described.text ? words.unchanged : words.by, { by: described.by })}</p>
                        <Changes from={described.raw} to={described.text} />
                        {described.changes.length > 0 && <ul class="small">{described.changes.map((change) => <li key={change}><Coded>{change}</Coded></li>)}</ul>}
                    </div>
                )}
            </details>
            {!used && <Button kind="plain" little label={fill(words.reuseOf, { name: entry.picture })} onClick={onUse}>{words.reuse}</Button>}
        </div>
    );
}
