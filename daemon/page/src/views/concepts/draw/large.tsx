// A picture of a table, large; the arrow keys go to the others.
import { useEffect, useState } from "preact/hooks";
import { choosePreview } from "../../../api/library";
import { fill } from "../../../format";
import { Button } from "../../../parts/button";
import { Dialog } from "../../../parts/dialog";
import { Icon } from "../../../parts/icon";
import { toastError } from "../../../parts/notice";
import { useAction } from "../../../state/use";
import { text } from "../../../text";
import { nameOf, pictureOf, type Drawing } from "./drawing";

const words = text.concepts.draw;

/** One cell of a table; `onShow` is asked for another one. */
export function Large({ now, at, onShow, onClose }: { now: Drawing; at: number; onShow: (at: number) => void; onClose: () => void }) {
    const cell = now.cells[at];
    const picture = cell && pictureOf(cell);
    const others = now.cells.flatMap((cell, place) => (pictureOf(cell) ? place : []));
    const turn = (by: number) => {
        const next = others[(others.indexOf(at) + by + others.length) % others.length];
        if (next !== undefined) {
            onShow(next);
        }
    };
    useEffect(() => {
        const press = ({ key }: KeyboardEvent) => (key === "ArrowLeft" ? turn(-1) : key === "ArrowRight" ? turn(1) : undefined);
        addEventListener("keydown", press);
        return () => removeEventListener("keydown", press);
    });
    const [chosen, setChosen] = useState<number | null>(null);
    const { run: choose, busy } = useAction(async () => {
        try {
            if (cell?.creation) {
                await choosePreview(cell.apply.concept, cell.creation, 0);
                setChosen(at);
            }
        } catch (error) {
            toastError(error);
        }
    });
    if (!cell || !picture) {
        return null;
    }
    return (
        <Dialog
            wide
            title={nameOf(now, cell)}
            onClose={onClose}
            foot={
                <>
                    <Button icon={chosen === at ? "check" : "pictures"} busy={busy} onClick={() => void choose()}><span aria-live="polite">{chosen === at ? words.previewSet : words.preview}</span></Button>
                    <a class="button" href={picture} download>
                        <Icon name="download" />
                        {words.save}
                    </a>
                </>
            }
        >
            <div class="concepts-large">
                <Button icon="back" label={words.previous} disabled={others.length < 2} onClick={() => turn(-1)} />
                <img src={picture} alt={fill(words.pictureOf, { name: nameOf(now, cell), prompt: now.prompt })} />
                <Button icon="forth" label={words.next} disabled={others.length < 2} onClick={() => turn(1)} />
            </div>
        </Dialog>
    );
}
