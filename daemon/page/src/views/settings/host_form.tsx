// Adding a host by hand.
import { ask, POST } from "../../api/client";
import type { HostKind, HostView } from "../../api/schema";
import { fill } from "../../format";
import { Button } from "../../parts/button";
import { Coded } from "../../parts/code";
import { Dialog } from "../../parts/dialog";
import { SelectField, TextField } from "../../parts/field";
import { Failure } from "../../parts/notice";
import { stored } from "../../state/stored";
import { useAction } from "../../state/use";
import { text } from "../../text";
import { sorted } from "./page";

const words = text.settings.hosts.form;
const blank = { kind: "comfyui" as HostKind, folder: "", loras: "", embeddings: "", url: "" };
/** Kept until it is added, also when the window is closed. */
const draft = stored("settings.host", blank);
const kinds: HostKind[] = ["comfyui", "a1111", "forge"];

/** What a program is, where it lies, and what is unusual about it. */
export function HostForm({ onAdded, onClose }: { onAdded: (host: HostView) => void; onClose: () => void }) {
    const { kind, folder, loras, embeddings, url } = draft.value;
    const change = (part: Partial<typeof blank>) => (draft.value = { ...draft.value, ...part });
    const { run, busy, error } = useAction(async () => {
        const given = (value: string) => value.trim() || null;
        const host = await ask(POST("/v1/hosts", { body: { kind, folder: folder.trim(), loras: given(loras), embeddings: given(embeddings), url: given(url) } }));
        draft.value = blank;
        onAdded(host);
    });
    const wrong = sorted(error, ["kind", "folder", "loras", "embeddings", "url"]);
    const usual = kind === "comfyui" ? "http://127.0.0.1:8188" : "http://127.0.0.1:7860";
    return (
        <Dialog title={words.title} onClose={onClose}>
            <form class="stack" onSubmit={(event) => (event.preventDefault(), void run())}>
                <SelectField label={words.kind} wrong={wrong.at("kind")} value={kind} choices={kinds.map((kind) => [kind, text.hosts[kind]])} onChange={(kind) => change({ kind: kind as HostKind })} />
                <TextField label={words.folder} hint={<Coded>{words.folderHint[kind]}</Coded>} wrong={wrong.at("folder")} required spellcheck={false} autocomplete="off" value={folder} onInput={(folder) => change({ folder })} />
                <details open={Boolean(loras || embeddings || url)}>
                    <summary>{words.elsewhere}</summary>
                    <div class="stack settings-inside">
                        <TextField label={words.loras} hint={words.usual} wrong={wrong.at("loras")} spellcheck={false} autocomplete="off" value={loras} onInput={(loras) => change({ loras })} />
                        <TextField label={words.embeddings} hint={words.usual} wrong={wrong.at("embeddings")} spellcheck={false} autocomplete="off" value={embeddings} onInput={(embeddings) => change({ embeddings })} />
                        <TextField label={words.url} hint={fill(words.urlHint, { url: usual })} wrong={wrong.at("url")} spellcheck={false} autocomplete="off" value={url} onInput={(url) => change({ url })} />
                    </div>
                </details>
                <Failure error={wrong.rest} />
                <div class="row settings-end">
                    <Button onClick={onClose}>{text.common.cancel}</Button>
                    <Button kind="main" type="submit" busy={busy} disabled={!folder.trim()}>{words.save}</Button>
                </div>
            </form>
        </Dialog>
    );
}
