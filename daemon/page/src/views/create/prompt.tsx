// The prompt, with a list of concepts while one's name is typed.
import { useId, useRef, useState } from "preact/hooks";
import type { ConceptView } from "../../api/schema";
import { count, fill } from "../../format";
import { Button } from "../../parts/button";
import { text } from "../../text";
import { names, typingAt } from "./calls";
import { applied, apply, change, draft, MOST_CONCEPTS } from "./draft";
import { concepts, familyOf, titleOf } from "./library";
import { Thumb } from "./thumb";

const words = text.create.prompt;

/** The field, and what it could say better. */
export function Prompt({ wrong }: { wrong: string | undefined }) {
    const id = useId();
    const area = useRef<HTMLTextAreaElement>(null);
    // Where the caret was when something was typed; null where nothing is offered.
    const [caret, setCaret] = useState<number | null>(null);
    const [at, setAt] = useState(0);
    const { prompt } = draft.value;
    const typing = caret === null ? undefined : typingAt(prompt, caret, concepts.value ?? [], applied.value);
    const offers = typing?.offers ?? [];

    const look = () => {
        const field = area.current;
        setCaret(field && field.selectionStart === field.selectionEnd ? field.selectionStart : null);
        setAt(0);
    };
    const pick = (concept: ConceptView) => {
        const field = area.current;
        if (field && typing) {
            const end = field.selectionStart;
            const space = /^[\s,.;:!?)'’]/.test(field.value.slice(end)) ? "" : " ";
            field.setSelectionRange(typing.from, end);
            write(field, `<${concept.name}>${space}`);
            apply(concept.id);
        }
        setCaret(null);
    };
    const pressed = (event: KeyboardEvent) => {
        const offer = offers[at];
        if (!offer || event.isComposing || event.ctrlKey || event.metaKey) {
            return;
        }
        if (event.key === "ArrowDown" || event.key === "ArrowUp") {
            setAt((at + (event.key === "ArrowDown" ? 1 : offers.length - 1)) % offers.length);
        } else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey) {
            pick(offer);
        } else if (event.key === "Escape") {
            setCaret(null);
        } else {
            return;
        }
        event.preventDefault();
    };
    return (
        <div class="field create-prompt">
            <label for={id}>{words.label}</label>
            <div class="create-prompt-box">
                <textarea
                    id={id}
                    ref={area}
                    rows={4}
                    maxLength={2000}
                    value={prompt}
                    placeholder={words.placeholder}
                    aria-autocomplete="list"
                    aria-haspopup="listbox"
                    aria-controls={offers.length ? `${id}-list` : undefined}
                    aria-activedescendant={offers.length ? `${id}-${at}` : undefined}
                    aria-describedby={wrong ? `${id}-hint ${id}-wrong` : `${id}-hint`}
                    aria-invalid={wrong ? "true" : undefined}
                    onInput={(event) => (change({ prompt: event.currentTarget.value }), look())}
                    onKeyDown={pressed}
                    onClick={look}
                    onBlur={() => setCaret(null)}
                />
                {offers.length > 0 && (
                    <ul class="create-offers" id={`${id}-list`} role="listbox" aria-label={words.offers}>
                        {offers.map((concept, index) => (
                            <li
                                key={concept.id}
                                id={`${id}-${index}`}
                                role="option"
                                aria-selected={index === at}
                                onMouseDown={(event) => (event.preventDefault(), pick(concept))}
                                onMouseEnter={() => setAt(index)}
                            >
                                <Thumb concept={concept} />
                                <span class="grow wrap">{titleOf(concept)}</span>
                                <span class="soft small">{applied.value.includes(concept) ? words.applied : `${text.modes[concept.mode]} · ${familyOf(concept.family)}`}</span>
                            </li>
                        ))}
                    </ul>
                )}
            </div>
            <span class="hide-visually" role="status">{offers.length > 0 && count(offers.length, words.count)}</span>
            <div class="hint" id={`${id}-hint`}>{words.hint}</div>
            {wrong && <div class="wrong" id={`${id}-wrong`} role="alert">{wrong}</div>}
            <Missing prompt={prompt} />
        </div>
    );
}

/** Replaces what is selected, in a way that Ctrl+Z takes back where the browser can. */
function write(field: HTMLTextAreaElement, words: string): void {
    field.focus();
    if (!document.execCommand("insertText", false, words)) {
        field.setRangeText(words, field.selectionStart, field.selectionEnd, "end");
        change({ prompt: field.value });
    }
}

/** What the prompt names but is not applied, and what is applied but not named. */
function Missing({ prompt }: { prompt: string }) {
    const used = applied.value;
    const taken = new Set(used.map(({ name }) => name));
    const named = concepts.value?.find(({ name }) => !taken.has(name) && names(prompt, name));
    const uncalled = prompt.trim() ? used.find(({ name }, index) => !names(prompt, name) && !(index === 0 && names(prompt, "<concept>"))) : undefined;
    return (
        <>
            {named && used.length < MOST_CONCEPTS && (
                <div class="create-tip" role="status">
                    <span class="grow">{fill(words.named, { name: titleOf(named) })}</span>
                    <Button little icon="add" onClick={() => apply(named.id)}>{fill(words.add, { name: titleOf(named) })}</Button>
                </div>
            )}
            {uncalled && (
                <div class="create-tip" role="status">
                    <span class="grow">{fill(words.uncalled, { name: titleOf(uncalled) })}</span>
                    <Button little onClick={() => change({ prompt: calling(prompt, uncalled) })}>{fill(words.call, { name: titleOf(uncalled) })}</Button>
                </div>
            )}
        </>
    );
}

function calling(prompt: string, { name, mode }: ConceptView): string {
    return fill(mode === "style" ? words.inStyle : words.with, { prompt: prompt.trim().replace(/[,.]$/, ""), name });
}
