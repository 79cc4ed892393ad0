// The field of one parameter, made from its schema.
import type { ComponentChildren } from "preact";
import { fill } from "../../format";
import { Button } from "../../parts/button";
import { Coded } from "../../parts/code";
import { Field, type Inside } from "../../parts/field";
import { text } from "../../text";
import { type Form, setParameters } from "./form";
import { isSet, type Parameter, type Takes } from "./parameters";

const words = text.train.advanced;

/** A parameter; `marked` tells whether it differs from the default, with a way back. */
export function ParameterField({ parameter, form, label, hint, marked }: { parameter: Parameter; form: Form; label?: string; hint?: string; marked?: boolean }) {
    const { name, takes } = parameter;
    const changed = isSet(form.draft.value.parameters, name) || name in form.typed.value;
    const put = (value: unknown) => {
        const { [name]: _, ...typed } = form.typed.peek();
        form.typed.value = typed;
        setParameters(form.draft, { [name]: value });
    };
    const unit = parameter.unit ? ` (${parameter.unit})` : "";
    const lines = takes.kind === "lines" ? ` (${words.lines})` : "";
    return (
        <div class={`parameter ${marked && changed ? "changed" : ""}`}>
            <Field label={<>{label ?? parameter.label}<span class="soft">{unit}{lines}</span></>} hint={<Coded>{hint ?? parameter.help}</Coded>} wrong={form.wrong(`parameters.${name}`)}>
                {(inside) => <Value parameter={parameter} form={form} inside={inside} put={put} />}
            </Field>
            {marked && changed && (
                <div class="parameter-changed">
                    <span class="badge accent">{words.mark}</span>
                    <Button kind="plain" little label={fill(words.reset, { label: parameter.label })} onClick={() => put(undefined)}>{words.resetShort}</Button>
                </div>
            )}
        </div>
    );
}

function Value({ parameter, form, inside, put }: { parameter: Parameter; form: Form; inside: Inside; put: (value: unknown) => void }): ComponentChildren {
    const { name, takes } = parameter;
    const usual = form.usual(name) ?? parameter.usual;
    const value = (form.draft.value.parameters as Record<string, unknown>)[name];
    const placeholder = usual === undefined ? words.usualOr : fill(words.usual, { value: usual });
    const unset = usual === undefined ? words.usualOr : fill(words.usualIs, { value: usual });
    switch (takes.kind) {
        case "number":
            return <NumberLine name={name} takes={takes} form={form} inside={inside} value={value} placeholder={placeholder} put={put} />;
        case "choice":
            return (
                <select {...inside} value={typeof value === "string" ? value : ""} onChange={(event) => put(event.currentTarget.value || undefined)}>
                    <option value="">{unset}</option>
                    {takes.choices.map((choice) => <option key={choice.value} value={choice.value}>{choice.help ? `${choice.value}: ${choice.help}` : choice.value}</option>)}
                </select>
            );
        case "yes":
            return (
                <select {...inside} value={typeof value === "boolean" ? String(value) : ""} onChange={({ currentTarget: { value } }) => put(value === "" ? undefined : value === "true")}>
                    <option value="">{fill(words.usualIs, { value: usual === "true" ? text.common.yes : usual === "false" ? text.common.no : usual ?? "" })}</option>
                    <option value="true">{text.common.yes}</option>
                    <option value="false">{text.common.no}</option>
                </select>
            );
        case "words":
            return <input type="text" {...inside} value={typeof value === "string" ? value : ""} placeholder={placeholder} autocomplete="off" onInput={(event) => put(event.currentTarget.value || undefined)} />;
        case "lines":
            return <textarea {...inside} rows={4} value={Array.isArray(value) ? value.join("\n") : ""} placeholder={placeholder} onInput={(event) => put(event.currentTarget.value ? event.currentTarget.value.split("\n") : undefined)} onBlur={() => Array.isArray(value) && put(tidied(value))} />;
    }
}

/** Without empty lines, which nobody means. */
function tidied(lines: unknown[]): unknown[] | undefined {
    const kept = lines.map((line) => String(line).trim()).filter(Boolean);
    return kept.length > 0 ? kept : undefined;
}

function NumberLine({ name, takes, form, inside, value, placeholder, put }: { name: string; takes: Takes & { kind: "number" }; form: Form; inside: Inside; value: unknown; placeholder: string; put: (value: unknown) => void }) {
    const typed = form.typed.value[name];
    const take = (text: string) => {
        const plain = text.trim();
        const number = Number(plain.replace(",", "."));
        if (!plain || plain === takes.word) {
            put(plain || undefined);
        } else if (Number.isFinite(number) && !plain.endsWith(".")) {
            put(number);
            // `0.10` and `1e-4` stay as they are typed.
            if (String(number) !== plain) {
                shown.set(name, { number, text });
            }
        } else {
            form.typed.value = { ...form.typed.peek(), [name]: text };
        }
    };
    const own = shown.get(name);
    const written = own && own.number === value ? own.text : value === undefined || value === null ? "" : String(value);
    return <input type="text" inputMode="decimal" {...inside} value={typed ?? written} placeholder={placeholder} autocomplete="off" onInput={(event) => take(event.currentTarget.value)} />;
}

/** How numbers were typed. */
const shown = new Map<string, { number: number; text: string }>();
