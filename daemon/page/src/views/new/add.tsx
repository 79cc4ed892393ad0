// More pictures for a data set, which makes a new one of both.
import { useState } from "preact/hooks";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { route, to } from "../../router";
import { toast } from "../../parts/notice";
import { text } from "../../text";
import { mannerOf } from "../captions/describe";
import { moveDraft } from "./draft";
import { Dropzone, useDropped } from "./dropzone";
import { opened } from "./opened";
import { sendingFor } from "./sending";
import { Tray } from "./tray";

/** A button, and a window that also opens when something is dropped on the page. */
export function Add({ dataset }: { dataset: string }) {
    const sending = sendingFor(dataset);
    // An upload goes on without its window.
    const [isOpen, set] = useState(sending.share.value !== null);
    return (
        <>
            <Button icon="add" onClick={() => set(true)}>{text.new.pictures.add}</Button>
            {isOpen ? <Window dataset={dataset} onClose={() => set(false)} /> : <Waiting dataset={dataset} onDropped={() => set(true)} />}
        </>
    );
}

function Waiting({ dataset, onDropped }: { dataset: string; onDropped: () => void }) {
    const { dragging } = useDropped((files) => {
        opened.value = null;
        sendingFor(dataset).add(files);
        onDropped();
    });
    return dragging ? <div class="drop-veil">{text.new.drop.over}</div> : null;
}

function Window({ dataset, onClose }: { dataset: string; onClose: () => void }) {
    const sending = sendingFor(dataset);
    const done = (id: string) => {
        moveDraft(dataset, id);
        mannerOf(id).value = mannerOf(dataset).value;
        if (route.value[0] === "new" && route.value[1] === dataset) {
            // Back would lead to the half of the pictures.
            location.replace(to(["new", id]));
        } else {
            toast(text.new.tray.arrived);
        }
    };
    return (
        <Dialog title={text.new.pictures.addTitle} wide onClose={onClose}>
            <div class="stack">
                <p class="soft">{text.new.pictures.addAbout}</p>
                <Dropzone sending={sending} />
                <Tray sending={sending} url={`/v1/datasets/${dataset}/files`} action={text.new.tray.sendMore} onDone={({ id }) => done(id)} />
            </div>
        </Dialog>
    );
}
