// The checkpoint that learns.
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { allModels } from "../../api/library";
import type { ModelView } from "../../api/schema";
import { bytes, count, fill } from "../../format";
import { Button } from "../../parts/button";
import { Command } from "../../parts/code";
import { Field } from "../../parts/field";
import { Failure, Notice } from "../../parts/notice";
import { to } from "../../router";
import { stored } from "../../state/stored";
import { type Asked, useAsked } from "../../state/use";
import { text } from "../../text";
import { change } from "../new/draft";
import type { Form } from "./form";

const words = text.train.base;

/** The base that was trained on last. */
export const lastBase = stored("base", "");

/** Every checkpoint that the daemon knows. */
export function useModels(): Asked<ModelView[]> {
    return useAsked(allModels, []);
}

/** Whether a model is what a draft names: by its name or its path. */
export function isBase(model: ModelView, base: string): boolean {
    return model.name === base || model.path === base;
}

/** Which checkpoint learns. */
export function Base({ form, models: { data, error, again }, children }: { form: Form; models: Asked<ModelView[]>; children: ComponentChildren }) {
    const { base } = form.draft.value;
    const usable = data?.filter((model) => model.family && !model.problem) ?? [];
    const unusable = data?.filter((model) => model.problem || !model.family) ?? [];
    const model = usable.find((model) => isBase(model, base));
    useEffect(() => {
        const before = usable.find((model) => isBase(model, lastBase.value)) ?? (usable.length === 1 ? usable[0] : undefined);
        if (!base && before) {
            change(form.draft, { base: before.name });
        }
    }, [data]);
    const choose = (base: string) => {
        change(form.draft, { base });
        lastBase.value = base;
    };
    return (
        <section class="stack train-part">
            <h3>{words.title}</h3>
            <Failure error={error} again={() => void again()} />
            {data && usable.length === 0 && <None again={() => void again()} />}
            {(usable.length > 0 || base) && (
                <Field label={words.label} hint={words.hint} wrong={form.wrong("base")}>
                    {(inside) => (
                        <select {...inside} value={model?.name ?? base} onChange={(event) => choose(event.currentTarget.value)}>
                            {!base && <option value="">{words.choose}</option>}
                            {base && !model && <option value={base}>{data ? fill(words.gone, { name: base }) : base}</option>}
                            {usable.map(({ name, path, family, bytes: size }) => (
                                <option key={path} value={name}>{fill(words.option, { name, family: family ? words.family[family] : "", size: bytes(size) })}</option>
                            ))}
                        </select>
                    )}
                </Field>
            )}
            {model?.nonstandard && <Notice kind="warn">{words.nonstandard}</Notice>}
            {children}
            {unusable.length > 0 && (
                <details>
                    <summary class="soft small">{count(unusable.length, words.unusable)}</summary>
                    <ul class="small train-unusable">{unusable.map(({ name, path, problem }) => <li key={path} class="wrap"><strong>{name}</strong>{problem && <>: {problem}</>}</li>)}</ul>
                </details>
            )}
        </section>
    );
}

function None({ again }: { again: () => void }) {
    return (
        <>
            <p>{words.none}</p>
            <Command>{words.command}</Command>
            <div class="row">
                <a class="button little" href={to(["settings"])}>{words.settings}</a>
                <Button little onClick={again}>{words.look}</Button>
            </div>
        </>
    );
}
