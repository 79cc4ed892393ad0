// The stages of a training, which one it is at, and how far that is.
import type { JobView, Stage } from "../../api/schema";
import { duration, fill, number, precise } from "../../format";
import { Button } from "../../parts/button";
import { Icon } from "../../parts/icon";
import { Progress } from "../../parts/notice";
import { text } from "../../text";
import { canNotify, notifying, switchNotifying } from "./announce";
import { share } from "./row";
import type { Run } from "./run";

const words = text.running;

const order: readonly Stage[] = ["waiting", "pictures", "looking", "latents", "model", "training", "drawing"];
/** Stages that some trainings have none of; shown once they begin. */
const rare: readonly Stage[] = ["waiting", "pictures", "looking"];

/** The stepper with the bar below it. */
export function Stages({ job, run }: { job: JobView; run: Run }) {
    const running = job.state === "running";
    const stage = running ? (run.stage ?? job.stage ?? null) : null;
    const at = stage ? order.indexOf(stage) : -1;
    const shown = order.filter((one) => !rare.includes(one) || run.stages.includes(one) || one === stage);
    const step = Math.max(run.step, run.training.length ? 0 : job.step);
    const steps = run.steps || job.steps;
    const part = share({ steps, step, stage });
    const each = run.seconds ?? job.seconds_per_step;
    const figures: [string, string][] = [];
    if (running && each && step) {
        figures.push([precise(each, 2), words.figures.each]);
        if (stage === "training") {
            figures.push([duration(each * (steps - step)), words.figures.left]);
        }
    }
    const loss = run.training.at(-1)?.value ?? job.loss;
    if (typeof loss === "number") {
        figures.push([precise(loss), words.figures.loss]);
    }
    const heldOut = run.heldOut.at(-1)?.value ?? job.held_out;
    if (typeof heldOut === "number") {
        figures.push([precise(heldOut), words.figures.heldOut]);
    }
    if (job.attempts > 1) {
        figures.push([number(job.attempts), words.figures.attempts]);
    }
    return (
        <section class="card stack">
            <h2 class="hide-visually">{words.stepper}</h2>
            <ol class="stepper">
                {shown.map((one) => {
                    const place = order.indexOf(one);
                    const done = at > place;
                    const state = one === stage ? "now" : done ? "done" : "";
                    return (
                        <li key={one} class={state} aria-current={one === stage ? "step" : undefined}>
                            <span class="dot">{done && <Icon name="check" size={13} />}</span>
                            <span>{words.stages[one]}</span>
                            {done && <span class="hide-visually">({words.stageDone})</span>}
                        </li>
                    );
                })}
            </ol>
            <div class="row apart baseline">
                <span class="big number">{steps ? fill(words.step, { step: number(step), steps: number(steps) }) : running ? (stage ? words.stages[stage] : words.starting) : words.states[job.state]}</span>
                {steps > 0 && <span class="big number">{Math.floor((100 * step) / steps)} %</span>}
            </div>
            <Progress {...(running ? { share: part } : { share: steps ? step / steps : 0 })} label={fill(words.progress, { name: job.name })} />
            <div class="row apart">
                <dl class="figures">
                    {figures.map(([value, name]) => <div key={name}><dt>{name}</dt><dd class="number">{value}</dd></div>)}
                </dl>
                {canNotify && <Button little onClick={() => void switchNotifying()}>{notifying.value ? words.notify.off : words.notify.on}</Button>}
            </div>
            <p class="hide-visually" aria-live="polite">{stage ? words.stages[stage] : words.states[job.state]}</p>
        </section>
    );
}
