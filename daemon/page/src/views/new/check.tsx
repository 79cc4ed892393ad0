// What is wrong with the pictures, and what one click can do about it.
import type { Signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { ask, GET, POST } from "../../api/client";
import type { DatasetReport, DatasetView, Parameters, Severity } from "../../api/schema";
import { count, fill, number } from "../../format";
import { Button } from "../../parts/button";
import { Failure, Notice, Progress } from "../../parts/notice";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";
import type { Decide } from "./decide";
import { change, type Draft } from "./draft";
import { type Acting, FindingCard } from "./finding";
import type { Group } from "./findings";
import type { Checking } from "./report";

/** The check of the pictures. */
export function Check({ dataset, draft, checking, decide }: { dataset: DatasetView; draft: Signal<Draft>; checking: Checking; decide: Decide }) {
    const { report, stale, looking, error, examine, ended } = checking;
    if (!draft.value.mode) {
        return <p class="soft">{text.new.check.needsMode}</p>;
    }
    const none = !dataset.pictures.some((picture) => picture.used);
    const set = (part: Parameters) => change(draft, { parameters: { ...draft.value.parameters, ...part } });
    const follow = () => set({ crop: draft.value.mode === "face" ? "face" : "salience" });
    const train = (resolution: number) => set({ resolution });
    return (
        <div class="stack">
            {!report && <p class="soft">{text.new.check.about}</p>}
            <Failure error={error} />
            {looking && <Looking dataset={dataset} onEnd={ended} />}
            {report && <Verdict report={report} groups={checking.groups} stale={stale} />}
            <div class="row">
                {!looking && <Button kind={report && !stale ? undefined : "main"} icon="search" disabled={none} onClick={examine}>{report ? text.new.check.again : text.new.check.examine}</Button>}
                {report && <a class="button" href={`/v1/datasets/${dataset.id}/sheet`} target="_blank" rel="noreferrer">{text.new.check.sheet}</a>}
            </div>
            {report && <Findings dataset={dataset} groups={checking.groups} decide={decide} onFollow={follow} onResolution={train} />}
        </div>
    );
}

/** How far a look is; everything that looks at a data set is told the same way. */
function Looking({ dataset, onEnd }: { dataset: DatasetView; onEnd: () => void }) {
    const { id, pictures } = dataset;
    const { data } = useAsked(() => ask(GET("/v1/datasets/{id}", { params: { path: { id } } })), [id], 500 + 4 * pictures.length);
    const { run: stop, busy, error } = useAction(() => ask(POST("/v1/datasets/{id}/cancel", { params: { path: { id } } })));
    const [begun, begin] = useState(typeof dataset.looked_at === "number");
    const at = data?.looked_at;
    useEffect(() => {
        if (typeof at === "number") {
            begin(true);
        } else if (data && begun) {
            onEnd();
        }
    }, [data, at, begun]);
    const all = pictures.filter((picture) => picture.used).length;
    return (
        <div class="stack">
            <Progress share={at ? at / Math.max(1, all) : undefined} label={text.new.check.looking} />
            <div class="row apart">
                <span class="soft small number">{text.new.check.looking}{at ? ` · ${fill(text.new.check.lookedAt, { n: number(at), all: number(all) })}` : ""}</span>
                <Button little icon="stop" busy={busy} onClick={() => void stop()}>{text.new.check.stop}</Button>
            </div>
            <Failure error={error} />
        </div>
    );
}

function Verdict({ report, groups, stale }: { report: DatasetReport; groups: Group[]; stale: string | null }) {
    const left = new Set(groups.filter((group) => !group.settled).map((group) => group.severity));
    const kind = left.has("serious") ? "bad" : left.has("warning") ? "warn" : "good";
    return (
        <>
            {stale && <Notice kind="warn">{stale}</Notice>}
            <div class={`verdict ${stale ? "" : kind}`} role="status">{report.verdict}</div>
        </>
    );
}

const severities: readonly Severity[] = ["serious", "warning", "info"];

function Findings({ dataset, groups, ...rest }: { dataset: DatasetView; groups: Group[] } & Acting) {
    const settled = groups.filter((group) => group.settled);
    const left = dataset.pictures.filter((picture) => picture.used).length;
    const card = (group: Group) => <FindingCard key={group.key} dataset={dataset.id} group={group} left={left} {...rest} />;
    return (
        <>
            {severities.map((severity) => {
                const here = groups.filter((group) => group.severity === severity && !group.settled);
                return here.length > 0 && (
                    <section key={severity} class="stack" aria-label={text.new.check[severity]}>
                        <h3 class={`severity ${severity}`}>{text.new.check[severity]}</h3>
                        {here.map(card)}
                    </section>
                );
            })}
            {settled.length > 0 && (
                <details>
                    <summary class="soft">{count(settled.length, text.new.check.settled)}</summary>
                    <div class="stack settled">{settled.map(card)}</div>
                </details>
            )}
        </>
    );
}
