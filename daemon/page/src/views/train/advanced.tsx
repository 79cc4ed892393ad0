// Every other parameter, for those who know what they want.
import { useState } from "preact/hooks";
import { count } from "../../format";
import { Button } from "../../parts/button";
import { Check } from "../../parts/field";
import { Icon } from "../../parts/icon";
import { text } from "../../text";
import { change } from "../new/draft";
import type { Form } from "./form";
import { Json } from "./json";
import { GROUPS, isSet, type Parameter, parameters } from "./parameters";
import { ParameterField } from "./parameter";

const words = text.train.advanced;
/** Those that stand further up. */
const FRONT = ["steps", "time_budget", "resolution"];
const advanced = parameters.filter(({ name }) => !FRONT.includes(name));

/** All parameters with their defaults, to search and to change. */
export function Advanced({ form, open, onOpen }: { form: Form; open: boolean; onOpen: (open: boolean) => void }) {
    const [search, setSearch] = useState("");
    const [only, setOnly] = useState(false);
    const values = form.draft.value.parameters;
    const changed = advanced.filter(({ name }) => isSet(values, name) || name in form.typed.value);
    const wanted = search.trim().toLowerCase();
    const shown = (only ? changed : advanced).filter(({ name, label, help }) => [name, label, help].some((said) => said.toLowerCase().includes(wanted)));
    const reset = () => {
        form.typed.value = {};
        const kept = Object.entries(values).filter(([name]) => FRONT.includes(name));
        change(form.draft, { parameters: Object.fromEntries(kept) });
    };
    return (
        <details class="train-advanced" open={open} onToggle={(event) => onOpen(event.currentTarget.open)}>
            <summary>
                <h3>{words.title}</h3>
                {changed.length > 0 && <span class="badge accent">{count(changed.length, words.changed)}</span>}
            </summary>
            {open && (
                <div class="stack">
                    <p class="soft small">{words.about}</p>
                    <div class="row">
                        <label class="train-search grow">
                            <Icon name="search" />
                            <span class="hide-visually">{words.search}</span>
                            <input type="search" placeholder={words.search} value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
                        </label>
                        <Check label={words.onlyChanged} checked={only} onChange={setOnly} />
                        <Button little disabled={changed.length === 0} onClick={reset}>{words.resetAll}</Button>
                    </div>
                    {GROUPS.map((group) => <Fields key={group} title={words.groups[group]} form={form} items={shown.filter((parameter) => parameter.group === group)} />)}
                    {shown.length === 0 && <p class="soft">{words.none}</p>}
                    <Json form={form} />
                </div>
            )}
        </details>
    );
}

function Fields({ title, form, items }: { title: string; form: Form; items: Parameter[] }) {
    if (items.length === 0) {
        return null;
    }
    return (
        <section class="train-group">
            <h4>{title}</h4>
            <div class="train-fields">{items.map((parameter) => <ParameterField key={parameter.name} parameter={parameter} form={form} marked />)}</div>
        </section>
    );
}
