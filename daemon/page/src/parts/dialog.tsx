// Windows above the page.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { text } from "../text";
import { Button } from "./button";

/** A window; it is there as long as it is drawn, and `onClose` is asked to take it away. */
export function Dialog({ title, wide, children, foot, onClose }: { title: string; wide?: boolean; children: ComponentChildren; foot?: ComponentChildren; onClose: () => void }) {
    const dialog = useRef<HTMLDialogElement>(null);
    const id = useId();
    useEffect(() => {
        const opener = document.activeElement;
        const shown = dialog.current;
        shown?.showModal();
        return () => {
            // As long as it is open, nothing outside can take the focus.
            shown?.close();
            if (opener instanceof HTMLElement) {
                opener.focus();
            }
        };
    }, []);
    const cancelled = (event: Event) => {
        event.preventDefault();
        onClose();
    };
    return (
        <dialog ref={dialog} class={wide ? "wide" : ""} aria-labelledby={id} onCancel={cancelled}>
            <header>
                <h2 id={id}>{title}</h2>
                <Button kind="plain" little icon="close" label={text.common.close} onClick={onClose} />
            </header>
            {children}
            {foot && <footer>{foot}</footer>}
        </dialog>
    );
}

/** Asks before something that cannot be taken back. */
export function Confirm({ title, children, action, kind = "bad", busy, onDo, onClose }: { title: string; children: ComponentChildren; action: string; kind?: "bad" | "main"; busy?: boolean; onDo: () => void; onClose: () => void }) {
    const foot = (
        <>
            <Button onClick={onClose}>{text.common.cancel}</Button>
            <Button kind={kind} {...(busy ? { busy } : {})} onClick={onDo}>{action}</Button>
        </>
    );
    return <Dialog title={title} foot={foot} onClose={onClose}>{children}</Dialog>;
}
