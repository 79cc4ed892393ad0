// The picture that the next ones start from: dropped, chosen, pasted, or a result.
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { number } from "../../format";
import { Button } from "../../parts/button";
import { Field } from "../../parts/field";
import { Failure } from "../../parts/notice";
import { useAction } from "../../state/use";
import { text } from "../../text";
import { change, draft } from "./draft";
import { leaveOut, recall, start, take } from "./start";

const words = text.create.start;

/** Where it is put, and how far to leave it. */
export function Starting() {
    const id = useId();
    const input = useRef<HTMLInputElement>(null);
    const [over, setOver] = useState(false);
    const taking = useAction(take);
    useEffect(() => void recall(), []);
    useEffect(() => {
        const pasted = (event: ClipboardEvent) => {
            const file = pictureIn(event.clipboardData);
            if (file && !document.querySelector("dialog[open]")) {
                event.preventDefault();
                void taking.run(file);
            }
        };
        document.addEventListener("paste", pasted);
        return () => document.removeEventListener("paste", pasted);
    }, []);
    const dropped = (event: DragEvent) => {
        event.preventDefault();
        setOver(false);
        // Of what is no picture, that is said.
        const file = pictureIn(event.dataTransfer) ?? event.dataTransfer?.files[0];
        if (file) {
            void taking.run(file);
        }
    };
    const chosen = () => {
        const file = input.current?.files?.[0];
        if (file && input.current) {
            void taking.run(file);
            input.current.value = "";
        }
    };
    const { leave } = draft.value;
    return (
        <section class="create-part" aria-label={words.title}>
            <h3>{words.title} <span class="soft small create-light">{text.common.optional}</span></h3>
            <div
                class={`create-drop ${over ? "over" : ""}`}
                onDragOver={(event) => (event.preventDefault(), setOver(true))}
                onDragLeave={() => setOver(false)}
                onDrop={dropped}
            >
                {start.value ? <img src={start.value.url} alt={words.alt} /> : null}
                <div class="stack create-drop-words">
                    <span class="small soft">{words.drop}</span>
                    <div class="row">
                        <Button little icon="pictures" busy={taking.busy} onClick={() => input.current?.click()}>{start.value ? words.other : words.choose}</Button>
                        {start.value && <Button little kind="plain" onClick={leaveOut}>{text.common.remove}</Button>}
                    </div>
                </div>
                <input ref={input} id={id} type="file" hidden accept="image/png,image/jpeg,image/webp" aria-label={words.choose} onChange={chosen} />
            </div>
            <Failure error={taking.error} />
            {start.value && (
                <Field label={<span class="row apart"><span>{words.leave}</span><span class="number soft">{number(leave)}</span></span>} hint={words.leaveHint}>
                    {(inside) => <input type="range" {...inside} min={0} max={1} step={0.05} value={leave} onInput={(event) => change({ leave: Number(event.currentTarget.value) })} />}
                </Field>
            )}
        </section>
    );
}

function pictureIn(data: DataTransfer | null): File | undefined {
    return [...(data?.files ?? [])].find(({ type }) => type.startsWith("image/"));
}
