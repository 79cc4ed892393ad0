// Watching another folder.
import { ask, POST } from "../../api/client";
import { allModels } from "../../api/library";
import type { HostView, Mode } from "../../api/schema";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Check, SelectField, TextField } from "../../parts/field";
import { Failure, Notice } from "../../parts/notice";
import { to } from "../../router";
import { stored } from "../../state/stored";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";
import { sorted } from "./page";

const words = text.settings.watches.form;
const blank = { folder: "", mode: "object" as Mode, base: "", install: ["all"], quiet: "10", rescan: "300" };
/** Kept until it is added, also when the window is closed. */
const draft = stored("settings.watch", blank);
const modes = Object.entries(text.modes);

/** Where it lies, what it is trained on, and where concepts go. */
export function WatchForm({ hosts, onAdded, onClose }: { hosts: HostView[]; onAdded: () => void; onClose: () => void }) {
    const { folder, mode, base, install, quiet, rescan } = draft.value;
    const change = (part: Partial<typeof blank>) => (draft.value = { ...draft.value, ...part });
    const { data, error: unread } = useAsked(allModels, []);
    const bases = data?.filter(({ family }) => family).map(({ name }) => name);
    const only = bases?.length === 1 ? bases[0] : undefined;
    const chosen = base && bases?.includes(base) ? base : (only ?? "");
    const { run, busy, error } = useAction(async () => {
        // A program that was forgotten meanwhile has no box that could be emptied.
        const there = install.filter((id) => id === "all" || hosts.some((host) => host.id === id));
        const body = { folder: folder.trim(), mode, base: chosen, install: there, quiet_seconds: Number(quiet), rescan_seconds: Number(rescan), parameters: {} };
        await ask(POST("/v1/watches", { body }));
        draft.value = blank;
        onAdded();
    });
    const wrong = sorted(error, ["folder", "mode", "base", "install", "quiet_seconds", "rescan_seconds"]);
    const put = (id: string, on: boolean) => change({ install: on ? [...install, id] : install.filter((one) => one !== id) });
    const all = install.includes("all");
    return (
        <Dialog title={words.title} onClose={onClose}>
            <form class="stack" onInvalidCapture={unfold} onSubmit={(event) => (event.preventDefault(), void run())}>
                <TextField label={words.folder} hint={words.folderHint} wrong={wrong.at("folder")} required spellcheck={false} autocomplete="off" value={folder} onInput={(folder) => change({ folder })} />
                <SelectField label={words.mode} hint={words.modeHint} wrong={wrong.at("mode")} value={mode} choices={modes} onChange={(mode) => change({ mode: mode as Mode })} />
                {bases?.length === 0 ? (
                    <Notice kind="warn" action={<a href={to(["settings", "models"])}>{words.toModels}</a>}>{words.noBase}</Notice>
                ) : (
                    <SelectField label={words.base} wrong={wrong.at("base")} value={chosen} choices={[...(only ? [] : [["", words.choose] as const]), ...(bases ?? []).map((name) => [name, name] as const)]} onChange={(base) => change({ base })} />
                )}
                <fieldset class="settings-choices">
                    <legend>{words.install}</legend>
                    <Check label={words.all} checked={all} onChange={(on) => change({ install: on ? ["all"] : [] })} />
                    {!all && hosts.map(({ id, kind, folder }) => <Check key={id} label={text.hosts[kind]} hint={<span class="mono wrap">{folder}</span>} checked={install.includes(id)} onChange={(on) => put(id, on)} />)}
                    {wrong.at("install") && <p class="settings-wrong small" role="alert">{wrong.at("install")}</p>}
                </fieldset>
                <details open={Boolean(wrong.at("quiet_seconds") ?? wrong.at("rescan_seconds"))}>
                    <summary>{words.advanced}</summary>
                    <div class="stack settings-inside">
                        <TextField type="number" min={1} max={86_400} required label={words.quiet} hint={words.quietHint} wrong={wrong.at("quiet_seconds")} value={quiet} onInput={(quiet) => change({ quiet })} />
                        <TextField type="number" min={1} max={86_400} required label={words.rescan} hint={words.rescanHint} wrong={wrong.at("rescan_seconds")} value={rescan} onInput={(rescan) => change({ rescan })} />
                    </div>
                </details>
                <Failure error={unread} />
                <Failure error={wrong.rest} />
                <div class="row settings-end">
                    <Button onClick={onClose}>{text.common.cancel}</Button>
                    <Button kind="main" type="submit" busy={busy} disabled={!folder.trim() || !chosen}>{words.save}</Button>
                </div>
            </form>
        </Dialog>
    );
}

/** What is wrong in a folded part could not be shown. */
function unfold({ target }: Event): void {
    const folded = target instanceof Element && target.closest("details");
    if (folded) {
        folded.open = true;
    }
}
