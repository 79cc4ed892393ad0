// A concept on a checkpoint that it was not trained on.
import type { ConceptView, ModelView } from "../../api/schema";
import { fill } from "../../format";
import { SelectField } from "../../parts/field";
import { Empty, Loading, Notice, type Weight } from "../../parts/notice";
import { to } from "../../router";
import { text } from "../../text";
import { begin, type Drawing } from "./draw/drawing";
import { DrawForm, read, typedOf } from "./draw/form";
import { DrawingTable } from "./draw/table";
import { kept } from "./kept";

const words = text.concepts.checkpoints;

/** Chooses a checkpoint, says whether that can work, and draws it beside the concept's own. */
export function Checkpoints({ concept, models }: { concept: ConceptView; models: ModelView[] | undefined }) {
    return (
        <section class="card stack">
            <h2>{words.title}</h2>
            <p class="soft">{words.about}</p>
            {!models ? <Loading />
                : models.some((model) => !isOwn(concept, model)) ? <Table concept={concept} models={models} />
                : <Empty action={<a class="button" href={to(["settings"])}>{words.settings}</a>}>{words.none}</Empty>}
        </section>
    );
}

function isOwn({ base_sha256 }: ConceptView, { sha256 }: ModelView): boolean {
    return sha256 != null && sha256 === base_sha256;
}

/** What is known before anything is drawn: what a concept can do on a checkpoint, and whether drawing makes sense. */
function judge(concept: ConceptView, model: ModelView): { can: boolean; kind?: Weight; words: string; said?: string } {
    const { families } = text;
    if (model.family == null) {
        return { can: false, kind: "bad", words: words.unusable, said: model.problem ?? "" };
    }
    if (isOwn(concept, model)) {
        return { can: true, kind: "good", words: words.own };
    }
    if (model.family !== concept.family) {
        return { can: false, kind: "bad", words: fill(words.family, { own: families[concept.family], other: families[model.family] }) };
    }
    if (concept.base_nonstandard || model.nonstandard) {
        return { can: false, kind: "bad", words: concept.base_nonstandard ? words.nonstandardOwn : words.nonstandardOther };
    }
    return { can: true, kind: "warn", words: words.may, ...(model.sha256 == null && { said: words.unread }) };
}

function Table({ concept, models }: { concept: ConceptView; models: ModelView[] }) {
    const typed = typedOf("checkpoints", concept.id, concept.mode, "1, 2, 3");
    const chosen = kept(`checkpoints.chosen.${concept.id}`, "");
    const drawing = kept<Drawing | null>(`checkpoints.drawn.${concept.id}`, null);
    const own = models.find((model) => isOwn(concept, model));
    const other = models.find(({ path }) => path === chosen.value);
    const verdict = other && judge(concept, other);
    const { prompt, seeds, steps } = read(typed.value);
    const rows = other && verdict?.can ? [...(own && own !== other ? [own] : []), other] : [];
    const nameOf = (model: ModelView) => (model === own ? fill(words.ownRow, { name: model.name }) : model.name);
    const draw = () =>
        begin(
            drawing,
            prompt,
            steps,
            rows.map((model) => ({ label: nameOf(model) })),
            seeds.map((seed) => ({ label: fill(text.concepts.compare.seed, { seed }) })),
            (row, column) => ({ apply: { concept: concept.id, strength: 1 }, base: rows[row]?.path ?? null, seed: seeds[column] ?? 0 }),
        );
    return (
        <>
            <div class="concepts-narrow">
                <SelectField label={words.choose} value={other ? chosen.value : ""} onChange={(path) => (chosen.value = path)} choices={[["", words.chooseNone], ...models.map((model) => [model.path, nameOf(model)] as const)]} />
            </div>
            {verdict && <Notice {...(verdict.kind && { kind: verdict.kind })}>{[verdict.words, verdict.said].filter(Boolean).join(" ")}</Notice>}
            {verdict?.can && !own && <Notice>{words.ownMissing}</Notice>}
            {(!verdict || verdict.can) && <DrawForm typed={typed} pictures={rows.length * seeds.length} disabled={!rows.length} onDraw={draw} />}
            <DrawingTable drawing={drawing} />
        </>
    );
}
