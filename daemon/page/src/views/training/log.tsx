// What happened in a training, in words, and what its worker wrote.
import { useState } from "preact/hooks";
import { ask, GET } from "../../api/client";
import type { EventRecord } from "../../api/schema";
import { fill, number } from "../../format";
import { Button, Copy } from "../../parts/button";
import { Failure, Loading } from "../../parts/notice";
import { useAsked } from "../../state/use";
import { text } from "../../text";

const words = text.running.log;
const FEW = 12;

/** What happened, newest first. */
export function Moments({ moments }: { moments: EventRecord[] }) {
    const [all, setAll] = useState(false);
    const shown = moments.slice(all ? 0 : -FEW).reverse();
    const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
    const dated = new Set(moments.map(({ at_ms }) => day.format(at_ms))).size > 1;
    return (
        <section class="card stack">
            <h2>{words.title}</h2>
            <ol class="moments">
                {shown.map((event) => (
                    <li key={event.id} class={event.event === "state" || event.event === "failed" ? "state" : event.event}>
                        <time class="soft small number" dateTime={new Date(event.at_ms).toISOString()}>{dated && `${day.format(event.at_ms)}, `}{clock.format(event.at_ms)}</time>
                        <span class="wrap">{told(event)}</span>
                    </li>
                ))}
            </ol>
            {!all && moments.length > FEW && <div><Button little onClick={() => setAll(true)}>{fill(words.earlier, { n: number(moments.length) })}</Button></div>}
        </section>
    );
}

function told(event: EventRecord): string {
    switch (event.event) {
        case "state":
            return text.running.states[event.state];
        case "stage":
            return text.running.stages[event.stage];
        case "note":
            return event.text;
        case "planned":
            return fill(event.step ? words.goesOn : words.planned, { step: number(event.step), steps: number(event.steps), pictures: number(event.pictures), batch: number(event.batch_size) });
        case "scored": {
            const { best } = event.scores;
            return best ? fill(words.best, { step: number(best.step), strength: number(best.strength) }) : words.scored;
        }
        case "done":
            return fill(words.delivered, { step: number(event.step) });
        case "failed":
            return `${text.running.states.failed}: ${event.failure.reason}`;
        default:
            return "";
    }
}

/** The worker's log, read when it is opened. */
export function WorkerLog({ id }: { id: string }) {
    const [open, setOpen] = useState(false);
    return (
        <details class="card" onToggle={(event) => setOpen(event.currentTarget.open)}>
            <summary><h2 class="inline">{words.worker}</h2></summary>
            {open && <Written id={id} />}
        </details>
    );
}

/** The client takes an empty text for none. */
async function read(id: string): Promise<string> {
    return ((await ask(GET("/v1/jobs/{id}/log", { params: { path: { id } }, parseAs: "text" }))) as string | undefined) ?? "";
}

function Written({ id }: { id: string }) {
    const { data, error, again } = useAsked(() => read(id), [id]);
    return (
        <div class="stack below">
            <p class="soft small">{words.workerHint}</p>
            <div class="row">
                <Button little onClick={() => void again()}>{words.refresh}</Button>
                {data && <Copy value={data} />}
            </div>
            <Failure error={error} again={() => void again()} />
            {data === undefined ? !error && <Loading /> : data ? <pre class="worker-log" tabIndex={0}>{data}</pre> : <p class="soft">{words.empty}</p>}
        </div>
    );
}
