// A table of creations: its pictures as they come, each with a large view.
import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { fill } from "../../../format";
import { Button } from "../../../parts/button";
import { Progress } from "../../../parts/notice";
import { text } from "../../../text";
import { seen, useCreations } from "./creations";
import { carryOn, isMissing, pictureOf, redo, stop, type Cell, type Drawing, type Line } from "./drawing";
import { Large } from "./large";

const words = text.concepts.draw;

/** What a view adds to a table. */
interface Extras {
    /** Below a row's label. */
    ofRow?: (row: Line) => ComponentChildren;
    /** Below a picture. */
    ofCell?: (cell: Cell) => ComponentChildren;
}

/** The table that was drawn last, if any. */
export function DrawingTable({ drawing, ...extras }: { drawing: Signal<Drawing | null> } & Extras) {
    const now = drawing.value;
    useEffect(() => void carryOn(drawing), [drawing]);
    useCreations(now?.cells.flatMap(({ creation }) => creation ?? []) ?? []);
    return now && <Table drawing={drawing} now={now} {...extras} />;
}

function Table({ drawing, now, ofRow, ofCell }: { drawing: Signal<Drawing | null>; now: Drawing } & Extras) {
    const [large, setLarge] = useState<number | null>(null);
    const drawn = now.cells.filter((cell) => pictureOf(cell)).length;
    const missing = now.cells.filter((cell) => isMissing(cell, now.going)).length;
    const open = now.cells.length - drawn - missing;
    const seeds = new Set(now.cells.map(({ seed }) => seed));
    const [seed = 0] = seeds;
    return (
        <div class="stack">
            <div class="row apart">
                <span class="soft small wrap">{fill(seeds.size === 1 ? words.askedSeed : words.asked, { prompt: now.prompt, steps: now.steps, seed })}</span>
                {open > 0 ? <Button little icon="stop" onClick={() => void stop(drawing)}>{words.stop}</Button> : missing > 0 && <Button little onClick={() => redo(drawing)}>{words.rest}</Button>}
            </div>
            {open > 0 && (
                <div class="row">
                    <div class="grow"><Progress share={drawn / now.cells.length} label={fill(words.progress, { done: drawn, all: now.cells.length })} /></div>
                    <span class="small number" aria-live="polite">{fill(words.progress, { done: drawn, all: now.cells.length })}</span>
                </div>
            )}
            <div class="scroll" tabIndex={0} role="region" aria-label={now.prompt}>
                <table class="concepts-table">
                    <thead>
                        <tr>
                            <td />
                            {now.columns.map(({ label }, column) => <th key={column} scope="col">{label}</th>)}
                        </tr>
                    </thead>
                    <tbody>
                        {now.rows.map((row, at) => (
                            <tr key={at}>
                                <th scope="row">
                                    <div class="wrap">{row.label}</div>
                                    {ofRow?.(row)}
                                </th>
                                {now.cells.map((cell, place) => cell.row === at && (
                                    <td key={place}>
                                        <Picture cell={cell} now={now} onOpen={() => setLarge(place)} />
                                        {ofCell?.(cell)}
                                    </td>
                                ))}
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
            {large !== null && <Large now={now} at={large} onShow={setLarge} onClose={() => setLarge(null)} />}
        </div>
    );
}

function Picture({ cell, now, onOpen }: { cell: Cell; now: Drawing; onOpen: () => void }) {
    const picture = pictureOf(cell);
    if (picture) {
        const [row, column] = [now.rows[cell.row]?.label ?? "", now.columns[cell.column]?.label ?? ""];
        return (
            <button type="button" class="concepts-cell" aria-label={fill(words.enlarge, { row, column })} onClick={onOpen}>
                <img src={picture} alt="" loading="lazy" decoding="async" />
            </button>
        );
    }
    const view = cell.creation ? seen.value[cell.creation] : undefined;
    const failure = cell.failure ?? view?.failure?.reason;
    const [state, about] =
        failure !== undefined ? [words.failed, failure]
        : view === null ? [words.gone]
        : isMissing(cell, now.going) ? [words.notDrawn]
        : view?.state === "running" ? [words.drawing]
        : [words.waiting];
    return (
        <div class={`concepts-cell blank ${view?.state === "running" ? "drawing" : ""}`}>
            <span>{state}</span>
            {about && <span class="concepts-why">{about}</span>}
        </div>
    );
}
