// What can be done with a training, by its state.
import { useEffect, useState } from "preact/hooks";
import { ask, POST } from "../../api/client";
import type { JobState, JobView } from "../../api/schema";
import { fill, number } from "../../format";
import { Button } from "../../parts/button";
import { Confirm } from "../../parts/dialog";
import { Icon, type IconName } from "../../parts/icon";
import { toast, toastError } from "../../parts/notice";
import { to } from "../../router";
import { useAction } from "../../state/use";
import { text } from "../../text";

const words = text.running;

type Act = "pause" | "resume" | "cancel" | "sample";

const asks = (id: string) => {
    const params = { params: { path: { id } } };
    return {
        pause: () => POST("/v1/jobs/{id}/pause", params),
        resume: () => POST("/v1/jobs/{id}/resume", params),
        cancel: () => POST("/v1/jobs/{id}/cancel", params),
        sample: () => POST("/v1/jobs/{id}/sample", params),
    };
};

const possible: Record<JobState, readonly Act[]> = {
    queued: ["pause", "cancel"],
    running: ["pause", "cancel"],
    paused: ["resume", "cancel"],
    interrupted: ["cancel"],
    cancelling: [],
    done: [],
    failed: [],
    cancelled: [],
};

const icons: Record<Act, IconName> = { pause: "pause", resume: "play", cancel: "stop", sample: "pictures" };

/** Buttons for a training. `changed` hears what it became, `again` that another tab or the training itself was faster. */
export function Actions({ job, little, sampling, changed, again }: { job: JobView; little?: boolean; sampling?: boolean; changed: (job: JobView) => void; again: () => Promise<void> }) {
    const [sure, setSure] = useState(false);
    const [asked, setAsked] = useState<Act>();
    // A pause takes until the next step; another tab may have ended it before it was seen here, which a new worker tells.
    useEffect(() => setAsked(undefined), [job.state, job.attempts]);
    const { run, busy } = useAction(async (act: Act) => {
        try {
            changed(await ask(asks(job.id)[act]()));
            if (act === "sample") {
                toast(words.sampling);
            } else {
                setAsked(act);
            }
        } catch (error) {
            toastError(error);
            await again();
        }
        setSure(false);
    });
    const acts = possible[job.state];
    const name = { name: job.name };
    const pausing = asked === "pause" && job.state === "running";
    const button = (act: Act) => {
        const way = act === "pause" && job.state === "queued" ? "hold" : act;
        const wait = pausing && act === "pause";
        return (
            <Button
                key={act}
                {...(little ? { little, label: fill(words.labels[way], name) } : {})}
                icon={icons[act]}
                busy={busy || wait}
                onClick={() => (act === "cancel" ? setSure(true) : void run(act))}
            >
                {little ? null : wait ? words.pausing : words.act[way]}
            </Button>
        );
    };
    return (
        <>
            {sampling && job.state === "running" && job.stage === "training" && button("sample")}
            {acts.map(button)}
            {job.state === "done" && job.concept && (
                <a class={`button ${little ? "little" : "main"}`} href={to(["concepts", job.concept])} aria-label={fill(words.labels.open, name)}>{words.act.open}</a>
            )}
            {(job.state === "failed" || job.state === "cancelled" || (job.state === "done" && !little)) && <Again job={job} {...(little ? { little } : {})} />}
            {sure && (
                <Confirm title={fill(words.sure.title, name)} action={words.sure.action} busy={busy} onDo={() => void run("cancel")} onClose={() => setSure(false)}>
                    <div class="stack">
                        <p>{job.step > 0 ? fill(words.sure.lost, { step: number(job.step), steps: number(job.steps) }) : words.sure.lostNothing}</p>
                        <p>{words.sure.kept}</p>
                        {acts.includes("pause") && <p class="soft">{words.sure.pause}</p>}
                    </div>
                </Confirm>
            )}
        </>
    );
}

/** Leads to the form of a new training that begins with what this one was asked. */
export function Again({ job, little }: { job: JobView; little?: boolean }) {
    return (
        <a class={`button ${little ? "little" : ""}`} href={to(["new", job.dataset], { job: job.id })} aria-label={little ? fill(words.labels.again, { name: job.name }) : undefined}>
            <Icon name="edit" size={little ? 15 : 18} />
            {little ? words.act.again : words.act.change}
        </a>
    );
}
