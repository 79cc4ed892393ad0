// What a setting's value is edited with, by its kind.
import { text } from "../../text";
import type { Kind } from "./values";

const words = text.settings.daemon;

/** What every editor is given: the value as it is typed, and what hears of another. */
interface Props {
    id: string;
    value: string;
    disabled: boolean;
    wrong: boolean;
    onInput: (value: string) => void;
}

/** The input of a setting; its label, help and error are named after `id`. */
export function Editor({ kind, ...props }: Props & { kind: Kind }) {
    const { id, value, disabled, wrong, onInput } = props;
    const tied = { id, disabled, "aria-describedby": [`${id}-help`, wrong && `${id}-wrong`].filter(Boolean).join(" "), "aria-invalid": wrong ? ("true" as const) : undefined };
    switch (kind) {
        case "courtesy":
            return <Choice {...props} />;
        case "yes":
            return <input {...tied} type="checkbox" role="switch" checked={value === "true"} onChange={(event) => onInput(String(event.currentTarget.checked))} />;
        case "log":
            return (
                <select {...tied} class="short" value={value} onChange={(event) => onInput(event.currentTarget.value)}>
                    {(words.logs as readonly string[]).concat((words.logs as readonly string[]).includes(value) ? [] : [value]).map((level) => <option key={level} value={level}>{level}</option>)}
                </select>
            );
        case "list":
            return <textarea {...tied} class="mono" rows={Math.min(8, Math.max(2, value.split("\n").length))} spellcheck={false} value={value} onInput={(event) => onInput(event.currentTarget.value)} />;
        default:
            return <input {...tied} type="text" class={kind === "text" ? "" : "short"} inputMode={kind === "number" ? "numeric" : undefined} spellcheck={false} autocomplete="off" value={value} onInput={(event) => onInput(event.currentTarget.value)} />;
    }
}

function Choice({ id, value, disabled, onInput }: Props) {
    return (
        <div class="settings-choices" role="radiogroup" aria-labelledby={`${id}-label`} aria-describedby={`${id}-help`}>
            {words.courtesy.map(([choice, title, about]) => (
                <label key={choice} class="settings-choice">
                    <input type="radio" name={id} checked={choice === value} disabled={disabled} onChange={() => onInput(choice)} />
                    <span>
                        <strong>{title}</strong>
                        <span class="soft small">{about}</span>
                    </span>
                </label>
            ))}
        </div>
    );
}
