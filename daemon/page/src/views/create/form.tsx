// The form: what to draw, with which concepts, how.
import { useState } from "preact/hooks";
import { count } from "../../format";
import { Button } from "../../parts/button";
import { Failure, Notice, toastError } from "../../parts/notice";
import { useAction } from "../../state/use";
import { text } from "../../text";
import { Count } from "./count";
import { change, draft, type Draft, fresh, requestOf } from "./draft";
import { Base, Finer } from "./finer";
import { findingsOf } from "./fit";
import { make } from "./history";
import { conceptOf, concepts, models } from "./library";
import { Prompt } from "./prompt";
import { Shape } from "./shape";
import { leaveOut, start, type Start, take } from "./start";
import { Starting } from "./starting";
import { Strengths } from "./strengths";

const words = text.create.form;

/** All of it; `onMade` hears of each creation that was asked for. */
export function Form({ onAdd, onHosts, onMade }: { onAdd: () => void; onHosts: () => void; onMade: (id: string) => void }) {
    const [missing, setMissing] = useState(false);
    const [cleared, setCleared] = useState<[Draft, Start | null]>();
    const making = useAction(async () => {
        const { id } = await make(requestOf(draft.value), draft.value.seed, start.value);
        onMade(id);
    });
    const now = draft.value;
    const findings = findingsOf(now);
    const gone = concepts.value !== undefined && now.concepts.some(({ concept }) => !conceptOf(concept));
    const stuck = gone || findings.some(({ stops }) => stops);
    const empty = now.prompt.trim() === "";
    const create = () => {
        setMissing(empty);
        if (empty) {
            document.querySelector<HTMLTextAreaElement>(".create-prompt textarea")?.focus();
        } else if (!stuck) {
            void making.run();
        }
    };
    const pressed = (event: KeyboardEvent) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            // A number that is being typed counts from when its field is left.
            if (event.target instanceof HTMLInputElement) {
                event.target.blur();
            }
            create();
        }
    };
    const clear = () => {
        setCleared([now, start.value]);
        change(fresh);
        leaveOut();
        setMissing(false);
    };
    const unclear = ([before, picture]: [Draft, Start | null]) => {
        setCleared(undefined);
        change(before);
        if (picture) {
            void take(picture.blob).catch(toastError);
        }
    };
    return (
        <section class="card create-form" aria-label={words.title} onKeyDown={pressed}>
            <div class="create-fields">
                <h2 class="hide-visually">{words.title}</h2>
                <Prompt wrong={missing && empty ? words.empty : undefined} />
                <Strengths onAdd={onAdd} />
                {now.base === null && now.concepts.length === 0 && models.value && models.value.length > 0 && <Base />}
                <Shape />
                <Starting />
                <Finer />
                <div class="row apart">
                    <Button little icon="copy" disabled={empty} onClick={onHosts}>{words.hosts}</Button>
                    {cleared && empty ? <Button little kind="plain" onClick={() => unclear(cleared)}>{words.unclear}</Button> : <Button little kind="plain" onClick={clear}>{words.clear}</Button>}
                </div>
            </div>
            <div class="create-go">
                {findings.map(({ kind, words }) => <Notice key={words} {...(kind ? { kind } : {})}>{words}</Notice>)}
                {gone && <Notice kind="bad">{words.gone}</Notice>}
                <Failure error={making.error} again={create} />
                <div class="create-start">
                    <Count />
                    <Button kind="main" icon="brush" busy={making.busy} disabled={stuck} onClick={create}>{count(now.count, words.create)}</Button>
                </div>
                <span class="create-keys soft small">{words.keys}</span>
            </div>
        </section>
    );
}
