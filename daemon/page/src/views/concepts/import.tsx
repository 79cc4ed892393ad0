// Taking a bundle into the library.
import { useEffect, useRef, useState } from "preact/hooks";
import { Refused } from "../../api/client";
import type { ConceptView, Mode } from "../../api/schema";
import { upload } from "../../api/upload";
import { bytes, fill } from "../../format";
import { Button, Segments } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { TextField } from "../../parts/field";
import { Icon } from "../../parts/icon";
import { Failure, Progress, toast } from "../../parts/notice";
import { go } from "../../router";
import { useAction } from "../../state/use";
import { text } from "../../text";

const words = text.concepts.importing;

/** Asks for a bundle and what it is of; shows the concept then. */
export function Import({ first, onClose }: { first: File | null; onClose: () => void }) {
    const [file, setFile] = useState(first);
    const [mode, setMode] = useState<Mode | "">("");
    const [name, setName] = useState("");
    const [share, setShare] = useState(0);
    const abort = useRef(new AbortController());
    useEffect(() => () => abort.current.abort(), []);
    // One key for what is chosen: what is sent again after a broken line makes no second version.
    const key = useRef(crypto.randomUUID?.() ?? String(Math.random()));
    useEffect(() => {
        key.current = crypto.randomUUID?.() ?? String(Math.random());
    }, [file, mode, name]);
    const { run, busy, error } = useAction(async () => {
        const form = new FormData();
        form.append("mode", mode);
        if (name.trim()) {
            form.append("name", name.trim());
        }
        if (file) {
            form.append("file", file);
        }
        const concept = await upload<ConceptView>("/v1/concepts", form, setShare, key.current, abort.current.signal);
        toast(fill(words.done, { name: concept.name }));
        onClose();
        go(["concepts", concept.id]);
    });
    const wrongName = error instanceof Refused && error.problem.field === "name" ? error.message : undefined;
    const take = (files: FileList | null | undefined) => {
        if (files?.[0]) {
            setFile(files[0]);
            if (files.length > 1) {
                toast(words.one);
            }
        }
    };
    return (
        <Dialog
            title={words.title}
            onClose={onClose}
            foot={
                <>
                    <Button onClick={onClose}>{text.common.cancel}</Button>
                    <Button kind="main" busy={busy} disabled={!file || !mode} onClick={() => void run()}>{text.concepts.import}</Button>
                </>
            }
        >
            <div class="stack">
                <p class="soft">{words.about}</p>
                <label
                    class="concepts-bundle"
                    onDragOver={(event) => event.preventDefault()}
                    onDrop={(event) => {
                        event.preventDefault();
                        event.stopPropagation();
                        take(event.dataTransfer?.files);
                    }}
                >
                    <input type="file" class="hide-visually" accept=".tar,application/x-tar" aria-label={words.file} disabled={busy} onChange={(event) => take(event.currentTarget.files)} />
                    <Icon name="up" size={22} />
                    {file ? <span class="wrap">{file.name} <span class="soft">{bytes(file.size)}</span></span> : words.choose}
                </label>
                <div class="field">
                    <span class="label">{words.mode}</span>
                    <div><Segments label={words.mode} value={mode} onChange={setMode} choices={Object.entries(text.modes) as [Mode, string][]} /></div>
                </div>
                <TextField label={words.name} hint={words.nameHint} wrong={wrongName} value={name} maxLength={100} onInput={setName} />
                {busy && <Progress share={share < 1 ? share : undefined} label={words.progress} />}
                {!wrongName && <Failure error={error} />}
            </div>
        </Dialog>
    );
}
