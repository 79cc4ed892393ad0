// What every page of the settings is made of.
import type { ComponentChildren } from "preact";
import { Refused } from "../../api/client";
import { Coded } from "../../parts/code";

/** A page: its title, a sentence about it, what can be done, and the rest below. */
export function Page({ title, about, actions, children }: { title: string; about: string; actions?: ComponentChildren; children: ComponentChildren }) {
    return (
        <section class="settings-page stack">
            <header>
                <div>
                    <h2>{title}</h2>
                    <p class="soft"><Coded>{about}</Coded></p>
                </div>
                {actions && <div class="row">{actions}</div>}
            </header>
            {children}
        </section>
    );
}

/** An error as a form needs it: what belongs to each of its fields, and what to none of them. */
export function sorted<F extends string>(error: unknown, fields: readonly F[]): { at: (field: F) => string | undefined; rest: unknown } {
    const problem = error instanceof Refused ? error.problem : undefined;
    const known = fields.find((field) => field === problem?.field);
    return { at: (field) => (field === known ? problem?.detail : undefined), rest: known ? undefined : error };
}
