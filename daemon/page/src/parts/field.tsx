// A label, what is filled in, a hint, and what is wrong with it.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { Coded } from "./code";

/** What an input inside a field is given. */
export interface Inside {
    id: string;
    "aria-describedby": string | undefined;
    "aria-invalid": "true" | undefined;
}

/** A field; `children` makes the input with what ties it to its label. */
export function Field({ label, hint, wrong, children }: { label: ComponentChildren; hint?: ComponentChildren; wrong?: string | undefined; children: (inside: Inside) => ComponentChildren }) {
    const id = useId();
    const described = [hint ? `${id}-hint` : "", wrong ? `${id}-wrong` : ""].filter(Boolean).join(" ") || undefined;
    return (
        <div class="field">
            <label for={id}>{label}</label>
            {children({ id, "aria-describedby": described, "aria-invalid": wrong ? "true" : undefined })}
            {hint && <div class="hint" id={`${id}-hint`}>{hint}</div>}
            {wrong && <div class="wrong" id={`${id}-wrong`} role="alert"><Coded>{wrong}</Coded></div>}
        </div>
    );
}

/** What a line of text takes beside its value. */
export interface LineProps {
    type?: "text" | "password" | "number" | "url" | "search";
    placeholder?: string;
    required?: boolean;
    disabled?: boolean;
    min?: number | undefined;
    max?: number | undefined;
    step?: number | "any";
    maxLength?: number;
    list?: string;
    autocomplete?: "off" | "current-password";
    spellcheck?: boolean;
}

/** A line of text. */
export function TextField({ label, hint, wrong, value, onInput, ...rest }: { label: ComponentChildren; hint?: ComponentChildren; wrong?: string | undefined; value: string; onInput: (value: string) => void } & LineProps) {
    const line = rest as Record<string, unknown>;
    return (
        <Field label={label} hint={hint} wrong={wrong}>
            {(inside) => <input type="text" {...line} {...inside} value={value} onInput={(event: Event) => onInput((event.currentTarget as HTMLInputElement).value)} />}
        </Field>
    );
}

/** One of several. */
export function SelectField({ label, hint, wrong, value, choices, onChange, disabled }: { label: ComponentChildren; hint?: ComponentChildren; wrong?: string | undefined; value: string; choices: readonly (readonly [string, string])[]; onChange: (value: string) => void; disabled?: boolean }) {
    return (
        <Field label={label} hint={hint} wrong={wrong}>
            {(inside) => (
                <select {...inside} value={value} disabled={disabled} onChange={(event) => onChange(event.currentTarget.value)}>
                    {choices.map(([choice, words]) => (
                        <option key={choice} value={choice}>{words}</option>
                    ))}
                </select>
            )}
        </Field>
    );
}

/** Yes or no. */
export function Check({ label, hint, checked, onChange, disabled }: { label: ComponentChildren; hint?: ComponentChildren; checked: boolean; onChange: (checked: boolean) => void; disabled?: boolean }) {
    const id = useId();
    return (
        <div class="check">
            <input type="checkbox" id={id} checked={checked} disabled={disabled} aria-describedby={hint ? `${id}-hint` : undefined} onChange={(event) => onChange(event.currentTarget.checked)} />
            <div>
                <label for={id}>{label}</label>
                {hint && <div class="soft small" id={`${id}-hint`}>{hint}</div>}
            </div>
        </div>
    );
}
