// How a concept was made: what from, every decision, and how it learnt.
import { useMemo } from "preact/hooks";
import { ask, GET, isGone } from "../../api/client";
import type { ConceptView, ModelView, ResolvedParameter } from "../../api/schema";
import { count } from "../../format";
import { Copy } from "../../parts/button";
import { Failure, Loading, Notice } from "../../parts/notice";
import { to } from "../../router";
import { useAsked } from "../../state/use";
import { text } from "../../text";
import { LossChart } from "../training/chart";
import { Snapshots } from "../training/scores";
import { Fact } from "./concept";
import { readReport } from "./report";

const words = text.concepts.details;

/** Provenance and the report of the training. */
export function Details({ concept, models }: { concept: ConceptView; models: ModelView[] | undefined }) {
    const { id } = concept;
    const { data: raw, error } = useAsked<unknown>(() => ask(GET("/v1/concepts/{id}/report", { params: { path: { id } } })), [id]);
    const report = useMemo(() => readReport(raw), [raw]);
    const pretty = raw ? JSON.stringify(raw, null, 2) : "";
    return (
        <>
            <Origin concept={concept} models={models} />
            {isGone(error) ? <Notice>{words.noReport}</Notice> : <Failure error={error} />}
            {!raw && !error && <Loading />}
            {report.plan.length > 0 && <Recipe plan={report.plan} />}
            {report.training.length > 0 && <section class="card"><h2>{words.learning}</h2><LossChart training={report.training} heldOut={report.heldOut} /></section>}
            <Snapshots scores={report.scores} heldOut={report.heldOut} />
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
                    {base ?? (base_sha256 ? words.baseMissing : words.baseUnknown)} <span class="soft">({text.families[family]}{models && base && !model && `, ${words.baseMissing}`})</span>
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

async function datasetOf(id: string) {
    try {
        return await ask(GET("/v1/datasets/{id}", { params: { path: { id } } }));
    } catch (error) {
        if (isGone(error)) {
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
