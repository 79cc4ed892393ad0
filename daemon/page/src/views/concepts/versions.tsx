// Concepts side by side, above all the versions of one name.
import type { ConceptView } from "../../api/schema";
import { fill } from "../../format";
import { SelectField } from "../../parts/field";
import { Loading, Notice } from "../../parts/notice";
import { text } from "../../text";
import { begin, type Drawing } from "./draw/drawing";
import { DrawForm, read, typedOf } from "./draw/form";
import { DrawingTable } from "./draw/table";
import { kept } from "./kept";
import { titleOf } from "./library";

const words = text.concepts.compare;

/** Chooses concepts and draws each with the same seeds. */
export function VersionTable({ concept, concepts }: { concept: ConceptView; concepts: ConceptView[] | undefined }) {
    return (
        <section class="card stack">
            <h2>{words.title}</h2>
            <p class="soft">{words.about}</p>
            {concepts ? <Table concept={concept} concepts={concepts} /> : <Loading />}
        </section>
    );
}

function Table({ concept, concepts }: { concept: ConceptView; concepts: ConceptView[] }) {
    const typed = typedOf("versions", concept.id, concept.mode, "1, 2, 3");
    const added = kept<string[]>(`versions.added.${concept.id}`, []);
    const left = kept<string[]>(`versions.left.${concept.id}`, []);
    const drawing = kept<Drawing | null>(`versions.drawn.${concept.id}`, null);
    const same = concepts.filter(({ name }) => name === concept.name);
    const offered = [...same, ...concepts.filter((other) => !same.includes(other) && added.value.includes(other.id))];
    const others = concepts.filter((other) => !offered.includes(other));
    const chosen = offered.filter(({ id }) => !left.value.includes(id));
    const { prompt, seeds, steps } = read(typed.value);
    const toggle = (id: string) => (left.value = left.value.includes(id) ? left.value.filter((other) => other !== id) : [...left.value, id]);
    const labelOf = (other: ConceptView) => titleOf(other) + (other.step == null ? "" : `, ${fill(text.concepts.one.stepValue, { step: other.step })}`);
    const draw = () =>
        begin(
            drawing,
            prompt,
            steps,
            chosen.map((other) => ({ label: labelOf(other) })),
            seeds.map((seed) => ({ label: fill(words.seed, { seed }) })),
            (row, column) => ({ apply: { concept: chosen[row]?.id ?? concept.id, strength: 1 }, base: null, seed: seeds[column] ?? 0 }),
        );
    return (
        <>
            {offered.length < 2 && <Notice>{words.few}</Notice>}
            <fieldset class="concepts-choices">
                <legend>{words.choose}</legend>
                {offered.map((other) => (
                    <label key={other.id} class="concepts-choice">
                        <input type="checkbox" checked={!left.value.includes(other.id)} onChange={() => toggle(other.id)} />
                        <span>
                            {labelOf(other)}
                            {other.id === concept.id && <span class="badge accent">{words.this}</span>}
                        </span>
                    </label>
                ))}
            </fieldset>
            {others.length > 0 && (
                <div class="concepts-narrow">
                    <SelectField label={words.add} value="" choices={[["", words.addNone], ...others.map((other) => [other.id, labelOf(other)] as const)]} onChange={(id) => id && (added.value = [...added.value, id])} />
                </div>
            )}
            {new Set(chosen.map(({ base_sha256 }) => base_sha256)).size > 1 && <Notice kind="warn">{words.differ}</Notice>}
            <DrawForm typed={typed} pictures={chosen.length * seeds.length} onDraw={draw} />
            <DrawingTable drawing={drawing} />
        </>
    );
}
