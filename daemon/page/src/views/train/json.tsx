// The parameters as text, to keep and to share.
import { useState } from "preact/hooks";
import type { Parameters } from "../../api/schema";
import { fill } from "../../format";
import { Button, Copy } from "../../parts/button";
import { Field } from "../../parts/field";
import { toast } from "../../parts/notice";
import { text } from "../../text";
import { change } from "../new/draft";
import type { Form } from "./form";
import { parameterOf, withValues, wrongIn } from "./parameters";

const words = text.train.advanced;

/** Shows all that is set, and takes what is pasted. */
export function Json({ form }: { form: Form }) {
    const now = JSON.stringify(form.draft.value.parameters, null, 2);
    const [typed, set] = useState<string | null>(null);
    const [wrong, setWrong] = useState<string>();
    const written = typed ?? now;
    const take = () => {
        const read = readJson(written);
        if (typeof read === "string") {
            setWrong(read);
            return;
        }
        form.typed.value = {};
        change(form.draft, { parameters: read });
        set(null);
        setWrong(undefined);
        toast(words.taken);
    };
    return (
        <details class="train-json">
            <summary>{words.json}</summary>
            <div class="stack">
                <Field label={words.jsonLabel} hint={words.jsonHint} wrong={wrong}>
                    {(inside) => <textarea {...inside} class="mono" rows={Math.min(16, written.split("\n").length + 1)} spellcheck={false} value={written} onInput={(event) => (set(event.currentTarget.value), setWrong(undefined))} />}
                </Field>
                <div class="row">
                    <Copy value={written} />
                    <Button little disabled={typed === null || typed === now} onClick={take}>{words.take}</Button>
                </div>
            </div>
        </details>
    );
}

/** Parameters, or what is wrong with them. */
function readJson(written: string): Parameters | string {
    let read: unknown;
    try {
        read = JSON.parse(written);
    } catch {
        return words.jsonWrong;
    }
    if (typeof read !== "object" || read === null || Array.isArray(read)) {
        return words.jsonWrong;
    }
    const values = withValues({}, read as Record<string, unknown>);
    const [first] = wrongIn(values);
    if (!first) {
        return values;
    }
    const parameter = parameterOf(first[0]);
    return parameter ? fill(words.wrongOf, { label: parameter.name, wrong: first[1] }) : first[1];
}
