// A table of pictures: one creation for each cell, asked for one after the other, and remembered by this browser.
import type { Signal } from "@preact/signals";
import { ask, POST, Refused, Unreachable, wordsOf } from "../../../api/client";
import type { ApplyConcept, CreationRequest } from "../../../api/schema";
import { fill } from "../../../format";
import { toastError } from "../../../parts/notice";
import { text } from "../../../text";
import { isOpen, seen, see } from "./creations";

/** What a row or a column stands for. */
export interface Line {
    label: string;
    /** The snapshot that a row shows. */
    step?: number;
}

/** What is drawn where a row meets a column. */
export interface Ask {
    apply: ApplyConcept;
    /** A checkpoint; null for the concept's own. */
    base: string | null;
    seed: number;
}

/** A cell: not asked for yet, asked for, or refused. */
export interface Cell extends Ask {
    row: number;
    column: number;
    creation?: string;
    failure?: string;
    /** Counts further attempts, which are other requests. */
    attempt: number;
}

/** A table, as it is kept. */
export interface Drawing {
    key: string;
    prompt: string;
    steps: number;
    rows: Line[];
    columns: Line[];
    cells: Cell[];
    /** Whether what is not asked for yet shall be. */
    going: boolean;
}

/** A table that asks for its cells row by row. */
export function begin(drawing: Signal<Drawing | null>, prompt: string, steps: number, rows: Line[], columns: Line[], of: (row: number, column: number) => Ask): void {
    const cells = rows.flatMap((_, row) => columns.map((_, column) => ({ row, column, attempt: 0, ...of(row, column) })));
    void stop(drawing);
    drawing.value = { key: `${Date.now()}-${Math.random().toString(36).slice(2)}`, prompt, steps, rows, columns, cells, going: true };
    void carryOn(drawing);
}

/** Where a cell's picture can be fetched. */
export function pictureOf({ creation }: Cell): string | undefined {
    return creation ? seen.value[creation]?.pictures[0] : undefined;
}

/** `step 60, strength 1`. */
export function nameOf({ rows, columns }: Drawing, { row, column }: Cell): string {
    return fill(text.concepts.draw.picture, { row: rows[row]?.label ?? "", column: columns[column]?.label ?? "" });
}

const busy = new WeakSet<Signal<Drawing | null>>();
const RETRY_MS = 2000;

/** Asks for what is not asked for yet; also after a reload, since each request has a key under which it counts once. */
export async function carryOn(drawing: Signal<Drawing | null>): Promise<void> {
    if (busy.has(drawing)) {
        return;
    }
    busy.add(drawing);
    try {
        for (;;) {
            const now = drawing.peek();
            const at = now?.going ? now.cells.findIndex(({ creation, failure }) => !creation && !failure) : -1;
            const cell = now?.cells[at];
            if (!now || !cell) {
                return;
            }
            try {
                const key = `${now.key}-${at}-${cell.attempt}`;
                const creation = await ask(POST("/v1/creations", { params: { header: { "Idempotency-Key": key } }, body: requestOf(now, cell) }));
                see(creation);
                if (!put(drawing, now.key, at, { creation: creation.id }) || !drawing.peek()?.going) {
                    // Stopped, or another table was begun, while this was on its way.
                    await cancel(creation.id);
                }
            } catch (error) {
                if (error instanceof Unreachable) {
                    await new Promise((done) => setTimeout(done, RETRY_MS));
                } else if (error instanceof Refused && error.problem.status === 401) {
                    return;
                } else {
                    put(drawing, now.key, at, { failure: wordsOf(error) });
                }
            }
        }
    } finally {
        busy.delete(drawing);
    }
}

function requestOf({ prompt, steps }: Drawing, { apply, base, seed }: Cell): CreationRequest {
    return { prompt, steps, seed, base, concepts: [apply], negative: "", width: null, height: null, cfg: 6, count: 1, init_image: null, init_strength: 0.6 };
}

/** Changes a cell, unless another table has taken its place. */
function put(drawing: Signal<Drawing | null>, key: string, at: number, change: Partial<Cell>): boolean {
    const now = drawing.peek();
    if (now?.key !== key) {
        return false;
    }
    drawing.value = { ...now, cells: now.cells.map((cell, place) => (place === at ? { ...cell, ...change } : cell)) };
    return true;
}

/** Ends what is not drawn yet. */
export async function stop(drawing: Signal<Drawing | null>): Promise<void> {
    const now = drawing.peek();
    if (!now) {
        return;
    }
    drawing.value = { ...now, going: false };
    // The last first, so that none begins because the one before it went.
    for (const { creation } of now.cells.toReversed()) {
        if (creation && isOpen(seen.peek()[creation])) {
            await cancel(creation);
        }
    }
}

async function cancel(id: string): Promise<void> {
    try {
        see(await ask(POST("/v1/creations/{id}/cancel", { params: { path: { id } } })));
    } catch (error) {
        // What is over or gone needs no end.
        if (!(error instanceof Refused && (error.problem.status === 409 || error.problem.status === 404))) {
            toastError(error);
        }
    }
}

/** Whether a cell has no picture and will get none. */
export function isMissing({ creation, failure }: Cell, going: boolean): boolean {
    const view = creation ? seen.value[creation] : undefined;
    return creation ? view === null || view?.state === "failed" || view?.state === "cancelled" : failure !== undefined || !going;
}

/** Asks again for every cell that got no picture. */
export function redo(drawing: Signal<Drawing | null>): void {
    const now = drawing.peek();
    if (now) {
        const cells = now.cells.map((cell) => {
            if (!isMissing(cell, now.going)) {
                return cell;
            }
            const { creation: _, failure: __, ...rest } = cell;
            return { ...rest, attempt: cell.attempt + 1 };
        });
        drawing.value = { ...now, cells, going: true };
        void carryOn(drawing);
    }
}
