// A creation's pictures, large, with how they were made and what can be done with them.
import { useEffect, useState } from "preact/hooks";
import { isGone } from "../../api/client";
import type { CreationView } from "../../api/schema";
import { fill } from "../../format";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Empty, Failure, Loading } from "../../parts/notice";
import { to } from "../../router";
import { useAsked } from "../../state/use";
import { text } from "../../text";
import { Details } from "./details";
import { seedOf } from "./facts";
import { known, one } from "./history";
import type { Asking } from "./hosts";

const words = text.create.large;

/** A picture among those that are shown. */
export interface Place {
    creation: string;
    /** From 0. */
    picture: number;
}

/** The window; `order` are the creations that are shown behind it. */
export function Large({ place: { creation: id, picture }, order, onHosts }: { place: Place; order: string[]; onHosts: (asking: Asking) => void }) {
    // Those behind it are kept fresh there.
    const { data, error, again } = useAsked(async () => known(id) ?? one(id), [id], 3000);
    const close = () => location.replace(to(["create"]));
    const creation = known(id) ?? data;
    const gone = isGone(error);
    return (
        <Dialog title={creation?.request.prompt ?? text.create.title} wide onClose={close}>
            {gone ? <Empty>{words.gone}</Empty> : <Failure error={error} again={() => void again()} />}
            {!creation && !error && <Loading />}
            {creation && !gone && <Inside creation={creation} picture={Math.min(picture, Math.max(0, creation.pictures.length - 1))} order={order} onClose={close} onHosts={onHosts} />}
        </Dialog>
    );
}

function Inside({ creation, picture, order, onClose, onHosts }: { creation: CreationView; picture: number; order: string[]; onClose: () => void; onHosts: (asking: Asking) => void }) {
    const [whole, setWhole] = useState(false);
    const [size, setSize] = useState<[number, number]>();
    const url = creation.pictures[picture];
    const before = neighbour(creation, picture, order, -1);
    const after = neighbour(creation, picture, order, 1);
    useEffect(() => {
        const pressed = (event: KeyboardEvent) => {
            const there = event.key === "ArrowLeft" ? before : event.key === "ArrowRight" ? after : undefined;
            const inField = event.target instanceof Element && event.target.matches("input, select, textarea");
            if (there && !inField && !whole && !event.altKey && !event.ctrlKey && !event.metaKey && document.querySelectorAll("dialog[open]").length === 1) {
                event.preventDefault();
                show(there);
            }
        };
        document.addEventListener("keydown", pressed);
        return () => document.removeEventListener("keydown", pressed);
    });
    useEffect(() => setSize(undefined), [url]);
    const alt = fill(text.create.card.alt, { n: picture + 1, prompt: creation.request.prompt, seed: seedOf(creation, picture) });
    return (
        <div class="create-large">
            <div class="create-stage">
                {url ? (
                    <div class={`create-view ${whole ? "whole" : ""}`} tabIndex={whole ? 0 : undefined} role={whole ? "region" : undefined} aria-label={whole ? words.whole : undefined}>
                        <img
                            key={url}
                            src={url}
                            alt={alt}
                            onLoad={(event) => setSize([event.currentTarget.naturalWidth, event.currentTarget.naturalHeight])}
                            onClick={() => setWhole(!whole)}
                        />
                    </div>
                ) : (
                    <div class="create-view"><p class="soft">{creation.failure?.reason ?? words.noPicture}</p></div>
                )}
                <div class="row apart">
                    <div class="row">
                        <Button icon="back" label={words.before} disabled={!before} onClick={() => before && show(before)} />
                        <Button icon="forth" label={words.after} disabled={!after} onClick={() => after && show(after)} />
                        <span class="soft number" role="status">{url ? fill(words.of, { n: picture + 1, all: creation.pictures.length }) : ""}</span>
                    </div>
                    {url && <button type="button" class="button" aria-pressed={whole} onClick={() => setWhole(!whole)}>{whole ? words.fit : words.zoom}</button>}
                </div>
            </div>
            <Details creation={creation} picture={picture} size={size} onClose={onClose} onHosts={onHosts} />
        </div>
    );
}

function show({ creation, picture }: Place): void {
    location.replace(to(["create", creation, String(picture + 1)]));
}

/** The picture before or behind another, also in the next creation that has some. */
function neighbour({ id, pictures }: CreationView, picture: number, order: string[], by: 1 | -1): Place | undefined {
    const beside = picture + by;
    if (beside >= 0 && beside < pictures.length) {
        return { creation: id, picture: beside };
    }
    const at = order.indexOf(id);
    for (let next = at + by; at >= 0 && next >= 0 && next < order.length; next += by) {
        const there = known(order[next] ?? "");
        if (there && there.pictures.length > 0) {
            return { creation: there.id, picture: by > 0 ? 0 : there.pictures.length - 1 };
        }
    }
    return undefined;
}
