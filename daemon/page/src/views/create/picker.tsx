// Chooses concepts to apply.
import { useState } from "preact/hooks";
import { fill } from "../../format";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { TextField } from "../../parts/field";
import { Empty, Loading } from "../../parts/notice";
import { to } from "../../router";
import { text } from "../../text";
import { apply, draft, MOST_CONCEPTS, unapply } from "./draft";
import { familyIn } from "./fit";
import { concepts, familyOf, titleOf } from "./library";
import { Thumb } from "./thumb";

const words = text.create.picker;

/** Every concept, to be pressed; those of another family than the rest say so. */
export function Picker({ onClose }: { onClose: () => void }) {
    const [search, setSearch] = useState("");
    const wanted = search.trim().toLowerCase();
    const shown = concepts.value?.filter(({ name }) => name.toLowerCase().includes(wanted));
    const family = familyIn(draft.value);
    const on = new Set(draft.value.concepts.map(({ concept }) => concept));
    const full = on.size >= MOST_CONCEPTS;
    return (
        <Dialog title={words.title} wide onClose={onClose} foot={<Button kind="main" onClick={onClose}>{words.done}</Button>}>
            <div class="stack">
                {(concepts.value?.length ?? 0) > 6 && <TextField label={words.search} type="search" value={search} onInput={setSearch} />}
                {!shown && <Loading />}
                {shown?.length === 0 && <Empty action={!wanted && <a class="button" href={to(["new"])}>{text.app.new}</a>}>{wanted ? words.nothing : text.create.strengths.noneThere}</Empty>}
                <ul class="create-picks">
                    {shown?.map((concept) => (
                        <li key={concept.id}>
                            <button type="button" aria-pressed={on.has(concept.id)} disabled={full && !on.has(concept.id)} onClick={() => (on.has(concept.id) ? unapply(concept.id) : apply(concept.id))}>
                                <Thumb concept={concept} large />
                                <span class="wrap">{titleOf(concept)}</span>
                                <span class="soft small">{text.modes[concept.mode]} · {familyOf(concept.family)}</span>
                                {family && family !== concept.family && <span class="badge warn">{words.other}</span>}
                            </button>
                        </li>
                    ))}
                </ul>
                <p class="soft small" role="status">{fill(words.chosen, { n: on.size, most: MOST_CONCEPTS })}</p>
            </div>
        </Dialog>
    );
}
