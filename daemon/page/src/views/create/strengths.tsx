// The concepts that are applied, each with its strength.
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, GET } from "../../api/client";
import type { ConceptView, SnapshotView } from "../../api/schema";
import { fill, number } from "../../format";
import { Button } from "../../parts/button";
import { text } from "../../text";
import { type Applied, draft, MOST_CONCEPTS, reapply, unapply } from "./draft";
import { NumberLine } from "./number";
import { concepts, conceptOf, titleOf } from "./library";
import { Thumb } from "./thumb";

const words = text.create.strengths;

/** Rows, and what adds one. */
export function Strengths({ onAdd }: { onAdd: () => void }) {
    const rows = draft.value.concepts;
    const full = rows.length >= MOST_CONCEPTS;
    return (
        <section class="create-part" aria-label={words.title}>
            <div class="row apart">
                <h3>{words.title}</h3>
                <Button little icon="add" disabled={full} onClick={onAdd}>{words.add}</Button>
            </div>
            {rows.length === 0 && <p class="soft small">{concepts.value?.length === 0 ? words.noneThere : words.none}</p>}
            {rows.length > 0 && <ul class="create-rows">{rows.map((row) => <Row key={row.concept} row={row} />)}</ul>}
            {full && <p class="soft small">{fill(words.full, { n: MOST_CONCEPTS })}</p>}
        </section>
    );
}

function Row({ row: { concept: id, strength, step } }: { row: Applied }) {
    const concept = conceptOf(id);
    const name = concept ? titleOf(concept) : text.create.gone;
    return (
        <li class="create-row">
            <Thumb concept={concept} />
            <div class="create-row-name">
                <strong class="wrap">{name}</strong>
                {!concept && concepts.value && <span class="small create-bad">{words.gone}</span>}
                {concept?.job && <Steps concept={concept} job={concept.job} step={step} />}
            </div>
            <Button kind="plain" little icon="close" label={fill(words.remove, { name })} onClick={() => unapply(id)} />
            <div class="create-strength">
                <input
                    type="range"
                    min={Math.min(-1, strength)}
                    max={Math.max(2, strength)}
                    step={0.05}
                    value={strength}
                    aria-label={fill(words.strength, { name })}
                    onInput={(event) => reapply(id, { strength: Number(event.currentTarget.value) })}
                />
                <NumberLine label={fill(words.exactly, { name })} value={strength} min={-4} max={4} step={0.05} onChange={(strength) => reapply(id, { strength })} />
            </div>
            {strength === 0 && <p class="small soft create-strength">{words.zero}</p>}
        </li>
    );
}

/** Which snapshot is drawn with; asked for when somebody looks. */
function Steps({ concept, job, step }: { concept: ConceptView; job: string; step: number | undefined }) {
    const [open, setOpen] = useState(step !== undefined);
    const [snapshots, setSnapshots] = useState<SnapshotView[]>();
    const select = useRef<HTMLSelectElement>(null);
    useEffect(() => {
        // It takes the place of the button that was pressed, and of its focus.
        if (open && step === undefined) {
            select.current?.focus();
        }
    }, [open]);
    useEffect(() => {
        if (open) {
            ask(GET("/v1/jobs/{id}/snapshots", { params: { path: { id: job } } }))
                .then(({ items }) => setSnapshots(items))
                .catch(() => setSnapshots([]));
        }
    }, [open, job]);
    const delivered = concept.step ? fill(words.delivered, { step: number(concept.step) }) : words.theDelivered;
    if (!open) {
        return <button type="button" class="create-link small" aria-label={`${titleOf(concept)}: ${delivered}`} onClick={() => setOpen(true)}>{delivered}</button>;
    }
    const others = (snapshots ?? []).map((snapshot) => snapshot.step).filter((other) => other !== concept.step);
    if (step !== undefined && !others.includes(step)) {
        others.push(step);
    }
    const choose = (value: string) => reapply(concept.id, { step: value === "" ? undefined : Number(value) });
    return (
        <select ref={select} class="create-steps" aria-label={fill(words.steps, { name: titleOf(concept) })} value={step ?? ""} onChange={(event) => choose(event.currentTarget.value)}>
            <option value="">{delivered}</option>
            {others.map((other) => <option key={other} value={other}>{fill(words.step, { step: number(other) })}</option>)}
        </select>
    );
}
