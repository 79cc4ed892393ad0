// A picture large: where its crop is, what is known about it.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Crop, DatasetView, PictureView } from "../../api/schema";
import { fill } from "../../format";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Check } from "../../parts/field";
import { Notice } from "../../parts/notice";
import { text } from "../../text";
import { around, axisOf, focusAt, lengthOf, middleOf, type Part } from "./crop";
import type { Decide } from "./decide";
import type { Group } from "./findings";
import { Frame } from "./frame";
import { open, opened } from "./opened";

const words = text.new.large;

/** A window with a picture; `part` is its crop. */
export function Large({ dataset, at, crop, part, remarks, round, decide }: { dataset: DatasetView; at: number; crop: Crop; part: Part | null; remarks: readonly Group[]; round: number; decide: Decide }) {
    const { pictures } = dataset;
    const picture = pictures[at];
    const [mask, showMask] = useState(false);
    const step = (by: number) => {
        const next = pictures[at + by];
        if (next) {
            open(dataset.id, next.name);
        }
    };
    useArrows(step);
    if (!picture) {
        return null;
    }
    const foot = (
        <>
            <span class="soft small number large-place">{fill(words.place, { at: at + 1, all: pictures.length })}</span>
            <Button onClick={() => decide([picture], { used: !picture.used })}>{picture.used ? text.new.pictures.leaveOut : text.new.pictures.takeBack}</Button>
            <Button icon="back" disabled={at === 0} label={words.previous} onClick={() => step(-1)} />
            <span class="turned"><Button icon="back" disabled={at === pictures.length - 1} label={words.next} onClick={() => step(1)} /></span>
        </>
    );
    return (
        <Dialog title={picture.name} wide foot={foot} onClose={() => (opened.value = null)}>
            <div class="large">
                <Movable key={picture.name} dataset={dataset.id} picture={picture} crop={crop} part={part} mask={mask ? round : undefined} decide={decide} />
                <div class="stack">
                    {!picture.used && <Notice>{text.new.pictures.out}</Notice>}
                    <Facts picture={picture} remarks={remarks} />
                    <Check label={words.mask} checked={mask} onChange={showMask} />
                </div>
            </div>
        </Dialog>
    );
}

/** The keys left and right lead on, but where they mean something else already. */
function useArrows(step: (by: number) => void): void {
    const latest = useRef(step);
    latest.current = step;
    useEffect(() => {
        const pressed = (event: KeyboardEvent) => {
            const by = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
            const meant = event.target instanceof HTMLInputElement || event.altKey || event.ctrlKey || event.metaKey;
            if (by && !meant) {
                latest.current(by);
            }
        };
        addEventListener("keydown", pressed);
        return () => removeEventListener("keydown", pressed);
    }, []);
}

/** The picture with its crop, which is dragged, or moved by a slider. */
function Movable({ dataset, picture, crop, part, mask, decide }: { dataset: string; picture: PictureView; crop: Crop; part: Part | null; mask: number | undefined; decide: Decide }) {
    const [moving, move] = useState<number | null>(null);
    const grip = useRef<{ from: number; at: number; side: number } | null>(null);
    const across = axisOf(picture) === "across";
    const half = lengthOf(picture) / 2;
    const bound = (at: number) => Math.min(1 - half, Math.max(half, at));
    const shown = part && moving !== null ? around(picture, moving) : part;
    const keep = (at: number) => {
        move(null);
        decide([picture], { focus: focusAt(picture, bound(at)) });
    };
    const slid = (event: { currentTarget: HTMLInputElement }) => half + (event.currentTarget.valueAsNumber / 100) * (1 - 2 * half);
    const place = (event: PointerEvent) => (across ? event.clientX : event.clientY);
    const dragged = (event: PointerEvent) => (grip.current ? bound(grip.current.at + (place(event) - grip.current.from) / grip.current.side) : 0);
    const grab = (event: PointerEvent & { currentTarget: HTMLElement }) => {
        const box = event.currentTarget.firstElementChild?.getBoundingClientRect();
        if (part && box && event.button === 0) {
            event.preventDefault();
            event.currentTarget.setPointerCapture(event.pointerId);
            grip.current = { from: place(event), at: middleOf(picture, part), side: across ? box.width : box.height };
        }
    };
    const drop = (event: PointerEvent) => {
        if (grip.current && moving !== null) {
            keep(dragged(event));
        }
        grip.current = null;
    };
    return (
        <div class="stack">
            <div class={`large-view ${part ? "movable" : ""}`} onPointerDown={grab} onPointerMove={(event) => grip.current && move(dragged(event))} onPointerUp={drop} onPointerCancel={() => (move(null), (grip.current = null))}>
                <Frame dataset={dataset} picture={picture} alt={picture.caption ?? picture.name} crop={shown} mask={mask} />
            </div>
            {part && shown ? (
                <div class="row">
                    <label class="large-slider grow">
                        <span class="small">{across ? words.across : words.down}</span>
                        <input type="range" min={0} max={100} value={(100 * (middleOf(picture, shown) - half)) / (1 - 2 * half)} onInput={(event) => move(slid(event))} onChange={(event) => keep(slid(event))} />
                    </label>
                    {picture.focus ? <Button little onClick={() => decide([picture], { focus: null })}>{words.automatic}</Button> : <span class="soft small">{words.drag}</span>}
                </div>
            ) : (
                <p class="soft small">{crop === "bucket" ? words.whole : words.square}</p>
            )}
        </div>
    );
}

function Facts({ picture, remarks }: { picture: PictureView; remarks: readonly Group[] }) {
    const { width, height, repeats, caption, name } = picture;
    const said = remarks.flatMap((group) => group.said.filter((said) => said.pictures.some((one) => one.name === name)).map((said) => ({ ...group, message: said.message })));
    return (
        <>
            <dl class="definition">
                <dt>{words.caption}</dt>
                <dd>{caption ?? <span class="soft">{words.noCaption}</span>}</dd>
                <dt>{words.size}</dt>
                <dd class="number">{fill(text.new.pictures.size, { width, height })}</dd>
                {repeats > 1 && <><dt>{words.repeats}</dt><dd>{fill(words.times, { n: repeats })}</dd></>}
            </dl>
            {said.length > 0 && (
                <div class="stack">
                    <h3>{words.found}</h3>
                    {said.map(({ key, severity, message, advice }) => (
                        <div key={key + message} class={`finding ${severity}`}>
                            <p>{message}</p>
                            <p class="soft small">{advice}</p>
                        </div>
                    ))}
                </div>
            )}
        </>
    );
}
