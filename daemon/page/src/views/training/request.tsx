// What was asked of a training, and asking the same again.
import { ask, GET, POST } from "../../api/client";
import type { TrainRequest } from "../../api/schema";
import { Button } from "../../parts/button";
import { toastError } from "../../parts/notice";
import { go, to } from "../../router";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";

const words = text.running.request;

const request = (id: string) => ask(GET("/v1/jobs/{id}/request", { params: { path: { id } } }));

/** What differs from what conceptd does by itself. */
export function Request({ id, dataset }: { id: string; dataset: string }) {
    const { data } = useAsked(() => request(id), [id]);
    return !data ? null : (
        <details class="card">
            <summary><h2 class="inline">{words.title}</h2></summary>
            <div class="stack below">
                <dl class="definition small">
                    {rows(data).map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name} is`}>{value}</dd>])}
                    <dt>{words.pictures}</dt>
                    <dd><a href={to(["new", dataset])}>{words.dataset}</a></dd>
                </dl>
                <p class="soft small">{words.plain}</p>
            </div>
        </details>
    );
}

/** Name and value of whatever was given. */
function rows(asked: TrainRequest): [string, string][] {
    const { name, base, mode, vae, prediction, parameters, continue_from, recipe_from, priority, install, courtesy } = asked;
    const given: [string, unknown][] = [
        [words.name, name],
        [words.mode, mode && text.modes[mode]],
        [words.base, base],
        [words.vae, vae],
        [words.prediction, prediction],
        [words.continue_from, continue_from],
        [words.recipe_from, recipe_from],
        [words.priority, priority || null],
        [words.install, install?.length ? install.map((host) => (host === "all" ? words.everyHost : host)) : null],
        [words.courtesy, courtesy],
        ...Object.entries(parameters ?? {}).map(([name, value]): [string, unknown] => [sentence(name), value]),
    ];
    return given.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => [name, Array.isArray(value) ? value.join(" | ") : typeof value === "boolean" ? (value ? text.common.yes : text.common.no) : String(value)]);
}

function sentence(name: string): string {
    const spaced = name.replaceAll("_", " ");
    return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** Queues the same training once more, for failures that have nothing to do with it. */
export function Repeat({ id }: { id: string }) {
    const { data } = useAsked(() => request(id), [id]);
    const { run, busy } = useAction(async (body: TrainRequest) => {
        try {
            go(["training", (await ask(POST("/v1/jobs", { body }))).id]);
        } catch (error) {
            toastError(error);
        }
    });
    return data ? <Button busy={busy} onClick={() => void run(data)}>{text.running.act.repeat}</Button> : null;
}
