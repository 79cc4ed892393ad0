// Where pictures are dropped, chosen or pasted. The whole page takes them, so that none is opened by the browser instead.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Chosen } from "../../api/upload";
import { wordsOf } from "../../api/client";
import { fill } from "../../format";
import { Button } from "../../parts/button";
import { Icon } from "../../parts/icon";
import { toast } from "../../parts/notice";
import { text } from "../../text";
import { chosen, dropped, pasted } from "./entries";
import type { Sending } from "./sending";

/** A place for pictures, with buttons that do the same. */
export function Dropzone({ sending }: { sending: Sending }) {
    const files = useRef<HTMLInputElement>(null);
    const folder = useRef<HTMLInputElement>(null);
    const { dragging, reading } = useDropped(sending.add);
    const full = sending.files.value.length > 0;
    const took = ({ currentTarget: input }: { currentTarget: HTMLInputElement }) => {
        sending.add(chosen(input.files ?? []));
        // Choosing the same again is a change too.
        input.value = "";
    };
    return (
        <section class={["drop", dragging && "over", full && "less"].filter(Boolean).join(" ")} aria-label={text.new.drop.title}>
            <Icon name="pictures" size={full ? 24 : 40} />
            <h2>{dragging ? text.new.drop.over : reading ? text.new.drop.reading : text.new.drop.title}</h2>
            {!full && <p class="soft">{text.new.drop.about}</p>}
            <div class="row">
                <Button kind={full ? undefined : "main"} icon="add" onClick={() => files.current?.click()}>{text.new.drop.files}</Button>
                <Button onClick={() => folder.current?.click()}>{text.new.drop.folder}</Button>
            </div>
            <input ref={files} type="file" multiple hidden aria-label={text.new.drop.files} onChange={took} />
            <input ref={choosesFolders(folder)} type="file" multiple hidden aria-label={text.new.drop.folder} onChange={took} />
        </section>
    );
}

/** Preact's types do not know the attribute. */
function choosesFolders(at: { current: HTMLInputElement | null }): (input: HTMLInputElement | null) => void {
    return (input) => {
        at.current = input;
        input?.toggleAttribute("webkitdirectory", true);
    };
}

/** Hears what is dropped on the page or pasted into it. */
export function useDropped(take: (files: Chosen[]) => void): { dragging: boolean; reading: boolean } {
    const [dragging, drag] = useState(false);
    const [reading, read] = useState(false);
    const taker = useRef(take);
    taker.current = take;
    useEffect(() => {
        const holds = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
        const over = (event: DragEvent) => {
            if (holds(event)) {
                event.preventDefault();
                drag(true);
            }
        };
        // Leaving one element for another has a relation; leaving the window has none.
        const leave = (event: DragEvent) => event.relatedTarget === null && drag(false);
        const drop = async (event: DragEvent) => {
            drag(false);
            if (!event.dataTransfer || !holds(event)) {
                return;
            }
            event.preventDefault();
            read(true);
            const failed = (name: string, error: unknown) => toast(fill(text.new.drop.unreadable, { name, why: wordsOf(error) }), "bad");
            taker.current(await dropped(event.dataTransfer, failed));
            read(false);
        };
        const paste = (event: ClipboardEvent) => {
            const found = pasted(event.clipboardData);
            if (found.length > 0) {
                event.preventDefault();
                taker.current(found);
            }
        };
        addEventListener("dragover", over);
        addEventListener("dragleave", leave);
        addEventListener("drop", drop);
        addEventListener("paste", paste);
        return () => {
            removeEventListener("dragover", over);
            removeEventListener("dragleave", leave);
            removeEventListener("drop", drop);
            removeEventListener("paste", paste);
        };
    }, []);
    return { dragging, reading };
}
