// From a draft to a training: base, parameters, plan, start.
import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, POST } from "../../api/client";
import type { DatasetView, PlanView, TrainRequest } from "../../api/schema";
import { count } from "../../format";
import { useAsked, useQuiet } from "../../state/use";
import { text } from "../../text";
import type { Draft } from "../new/draft";
import { Advanced } from "./advanced";
import { Card, From, Hosts } from "./after";
import { Base, isBase, useModels } from "./base";
import { type Form, refusal, requestOf, wrongs } from "./form";
import { Length } from "./length";
import { isSet } from "./parameters";
import { Plan } from "./plan";
import { Start } from "./start";
import "./train.css";

const QUIET_MS = 500;
const words = text.train.start;

/** Base, parameters, the plan, and the button. `revision` changes with the data set's pictures and captions. */
export function TrainForm({ dataset, draft, revision }: { dataset: DatasetView; draft: Signal<Draft>; revision: number }) {
    const typed = useSignal<Record<string, string>>({});
    const [open, setOpen] = useState(false);
    const models = useModels();
    const wrong = wrongs(draft.value, typed.value, text.train.wrong.number);
    const request = requestOf(dataset, draft.value);
    const { plan, error, waiting } = usePlan(wrong.size === 0 ? request : undefined, revision);
    const refused = refusal(error);
    const form: Form = { draft, typed, wrong: (field) => wrong.get(field) ?? (refused?.field === field ? refused.words : undefined), usual: (name) => (isSet(draft.value.parameters, name) ? undefined : plan?.resolved.find(({ parameter }) => parameter === name)?.value) };
    const hidden = refused?.field.startsWith("parameters.") ?? false;
    useEffect(() => {
        if (hidden) {
            // What is refused has to be seen.
            setOpen(true);
        }
    }, [hidden]);
    return (
        <div class="train-room"><div class="train">
            <div class="stack train-form">
                <Base form={form} models={models}>
                    <From form={form} model={models.data?.find((model) => isBase(model, draft.value.base))} />
                </Base>
                <Length form={form} />
                <section class="stack train-part">
                    <h3>{text.train.after.title}</h3>
                    <Hosts form={form} />
                    <Card form={form} />
                </section>
                <Advanced form={form} open={open} onOpen={setOpen} />
            </div>
            <div class="train-side">
                <Plan plan={plan} error={error} waiting={waiting} asks={request !== undefined} />
                <Start dataset={dataset} request={request} reason={reasonOf(draft.value, wrong.size, error, waiting)} />
            </div>
        </div></div>
    );
}

/** Why it cannot start yet. */
function reasonOf({ name, mode, base }: Draft, wrong: number, error: unknown, waiting: boolean): string | undefined {
    if (!name.trim()) {
        return words.name;
    }
    if (!mode) {
        return words.mode;
    }
    if (!base) {
        return words.base;
    }
    if (wrong > 0) {
        return count(wrong, words.wrong);
    }
    if (waiting) {
        return words.planning;
    }
    return error ? words.refused : undefined;
}

/** The plan of a request, once it has been quiet; the last one stays while the next is worked out. */
function usePlan(request: TrainRequest | undefined, revision: number): { plan: PlanView | undefined; error: unknown; waiting: boolean } {
    const wanted = request ? JSON.stringify(request) : "";
    const quiet = useQuiet(wanted, QUIET_MS);
    const asked = useMemo(() => (quiet ? (JSON.parse(quiet) as TrainRequest) : undefined), [quiet]);
    const { data, error } = useAsked(async () => (asked ? { of: quiet, plan: await ask(POST("/v1/plans", { body: asked })) } : null), [quiet, revision]);
    const last = useRef<PlanView | undefined>(undefined);
    last.current = data?.plan ?? last.current;
    return { plan: last.current, error, waiting: wanted !== "" && (wanted !== quiet || (!data && !error)) };
}
