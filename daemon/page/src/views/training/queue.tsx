// The queue: what runs, what waits and in which order, what is paused, what is over.
import { useState } from "preact/hooks";
import type { JobView } from "../../api/schema";
import { Button } from "../../parts/button";
import { Head } from "../../parts/head";
import { Empty, Failure, Loading } from "../../parts/notice";
import { to } from "../../router";
import { text } from "../../text";
import { Actions } from "./actions";
import { useJobs } from "./jobs";
import { Waiting } from "./order";
import { Row } from "./row";

const words = text.running;
const PAGE = 20;

/** The view of all trainings. */
export function Queue() {
    const { data: jobs, error, again, set } = useJobs();
    const [shown, setShown] = useState(PAGE);
    const changed = (job: JobView) => jobs && set(jobs.map((other) => (other.id === job.id ? job : other)));
    const of = (...states: JobView["state"][]) => jobs?.filter(({ state }) => states.includes(state)) ?? [];
    const going = of("running", "cancelling", "interrupted");
    const waiting = of("queued").sort((a, b) => (a.ahead ?? 0) - (b.ahead ?? 0));
    const held = of("paused");
    const over = of("done", "failed", "cancelled");
    const list = (some: JobView[]) => (
        <ul class="jobs">
            {some.map((job) => (
                <li key={job.id} class="card job"><Row job={job}><Actions job={job} little changed={changed} again={again} /></Row></li>
            ))}
        </ul>
    );
    const begin = <a class="button main" href={to(["new"])}>{words.begin}</a>;
    return (
        <>
            <Head title={words.title} about={words.about}>{jobs?.length ? begin : null}</Head>
            <div class="stack training">
                <Failure error={error} again={() => void again()} />
                {!jobs && !error && <Loading />}
                {jobs?.length === 0 && <Empty action={begin}>{words.empty}</Empty>}
                {(going.length > 0 || waiting.length > 0) && (
                    <section class="stack tight">
                        <h2>{words.now}</h2>
                        {going.length ? list(going) : <p class="soft">{words.none}</p>}
                    </section>
                )}
                {waiting.length > 0 && (
                    <section class="stack tight">
                        <h2>{words.waiting} <Many n={waiting.length} /></h2>
                        {waiting.length > 1 && <p class="soft small">{words.waitingHint}</p>}
                        <Waiting jobs={waiting} changed={changed} again={again} />
                    </section>
                )}
                {held.length > 0 && <section class="stack tight"><h2>{words.held} <Many n={held.length} /></h2>{list(held)}</section>}
                {over.length > 0 && (
                    <section class="stack tight">
                        <h2>{words.over} <Many n={over.length} /></h2>
                        {list(over.slice(0, shown))}
                        {over.length > shown && <div><Button onClick={() => setShown(shown + PAGE)}>{text.common.more}</Button></div>}
                    </section>
                )}
            </div>
        </>
    );
}

function Many({ n }: { n: number }) {
    return <span class="badge">{n}</span>;
}
