// How many pictures.
import { Button } from "../../parts/button";
import { text } from "../../text";
import { change, draft } from "./draft";
import { NumberLine } from "./number";

const words = text.create.count;

/** A number between two buttons. */
export function Count() {
    const { count } = draft.value;
    return (
        <div class="create-count" role="group" aria-label={words.label}>
            <Button label={words.fewer} disabled={count <= 1} onClick={() => change({ count: count - 1 })}>−</Button>
            <NumberLine label={words.label} value={count} min={1} max={64} step={1} onChange={(count) => change({ count })} />
            <Button label={words.more} disabled={count >= 64} onClick={() => change({ count: count + 1 })}>+</Button>
        </div>
    );
}
