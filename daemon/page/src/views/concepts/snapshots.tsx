// Snapshots of the training at several strengths, and which of them becomes the concept.
import { useState } from "preact/hooks";
import { ask, GET, POST } from "../../api/client";
import { choosePreview } from "../../api/library";
import type { ConceptView, Snapshots } from "../../api/schema";
import { fill, number, precise } from "../../format";
import { Button } from "../../parts/button";
import { Confirm } from "../../parts/dialog";
import { Icon } from "../../parts/icon";
import { Empty, Failure, Loading, Notice, toast, toastError } from "../../parts/notice";
import { go, to } from "../../router";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";
import { begin, pictureOf, type Cell, type Drawing } from "./draw/drawing";
import { DrawForm, read, typedOf } from "./draw/form";
import { DrawingTable } from "./draw/table";
import { kept } from "./kept";
import { titleOf } from "./library";

const words = text.concepts.snapshots;
const AT_FIRST = 4;

/** The grid, where the training left snapshots. */
export function SnapshotGrid({ concept, concepts = [] }: { concept: ConceptView; concepts: ConceptView[] | undefined }) {
    const { job } = concept;
    const { data, error, again } = useAsked(async () => (job ? ask(GET("/v1/jobs/{id}/snapshots", { params: { path: { id: job } } })) : null), [job]);
    return (
        <section class="card stack">
            <h2>{words.title}</h2>
            <p class="soft">{words.about}</p>
            <Failure error={error} again={() => void again()} />
            {!job ? <Empty>{words.imported}</Empty>
                : !data ? !error && <Loading />
                : data.items.length ? <Grid concept={concept} made={concepts.filter((other) => other.job === job)} snapshots={data} />
                : <Empty>{words.none}</Empty>}
        </section>
    );
}

/** So many of them, evenly from the first to the last, with the one that is delivered. */
function spread(steps: number[], delivered: number | null | undefined): number[] {
    const among = steps.filter((step) => step !== delivered);
    const free = delivered != null && steps.includes(delivered) ? AT_FIRST - 1 : AT_FIRST;
    const picked = among.length <= free ? among : Array.from({ length: free }, (_, at) => among[Math.round(((at + 1) * among.length) / free) - 1] ?? 0);
    return steps.filter((step) => step === delivered || picked.includes(step));
}

/** `made` are the concepts that the snapshots became already. */
function Grid({ concept, made, snapshots: { items, scores } }: { concept: ConceptView; made: ConceptView[]; snapshots: Snapshots }) {
    const [promoted, setPromoted] = useState<number | null>(null);
    const typed = typedOf("snapshots", concept.id, concept.mode, "0");
    const chosen = kept<number[] | null>(`snapshots.chosen.${concept.id}`, null);
    const drawing = kept<Drawing | null>(`snapshots.drawn.${concept.id}`, null);
    const all = items.map(({ step }) => step);
    const steps = chosen.value?.filter((step) => all.includes(step)) ?? spread(all, concept.step);
    const { prompt, seeds: [seed = 0], steps: updates, strengths } = read(typed.value);
    const draw = () =>
        begin(
            drawing,
            prompt,
            updates,
            steps.map((step) => ({ label: fill(words.step, { step }), step })),
            strengths.map((strength) => ({ label: fill(words.strength, { value: number(strength) }) })),
            (row, column) => ({ apply: { concept: concept.id, strength: strengths[column] ?? 1, step: steps[row] ?? null }, base: null, seed }),
        );
    const toggle = (step: number) => (chosen.value = all.filter((other) => (other === step) !== steps.includes(other)));
    const best = scores?.best;
    return (
        <>
            <fieldset class="concepts-choices">
                <legend>{words.choose}</legend>
                {items.map(({ step, held_out }) => (
                    <label key={step} class="concepts-choice">
                        <input type="checkbox" checked={steps.includes(step)} onChange={() => toggle(step)} />
                        <span>
                            {fill(words.step, { step })}
                            {step === concept.step && <span class="badge accent">{words.delivered}</span>}
                            {held_out != null && <span class="soft small number">{fill(words.heldOut, { value: precise(held_out) })}</span>}
                        </span>
                    </label>
                ))}
            </fieldset>
            <p class="soft small">{words.heldOutHelp}</p>
            {best && <Notice>{fill(words.bestIs, { step: best.step, strength: number(best.strength) })}</Notice>}
            <DrawForm typed={typed} one pictures={steps.length * strengths.length} onDraw={draw} />
            <DrawingTable
                drawing={drawing}
                ofRow={({ step }) => {
                    const other = made.find((other) => other.step === step);
                    return (
                        step === concept.step ? <span class="badge accent">{words.delivered}</span>
                        : other ? <a class="small" href={to(["concepts", other.id])}>{titleOf(other)}</a>
                        : step !== undefined && all.includes(step) && <Button little label={fill(words.promoteStep, { step })} onClick={() => setPromoted(step)}>{words.promote}</Button>
                    );
                }}
                ofCell={(cell) => scores && <Score cell={cell} scores={scores} />}
            />
            {promoted !== null && <Promote concept={concept} step={promoted} shown={drawing.value} onClose={() => setPromoted(null)} />}
        </>
    );
}

function Score({ cell: { apply }, scores: { rows, best } }: { cell: Cell; scores: NonNullable<Snapshots["scores"]> }) {
    const score = rows.find(({ step, strength }) => step === apply.step && strength === apply.strength);
    return score && (
        <div class="small soft number">
            {score.step === best?.step && score.strength === best.strength && <span class="badge good"><Icon name="check" size={13} />{words.best}</span>}
            {score.likeness != null && <div>{fill(words.likeness, { value: number(score.likeness) })}</div>}
            {score.obedience != null && <div>{fill(words.obedience, { value: number(score.obedience) })}</div>}
        </div>
    );
}

function Promote({ concept: { id, name }, step, shown, onClose }: { concept: ConceptView; step: number; shown: Drawing | null; onClose: () => void }) {
    const { run, busy } = useAction(async () => {
        try {
            const made = await ask(POST("/v1/concepts/{id}/promote", { params: { path: { id } }, body: { step } }));
            // It has no preview of its own; what was drawn with it at the fullest strength is one.
            const drawn = shown?.cells.filter((cell) => cell.apply.step === step && pictureOf(cell)).sort((a, b) => Math.abs(a.apply.strength - 1) - Math.abs(b.apply.strength - 1))[0];
            if (drawn?.creation) {
                await choosePreview(made.id, drawn.creation, 0).catch(() => undefined);
            }
            toast(fill(words.promoted, { step, name: made.name, version: made.version }));
            go(["concepts", made.id]);
        } catch (error) {
            toastError(error);
            onClose();
        }
    });
    return (
        <Confirm kind="main" title={fill(words.promoting, { step })} action={words.promote} busy={busy} onDo={() => void run()} onClose={onClose}>
            <p>{fill(words.promotingAbout, { name })}</p>
        </Confirm>
    );
}
