// Buttons.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { text } from "../text";
import { Icon, type IconName } from "./icon";

/** What a button can be. */
export interface ButtonProps {
    children?: ComponentChildren;
    /** Its manner: the main one of a view, one among text, one that destroys. */
    kind?: "main" | "plain" | "bad";
    little?: boolean;
    icon?: IconName;
    /** What it says to those who do not see its drawing; needed where it has no words. */
    label?: string;
    disabled?: boolean;
    /** While it works. */
    busy?: boolean;
    type?: "button" | "submit";
    onClick?: () => void;
}

/** A button. */
export function Button({ children, kind, little, icon, label, disabled, busy, type = "button", onClick }: ButtonProps) {
    // A double click on what begins something begins it once.
    const once = (event: MouseEvent) => event.detail < 2 && onClick?.();
    const classes = ["button", kind, little && "little"].filter(Boolean).join(" ");
    return (
        // One that works is not disabled: it would lose the focus, and with it the place of who uses the keyboard.
        <button type={busy ? "button" : type} class={classes} aria-label={label} title={label} disabled={disabled} aria-disabled={busy || undefined} aria-busy={busy} onClick={busy ? undefined : kind === "main" ? once : onClick}>
            {icon && <Icon name={icon} size={little ? 15 : 18} />}
            {children}
        </button>
    );
}

/** Puts a text on the clipboard, and says so. */
export function Copy({ value, children = text.common.copy }: { value: string; children?: ComponentChildren }) {
    const [copied, set] = useState(false);
    const copy = async () => {
        await put(value);
        set(true);
        setTimeout(() => set(false), 2000);
    };
    return (
        <Button little icon={copied ? "check" : "copy"} onClick={() => void copy()}>
            <span aria-live="polite">{copied ? text.common.copied : children}</span>
        </Button>
    );
}

async function put(value: string): Promise<void> {
    try {
        await navigator.clipboard.writeText(value);
    } catch {
        // Pages that are not on this machine itself have no clipboard but a selection's.
        const area = document.createElement("textarea");
        area.value = value;
        // Outside of an open window nothing can be selected.
        const focused = document.activeElement;
        (focused?.closest("dialog") ?? document.body).append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
        if (focused instanceof HTMLElement) {
            focused.focus();
        }
    }
}

/** A few choices of which one holds. */
export function Segments<T extends string>({ label, value, choices, onChange }: { label: string; value: T; choices: readonly (readonly [T, string])[]; onChange: (value: T) => void }) {
    return (
        <div class="segments" role="group" aria-label={label}>
            {choices.map(([choice, words]) => (
                <button key={choice} type="button" aria-pressed={choice === value} onClick={() => onChange(choice)}>
                    {words}
                </button>
            ))}
        </div>
    );
}
