// What the page says by itself: notices, empty places, progress, toasts.
import type { ComponentChildren } from "preact";
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Unreachable, wordsOf } from "../api/client";
import { text } from "../text";
import { Button } from "./button";
import { Coded } from "./code";

/** How much something matters. */
export type Weight = "good" | "warn" | "bad";

/** A sentence that stands out, with what can be done about it. */
export function Notice({ kind, children, action }: { kind?: Weight; children: ComponentChildren; action?: ComponentChildren }) {
    return (
        <div class={`notice ${kind ?? ""}`} role={kind === "bad" ? "alert" : "status"}>
            <div>{children}</div>
            {action}
        </div>
    );
}

/** Why something failed, in the daemon's words; nothing for what is told by the bar above every view. */
export function Failure({ error, again }: { error: unknown; again?: () => void }) {
    if (!error || error instanceof Unreachable || (error instanceof DOMException && error.name === "AbortError")) {
        return null;
    }
    return <Notice kind="bad" action={again && <Button little onClick={again}>{text.common.again}</Button>}><Coded>{wordsOf(error)}</Coded></Notice>;
}

/** Where there is nothing yet, and what to do about it. */
export function Empty({ children, action }: { children: ComponentChildren; action?: ComponentChildren }) {
    return (
        <div class="empty">
            <p>{children}</p>
            {action}
        </div>
    );
}

/** While something loads. */
export function Loading() {
    return <p class="soft" role="status">{text.app.loading}</p>;
}

/** How far something is, from 0 to 1; without a share, that it goes on. */
export function Progress({ share, label }: { share?: number | undefined; label: string }) {
    const percent = share === undefined ? undefined : Math.round(Math.min(1, Math.max(0, share)) * 100);
    return (
        <div class={`progress ${percent === undefined ? "unknown" : ""}`} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent}>
            <span style={percent === undefined ? undefined : { width: `${percent}%` }} />
        </div>
    );
}

const toasts = signal<{ id: number; words: string; kind?: "bad" | undefined }[]>([]);
let counted = 0;

/** Says something for a few seconds. */
export function toast(words: string, kind?: "bad"): void {
    const id = ++counted;
    toasts.value = [...toasts.value, { id, words, kind }];
    setTimeout(() => (toasts.value = toasts.value.filter((toast) => toast.id !== id)), kind ? 9000 : 4000);
}

/** Says why something failed. */
export function toastError(error: unknown): void {
    if (!(error instanceof Unreachable)) {
        toast(wordsOf(error), "bad");
    }
}

/** Everything that is being said. */
export function Toasts() {
    const place = useRef<HTMLDivElement>(null);
    useEffect(() => {
        // Shown anew each time, so that it lies above a window that was opened meanwhile.
        place.current?.hidePopover?.();
        if (toasts.value.length > 0) {
            place.current?.showPopover?.();
        }
    }, [toasts.value]);
    return (
        <div class="toasts" aria-live="polite" popover="manual" ref={place}>
            {toasts.value.map(({ id, words, kind }) => (
                <div key={id} class={`toast ${kind ?? ""}`}>{words}</div>
            ))}
        </div>
    );
}
