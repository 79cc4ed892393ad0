// What waits, in the order in which it will be done; the order can be changed by dragging and by buttons.
import { useRef, useState } from "preact/hooks";
import { ask, PUT } from "../../api/client";
import type { JobView } from "../../api/schema";
import { fill } from "../../format";
import { Button } from "../../parts/button";
import { toastError } from "../../parts/notice";
import { useAction } from "../../state/use";
import { text } from "../../text";
import { Actions } from "./actions";
import { Row } from "./row";

const words = text.running;

const put = (id: string, priority: number, before: string) => ask(PUT("/v1/jobs/{id}/priority", { params: { path: { id } }, body: { priority, before } }));

/** Puts a job where `others[place]` stands. The daemon knows "before" alone, so that the last two change places for the end. */
async function move(job: JobView, others: readonly JobView[], place: number): Promise<void> {
    const next = others[place];
    if (next) {
        await put(job.id, next.priority, next.id);
        return;
    }
    const last = others.at(-1);
    if (last) {
        await put(job.id, last.priority, last.id);
        await put(last.id, last.priority, job.id);
    }
}

interface Drag {
    id: string;
    /** Where the pointer took it, and how far it went. */
    from: number;
    by: number;
    /** Where it would go. */
    place: number;
    /** How far others make room, and where their middles were before they did. */
    room: number;
    middles: number[];
}

/** The jobs that wait. */
export function Waiting({ jobs, changed, again }: { jobs: JobView[]; changed: (job: JobView) => void; again: () => Promise<void> }) {
    const list = useRef<HTMLOListElement>(null);
    const [held, setDrag] = useState<Drag | null>(null);
    // The order as the user made it, until the daemon has it too.
    const [made, setMade] = useState<string[] | null>(null);
    const [said, setSaid] = useState("");
    // One that began meanwhile is dragged no more.
    const drag = held && jobs.some(({ id }) => id === held.id) ? held : null;
    const order = made ? jobs.slice().sort((a, b) => made.indexOf(a.id) - made.indexOf(b.id)) : jobs;
    const { run, busy } = useAction(async (job: JobView, place: number) => {
        const others = order.filter(({ id }) => id !== job.id);
        setMade([...others.slice(0, place), job, ...others.slice(place)].map(({ id }) => id));
        try {
            await move(job, others, place);
            setSaid(fill(words.moved, { name: job.name, n: place + 1 }));
        } catch (error) {
            // Such as one that began meanwhile.
            toastError(error);
        }
        await again();
        setMade(null);
    });

    const take = (event: PointerEvent, job: JobView, place: number) => {
        if (event.button !== 0 || busy || !(event.currentTarget instanceof HTMLElement)) {
            return;
        }
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
        const boxes = [...(list.current?.children ?? [])].map((row) => row.getBoundingClientRect());
        const [first, second] = boxes;
        const middles = boxes.filter((_, at) => at !== place).map(({ top, height }) => scrollY + top + height / 2);
        setDrag({ id: job.id, from: scrollY + event.clientY, by: 0, place, room: first && second ? second.top - first.top : 0, middles });
    };
    const pull = (event: PointerEvent) => {
        const y = scrollY + event.clientY;
        setDrag((drag) => drag && { ...drag, by: y - drag.from, place: drag.middles.filter((middle) => middle < y).length });
    };
    const drop = (job: JobView, place: number) => {
        setDrag(null);
        if (drag && drag.place !== place) {
            void run(job, drag.place);
        }
    };
    const dragged = drag ? order.findIndex(({ id }) => id === drag.id) : -1;
    /** How far a row is moved while one is dragged. */
    const shift = (place: number) => {
        if (!drag || place === dragged) {
            return drag ? drag.by : 0;
        }
        return place > dragged && place <= drag.place ? -drag.room : place < dragged && place >= drag.place ? drag.room : 0;
    };
    return (
        <>
            <ol class="jobs" ref={list}>
                {order.map((job, place) => {
                    const name = { name: job.name };
                    const mine = drag?.id === job.id;
                    return (
                        <li key={job.id} data-job={job.id} class={`card job ${mine ? "lifted" : drag ? "aside" : ""}`} style={drag ? { transform: `translateY(${shift(place)}px)` } : undefined}>
                            <Row
                                job={job}
                                lead={
                                    order.length > 1 && (
                                        <span
                                            class="grip"
                                            title={fill(words.move, name)}
                                            onPointerDown={(event) => take(event, job, place)}
                                            onPointerMove={pull}
                                            onPointerUp={() => drop(job, place)}
                                            onPointerCancel={() => setDrag(null)}
                                        >
                                            <span class="number">{place + 1}</span>
                                            <span class="dots" aria-hidden="true">⠿</span>
                                        </span>
                                    )
                                }
                            >
                                {order.length > 1 && (
                                    <>
                                        <Button little icon="up" label={fill(words.up, name)} busy={busy} disabled={place === 0} onClick={() => void run(job, place - 1)} />
                                        <Button little icon="down" label={fill(words.down, name)} busy={busy} disabled={place === order.length - 1} onClick={() => void run(job, place + 1)} />
                                    </>
                                )}
                                <Actions job={job} little changed={changed} again={again} />
                            </Row>
                        </li>
                    );
                })}
            </ol>
            <p class="hide-visually" aria-live="polite">{said}</p>
        </>
    );
}
