// How a picture was made, and what can be done with it.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { isOver } from "../../api/jobs";
import { choosePreview } from "../../api/library";
import type { ConceptView, CreationView } from "../../api/schema";
import { duration, fill, number, when } from "../../format";
import { Button, Copy } from "../../parts/button";
import { Confirm } from "../../parts/dialog";
import { Failure, toast } from "../../parts/notice";
import { Icon } from "../../parts/icon";
import { useAction } from "../../state/use";
import { text } from "../../text";
import { again, fillLike } from "./again";
import { appliedWords, fileOf, seedOf, sizeWords } from "./facts";
import { erase } from "./erase";
import type { Asking } from "./hosts";
import { conceptOf, look, titleOf } from "./library";
import { keptFor, takeFrom } from "./start";

const words = text.create.large;

interface Shown {
    creation: CreationView;
    picture: number;
    /** In pixels, once it is there. */
    size: [number, number] | undefined;
    onClose: () => void;
    onHosts: (asking: Asking) => void;
}

/** The side of the window. */
export function Details(shown: Shown) {
    const { creation, picture, size } = shown;
    const { request, created_at_ms: at, finished_at_ms: ended } = creation;
    const seed = seedOf(creation, picture);
    const began = useBegan(creation.id);
    const rows: [string, ComponentChildren][] = [
        [words.prompt, request.prompt],
        [words.negative, request.negative],
        [words.concepts, request.concepts.map(appliedWords).join(", ")],
        [words.base, request.base],
        [words.size, sizeWords(size ? { width: size[0], height: size[1] } : request)],
        [words.seed, <span class="row"><span class="number">{seed}</span><Copy value={String(seed)}>{words.copySeed}</Copy></span>],
        [words.steps, number(request.steps)],
        [words.cfg, number(request.cfg)],
        [words.made, when(at)],
        [words.took, ended && duration((ended - at) / 1000)],
        [words.start, began && <img class="create-began" src={began} alt={text.create.start.alt} />],
    ];
    return (
        <div class="stack create-details">
            <Actions {...shown} />
            <dl class="definition small">
                {rows.map(([name, value]) => value ? <Row key={name} name={name} value={value} /> : null)}
            </dl>
        </div>
    );
}

function Row({ name, value }: { name: string; value: ComponentChildren }) {
    return (
        <>
            <dt>{name}</dt>
            <dd>{value}</dd>
        </>
    );
}

/** What it started from, where this browser still has it. */
function useBegan(id: string): string | undefined {
    const [url, set] = useState<string>();
    useEffect(() => {
        let made: string | undefined;
        set(undefined);
        void keptFor(id).then((blob) => blob && set((made = URL.createObjectURL(blob))));
        return () => made && URL.revokeObjectURL(made);
    }, [id]);
    return url;
}

function Actions({ creation, picture, onClose, onHosts }: Shown) {
    const [asked, setAsked] = useState(false);
    const url = creation.pictures[picture];
    const repeating = useAction(async () => (await again(creation), onClose()));
    const filling = useAction(async () => (onClose(), await fillLike(creation, seedOf(creation, picture))));
    const starting = useAction(async (url: string) => (await takeFrom(url), toast(words.started), onClose()));
    const erasing = useAction(async () => (await erase(creation), onClose()));
    const over = isOver(creation.state);
    const concepts = creation.request.concepts.flatMap(({ concept }) => conceptOf(concept) ?? []);
    return (
        <div class="stack">
            <div class="create-actions">
                {url && <a class="button main" href={url} download={fileOf(creation, picture)}><Icon name="download" />{words.download}</a>}
                {over && <Button icon="play" busy={repeating.busy} onClick={() => void repeating.run()}>{creation.state === "done" ? text.create.card.again : text.common.again}</Button>}
                <Button icon="up" busy={filling.busy} onClick={() => void filling.run()}>{text.create.card.use}</Button>
                {url && <Button icon="brush" busy={starting.busy} onClick={() => void starting.run(url)}>{words.startFrom}</Button>}
                {url && concepts.map((concept) => <AsPreview key={concept.id} concept={concept} creation={creation.id} picture={picture} />)}
                <Button icon="copy" onClick={() => onHosts(creation.request)}>{text.create.card.hosts}</Button>
                {over && <Button kind="bad" icon="trash" onClick={() => setAsked(true)}>{text.common.delete}</Button>}
            </div>
            <Failure error={repeating.error ?? filling.error ?? starting.error ?? erasing.error} />
            {asked && (
                <Confirm title={words.erase} action={text.common.delete} busy={erasing.busy} onClose={() => setAsked(false)} onDo={() => (setAsked(false), void erasing.run())}>
                    <p>{words.eraseAbout}</p>
                </Confirm>
            )}
        </div>
    );
}

function AsPreview({ concept, creation, picture }: { concept: ConceptView; creation: string; picture: number }) {
    const taking = useAction(async () => {
        await choosePreview(concept.id, creation, picture);
        await look();
        toast(fill(words.previewed, { name: titleOf(concept) }));
    });
    return (
        <>
            <Button icon="pictures" busy={taking.busy} onClick={() => void taking.run()}>{fill(words.preview, { name: titleOf(concept) })}</Button>
            <Failure error={taking.error} />
        </>
    );
}
