// What the events of a job add up to, and a job that is followed live.
import { useEffect, useState } from "preact/hooks";
import { follow } from "../../api/events";
import type { EventRecord, JobState, LossPoint, Scores, Stage } from "../../api/schema";

/** A sample picture. */
export interface Sample {
    step: number;
    url: string;
}

/** A run as its events tell it. */
export interface Run {
    state: JobState | null;
    stage: Stage | null;
    /** Stages that were seen since the last start. */
    stages: Stage[];
    step: number;
    steps: number;
    saved: number;
    /** Seconds of an update, smoothed as the daemon does it. */
    seconds: number | null;
    training: LossPoint[];
    heldOut: LossPoint[];
    samples: Sample[];
    scores: Scores | null;
    /** What is worth reading and shown nowhere else, oldest first. */
    moments: EventRecord[];
}

function blank(): Run {
    return { state: null, stage: null, stages: [], step: 0, steps: 0, saved: 0, seconds: null, training: [], heldOut: [], samples: [], scores: null, moments: [] };
}

/** Puts a point behind those before its step: a worker that went on from a snapshot makes later ones again. */
function put<T extends { step: number }>(points: T[], point: T): void {
    for (let last = points.at(-1); last && last.step >= point.step; last = points.at(-1)) {
        points.pop();
    }
    points.push(point);
}

function take(run: Run, job: string, event: EventRecord): void {
    switch (event.event) {
        case "state":
            run.state = event.state;
            if (event.state === "running") {
                run.stage = null;
                run.stages = [];
            }
            break;
        case "stage":
            run.stage = event.stage;
            if (!run.stages.includes(event.stage)) {
                run.stages.push(event.stage);
            }
            break;
        case "planned":
            run.steps = event.steps;
            run.step = event.step;
            break;
        case "step":
            run.step = event.step;
            run.steps = event.steps;
            run.seconds = run.seconds === null ? event.seconds : run.seconds + 0.1 * (event.seconds - run.seconds);
            put(run.training, { step: event.step, value: event.loss });
            return;
        case "saved":
            run.saved = event.step;
            return;
        case "snapshot":
            put(run.heldOut, { step: event.step, value: event.held_out });
            return;
        case "sample":
            put(run.samples, { step: event.step, url: `/v1/jobs/${encodeURIComponent(job)}/samples/${encodeURIComponent(event.file)}` });
            return;
        case "scored":
            run.scores = event.scores;
            break;
        case "failed":
            run.state = "failed";
            break;
    }
    run.moments.push(event);
}

/** The run as it stands. A list that did not change stays the same one, so that what shows it can rest. */
function seen(run: Run, before: Run): Run {
    const kept = <T,>(now: T[], earlier: T[]) => (now.length === earlier.length && now.at(-1) === earlier.at(-1) ? earlier : now.slice());
    return {
        ...run,
        stages: kept(run.stages, before.stages),
        training: kept(run.training, before.training),
        heldOut: kept(run.heldOut, before.heldOut),
        samples: kept(run.samples, before.samples),
        moments: kept(run.moments, before.moments),
    };
}

/** A job's run, live. */
export function useRun(job: string): Run {
    const [run, show] = useState(blank);
    useEffect(() => {
        const mine = blank();
        show(blank());
        return follow(job, (events) => {
            for (const event of events) {
                take(mine, job, event);
            }
            show((before) => seen(mine, before));
        });
    }, [job]);
    return run;
}
