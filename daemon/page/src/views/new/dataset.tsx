// Everything about one data set until it is trained, on one page.
import { useComputed, type Signal } from "@preact/signals";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { ask, GET, isGone } from "../../api/client";
import type { DatasetView } from "../../api/schema";
import { bytes, count, fill, when } from "../../format";
import { Button } from "../../parts/button";
import { Head } from "../../parts/head";
import { Empty, Failure, Loading, toast, toastError } from "../../parts/notice";
import { query, to } from "../../router";
import { useAsked } from "../../state/use";
import { text } from "../../text";
import { CaptionTable } from "../captions";
import { TrainForm } from "../train";
import { Check } from "./check";
import { change, draftFrom, draftOf, type Draft } from "./draft";
import { useDecisions } from "./decide";
import { Pictures } from "./pictures";
import { Steps, Step, toStep } from "./steps";
import { useReport } from "./report";
import { What } from "./what";

/** Another tab may change it, too. */
const EVERY_MS = 15_000;

/** `#/new/DATASET`. */
export function DatasetPage({ id }: { id: string }) {
    const asked = useAsked(() => ask(GET("/v1/datasets/{id}", { params: { path: { id } } })), [id], EVERY_MS);
    const { data, error, again } = asked;
    if (isGone(error)) {
        return (
            <>
                <Head title={text.new.title} />
                <Empty action={<a class="button main" href={to(["new"])}>{text.new.dataset.start}</a>}>{text.new.dataset.gone}</Empty>
            </>
        );
    }
    return (
        <>
            {!data && <Head title={text.new.title} />}
            <Failure error={error} again={() => void again()} />
            {data ? <Sections asked={{ ...asked, data }} /> : !error && <Loading />}
        </>
    );
}

function Sections({ asked }: { asked: ReturnType<typeof useAsked<DatasetView>> & { data: DatasetView } }) {
    const draft = draftOf(asked.data.id);
    usePrefilled(draft, asked.data.id);
    const [revision, revise] = useState(0);
    const changed = useCallback(() => revise((before) => before + 1), []);
    const { dataset = asked.data, decide } = useDecisions(asked, changed);
    const checking = useReport(dataset, draft, asked.again);
    // What is typed into the name does not concern the pictures.
    const crop = useComputed(() => draft.value.parameters.crop ?? "center").value;
    const { report, groups, round } = checking;
    const captioned = () => {
        changed();
        void asked.again();
    };
    const pictures = useMemo(() => <Pictures dataset={dataset} crop={crop} report={report} groups={groups} round={round} decide={decide} />, [dataset, crop, report, groups, round, decide]);
    const ready = useComputed(() => draft.value.mode !== null && draft.value.name.trim() !== "").value;
    return (
        <>
            <Title dataset={dataset} draft={draft} />
            <Steps done={doneOf(dataset, ready, checking.clean)} />
            <div class="stack steps">
                <Step id="pictures">{pictures}</Step>
                <Step id="what"><What draft={draft} /></Step>
                <Step id="check"><Check dataset={dataset} draft={draft} checking={checking} decide={decide} /></Step>
                <Step id="captions">{ready ? <CaptionTable dataset={dataset} draft={draft} onChanged={captioned} /> : <Later />}</Step>
                <Step id="train">{ready ? <TrainForm dataset={dataset} draft={draft} revision={revision} /> : <Later />}</Step>
            </div>
        </>
    );
}

function Title({ dataset, draft }: { dataset: DatasetView; draft: Signal<Draft> }) {
    const about = { pictures: count(dataset.pictures.length, text.new.recent.pictures), size: bytes(dataset.bytes), age: when(dataset.created_at_ms) };
    return (
        <Head title={draft.value.name.trim() || text.new.title} about={fill(text.new.dataset.about, about)}>
            <a class="button" href={to(["new"])}>{text.new.dataset.all}</a>
        </Head>
    );
}

function Later() {
    return (
        <div class="row apart">
            <p class="soft grow">{text.new.dataset.later}</p>
            <Button little onClick={() => toStep("what")}>{text.new.dataset.toWhat}</Button>
        </div>
    );
}

function doneOf({ pictures }: DatasetView, ready: boolean, clean: boolean) {
    const used = pictures.filter((picture) => picture.used);
    return { pictures: used.length > 0, what: ready, check: clean, captions: used.length > 0 && used.every((picture) => picture.caption), train: false };
}

/** Fills in what the address names, once: an earlier training, or a concept to go on with. */
function usePrefilled(draft: Signal<Draft>, dataset: string): void {
    const job = query.value.get("job");
    const from = query.value.get("from");
    useEffect(() => {
        if (!job && !from) {
            return;
        }
        let gone = false;
        const fillIn = async () => {
            if (job) {
                change(draft, draftFrom(await ask(GET("/v1/jobs/{id}/request", { params: { path: { id: job } } }))));
                toast(text.new.dataset.filled);
            }
            if (from) {
                const { name, mode } = await ask(GET("/v1/concepts/{id}", { params: { path: { id: from } } }));
                change(draft, { continueFrom: from, name: draft.value.name || name, mode: draft.value.mode ?? mode });
            }
            if (!gone) {
                // Otherwise a reload would undo what is changed from here on.
                location.replace(to(["new", dataset]));
            }
        };
        fillIn().catch(toastError);
        return () => {
            gone = true;
        };
    }, [draft, dataset, job, from]);
}
