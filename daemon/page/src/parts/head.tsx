// The top of a view.
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { text } from "../text";
import { Icon } from "./icon";

/** A link above the title to where a view belongs. */
export function Back({ to, children }: { to: string; children: ComponentChildren }) {
    return <a class="back small" href={to}><Icon name="back" size={16} />{children}</a>;
}

/** The title of a view, also the tab's, with what can be done and a sentence about it. */
export function Head({ title, children, about }: { title: string; children?: ComponentChildren; about?: ComponentChildren }) {
    useEffect(() => {
        document.title = `${title} · ${text.app.name}`;
    }, [title]);
    return (
        <header class="head">
            <h1 class="wrap">{title}</h1>
            {children && <div class="row">{children}</div>}
            {about && <p>{about}</p>}
        </header>
    );
}
