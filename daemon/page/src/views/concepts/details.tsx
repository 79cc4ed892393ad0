// How a concept was made: what from, every decision, and how it learnt.
import { ask, GET, Refused } from "../../api/client";
import type { ConceptView, ModelView, ResolvedParameter, Scores } from "../../api/schema";
import { count, fill, number, precise } from "../../format";
import { Copy } from "../../parts/button";
import { Failure, Loading, Notice } from "../../parts/notice";
import { to } from "../../router";
import { useAsked } from "../../state/use";
import { text } from "../../text";
import { Fact } from "./concept";
import { Curve } from "./curve";
import { readReport, type Report } from "./report";

const words = text.concepts.details;

/** Provenance and the report of the training. */
export function Details({ concept, models }: { concept: ConceptView; models: ModelView[] | undefined }) {
    const { id } = concept;
    const { data: raw, error } = useAsked<unknown>(() => ask(GET("/v1/concepts/{id}/report", { params: { path: { id } } })), [id]);
    const report = readReport(raw);
    const pretty = raw ? JSON.stringify(raw, null, 2) : "";
    return (
        <>
            <Origin concept={concept} models={models} />
            {isMissing(error) ? <Notice>{words.noReport}</Notice> : <Failure error={error} />}
            {!raw && !error && <Loading />}
            {report.plan.length > 0 && <Recipe plan={report.plan} />}
            {report.held_out.length > 0 && <Learning report={report} />}
            {report.scores && report.scores.rows.length > 0 && <Seen scores={report.scores} />}
            {pretty && (
                <details class="card">
                    <summary>{words.raw}</summary>
                    <div class="stack">
                        <div><Copy value={pretty}>{words.copyRaw}</Copy></div>
                        <pre class="concepts-raw" tabIndex={0}>{pretty}</pre>
                    </div>
                </details>
            )}
        </>
    );
}

function Origin({ concept: { job, base_sha256, family }, models }: { concept: ConceptView; models: ModelView[] | undefined }) {
    const { data } = useAsked(async () => {
        const trained = job ? await ask(GET("/v1/jobs/{id}", { params: { path: { id: job } } })) : null;
        return { trained, dataset: trained && (await datasetOf(trained.dataset)) };
    }, [job]);
    const model = models?.find(({ sha256 }) => sha256 != null && sha256 === base_sha256);
    const base = model?.name ?? data?.trained?.base;
    return (
        <section class="card">
            <h2>{words.about}</h2>
            <dl class="definition">
                <Fact name={words.base}>
                    {base ?? (base_sha256 ? words.baseMissing : words.baseUnknown)} <span class="soft">({text.concepts.families[family]}{models && base && !model && `, ${words.baseMissing}`})</span>
                </Fact>
                {base_sha256 && <Fact name={words.digest}><code>{base_sha256}</code></Fact>}
                {data?.trained && (
                    <>
                        <Fact name={words.dataset}>{data.dataset ? <a href={to(["new", data.dataset.id])}>{count(data.dataset.pictures.length, words.datasetOpen)}</a> : words.datasetGone}</Fact>
                        <Fact name={words.job}><a href={to(["training", data.trained.id])}>{words.jobOpen}</a></Fact>
                    </>
                )}
            </dl>
        </section>
    );
}

function isMissing(error: unknown): boolean {
    return error instanceof Refused && error.problem.status === 404;
}

async function datasetOf(id: string) {
    try {
        return await ask(GET("/v1/datasets/{id}", { params: { path: { id } } }));
    } catch (error) {
        if (isMissing(error)) {
            return null;
        }
        throw error;
    }
}

function Recipe({ plan }: { plan: ResolvedParameter[] }) {
    return (
        <section class="card">
            <h2>{words.recipe}</h2>
            <div class="scroll">
                <table>
                    <thead><tr><th scope="col">{words.parameter}</th><th scope="col">{words.value}</th><th scope="col">{words.why}</th></tr></thead>
                    <tbody>
                        {plan.map(({ parameter, value, why }) => (
                            <tr key={parameter}><th scope="row">{parameter.replaceAll("_", " ")}</th><td class="number wrap">{value}</td><td class="soft">{why}</td></tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </section>
    );
}

function Learning({ report }: { report: Report }) {
    return (
        <section class="card stack">
            <h2>{words.learning}</h2>
            <Curve {...report} />
            <table class="concepts-narrow">
                <thead><tr><th scope="col">{words.snapshot}</th><th scope="col">{words.error}</th></tr></thead>
                <tbody>
                    {report.held_out.map(([step, error]) => (
                        <tr key={step}><th scope="row">{step ? fill(text.concepts.snapshots.step, { step }) : words.before}</th><td class="number">{precise(error, 4)}</td></tr>
                    ))}
                </tbody>
            </table>
        </section>
    );
}

function Seen({ scores: { rows, best } }: { scores: Scores }) {
    const score = (value: number | null | undefined) => (value == null ? text.common.none : number(value, 3));
    return (
        <section class="card">
            <h2>{words.scores}</h2>
            <div class="scroll">
                <table>
                    <thead><tr>{[words.snapshot, words.strength, words.likeness, words.obedience].map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
                    <tbody>
                        {rows.map(({ step, strength, likeness, obedience }) => (
                            <tr key={`${step} ${strength}`}>
                                <th scope="row">
                                    {fill(text.concepts.snapshots.step, { step })} {step === best?.step && strength === best.strength && <span class="badge good">{text.concepts.snapshots.best}</span>}
                                </th>
                                <td class="number">{number(strength)}</td>
                                <td class="number">{score(likeness)}</td>
                                <td class="number">{score(obedience)}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </section>
    );
}
