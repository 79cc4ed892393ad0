// The button that begins it all.
import { useRef } from "preact/hooks";
import { ask, GET, newKey, POST } from "../../api/client";
import { isOver } from "../../api/jobs";
import type { DatasetView, TrainRequest } from "../../api/schema";
import { fill } from "../../format";
import { Button } from "../../parts/button";
import { Failure, Notice } from "../../parts/notice";
import { go, to } from "../../router";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";
import { lastBase } from "./base";

const words = text.train.start;

/** Starts a training, once for each request however often it is pressed. */
export function Start({ dataset, request, reason }: { dataset: DatasetView; request: TrainRequest | undefined; reason: string | undefined }) {
    const key = useRef({ of: "", key: "" });
    const { run, busy, error } = useAction(async () => {
        if (!request) {
            return;
        }
        const body = JSON.stringify(request);
        if (key.current.of !== body) {
            key.current = { of: body, key: newKey() };
        }
        const job = await ask(POST("/v1/jobs", { body: request, params: { header: { "Idempotency-Key": key.current.key } } }));
        lastBase.value = request.base;
        key.current = { of: "", key: "" };
        go(["training", job.id]);
    });
    return (
        <div class="stack train-start">
            <Queued dataset={dataset} name={request?.name} />
            <Failure error={error} />
            <Button kind="main" icon="play" busy={busy} disabled={!request || Boolean(reason)} onClick={() => void run()}>{words.label}</Button>
            <p class="soft small" aria-live="polite">{reason}</p>
        </div>
    );
}

/** Says that it would be the second. */
function Queued({ dataset, name }: { dataset: DatasetView; name: string | undefined }) {
    const { data } = useAsked(() => ask(GET("/v1/jobs", { params: { query: { limit: 50 } } })), [], 5000);
    const same = data?.items.find((job) => job.dataset === dataset.id && job.name === name && !isOver(job.state));
    return same ? <Notice action={<a href={to(["training", same.id])}>{words.show}</a>}>{fill(words.queued, { name: same.name })}</Notice> : null;
}
