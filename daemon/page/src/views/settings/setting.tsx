// One setting: what it is for, where its value comes from, and how to change it.
import { useId } from "preact/hooks";
import { ask, GET, PATCH, Refused } from "../../api/client";
import type { SettingView, Settings } from "../../api/schema";
import { fill } from "../../format";
import { Button } from "../../parts/button";
import { Coded, Command } from "../../parts/code";
import { Failure, Loading, toast } from "../../parts/notice";
import { stored } from "../../state/stored";
import { type Asked, useAction, useAsked } from "../../state/use";
import { text } from "../../text";
import { Editor } from "./editor";
import { isMeasure, kindOf, read, said, typed } from "./values";

const words = text.settings.daemon;
const names: Record<string, string> = words.names;

/** What is typed and not kept yet, by name. */
const drafts = stored<Record<string, string>>("settings.typed", {});

/** Whether something else is in effect from the next start. */
export function isWaiting({ next }: SettingView): boolean {
    return next !== undefined;
}

/** The settings as they stand. */
export function useSettings(): Asked<Settings> {
    // A restart, another tab or an editor may change them.
    return useAsked(() => ask(GET("/v1/settings")), [], 5000);
}

/** A card with a few settings, for pages about what they are for. */
export function SettingsOf({ title, names, about, lines }: { title: string; names: string[]; about: string; lines?: string }) {
    const { data, error, again, set } = useSettings();
    const home = data?.file.replace(/[/\\][^/\\]*$/, "") ?? "";
    return (
        <section class="card stack">
            <h3>{title}</h3>
            <p class="soft wrap"><Coded>{fill(about, { home, file: data ? `\`${data.file}\`` : "config.toml" })}</Coded></p>
            {lines && <Command>{lines}</Command>}
            <Failure error={error} again={() => void again()} />
            {!data && !error && <Loading />}
            {data?.items.filter(({ name }) => names.includes(name)).map((item) => <Setting key={item.name} item={item} onChanged={set} />)}
        </section>
    );
}

/** A setting with its editor; nothing is sent before Save. */
export function Setting({ item, onChanged }: { item: SettingView; onChanged: (settings: Settings) => void }) {
    const id = useId();
    const kind = kindOf(item);
    const waits = isWaiting(item);
    const kept = typed(kind, waits ? item.next : item.value);
    const draft = drafts.value[item.name];
    const current = draft ?? kept;
    const value = read(kind, current);
    const type = (line: string | undefined) => {
        const { [item.name]: _, ...rest } = drafts.value;
        drafts.value = line === undefined || line === kept ? rest : { ...rest, [item.name]: line };
    };
    const save = useAction(async (value: unknown) => {
        onChanged(await ask(PATCH("/v1/settings", { body: { values: { [item.name]: value } } })));
        type(undefined);
        toast(words.saved);
    });
    const fixed = !item.changeable || item.origin === "environment" || item.origin === "flag";
    const dirty = !fixed && draft !== undefined && draft !== kept;
    // Null is never kept, so that where it waits, the default does already.
    const isSet = waits ? item.next !== null : item.origin === "file";
    const unread = dirty && value === undefined ? words.wrong[isMeasure(kind) ? kind : "number"] : undefined;
    const wrong = unread ?? (save.error instanceof Refused ? save.error.message : undefined);
    const title = names[item.name] ?? item.name;
    return (
        <div class="setting" role="group" aria-labelledby={`${id}-label`}>
            <div class="setting-about">
                <label id={`${id}-label`} for={kind === "courtesy" ? undefined : id}>{title}</label>
                <div class="row">
                    <code class="soft">{item.name}</code>
                    <span class={`badge ${item.origin === "default" ? "" : "accent"}`}>{words.origins[item.origin]}</span>
                </div>
                <p class="soft small" id={`${id}-help`}><Coded>{item.help}</Coded></p>
            </div>
            <form class="setting-value" onSubmit={(event) => (event.preventDefault(), value !== undefined && void save.run(value))}>
                {fixed ? <output id={id} class="mono wrap">{said(kind, item.value)}</output> : <Editor id={id} kind={kind} value={current} disabled={save.busy} wrong={Boolean(wrong)} onInput={(line) => (save.clear(), type(line))} />}
                {wrong && <p class="settings-wrong small" id={`${id}-wrong`} role="alert">{wrong}</p>}
                {!(save.error instanceof Refused) && <Failure error={save.error} />}
                {!fixed && !wrong && words.hints[kind] && <p class="soft small">{words.hints[kind]}</p>}
                {fixed && <p class="soft small"><Coded>{whyFixed(item)}</Coded></p>}
                {waits && <p class="settings-warning small wrap">{words.nextNote} {fill(words.now, { value: said(kind, item.value) })}</p>}
                {dirty && (
                    <div class="row">
                        <Button little kind="main" type="submit" busy={save.busy} disabled={value === undefined}>{text.common.save}</Button>
                        <Button little onClick={() => (save.clear(), type(undefined))}>{words.undo}</Button>
                    </div>
                )}
                {!dirty && !fixed && isSet && <div><Button little kind="plain" busy={save.busy} onClick={() => void save.run(null)}>{words.toDefault}</Button></div>}
            </form>
        </div>
    );
}

function whyFixed({ name, origin }: SettingView): string {
    if (origin === "environment") {
        return fill(words.environment, { name: `CONCEPTD_${name.replace(".", "_").toUpperCase()}` });
    }
    return origin === "flag" ? words.flag : words.fixed;
}
