// The picture of a concept.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { ask, PUT } from "../../api/client";
import type { ConceptView } from "../../api/schema";
import { fill } from "../../format";
import { Icon } from "../../parts/icon";
import { text } from "../../text";
import { titleOf } from "./library";

/** How often each preview was changed here: its address stays the same, so that a browser would show the old one. */
const changes = signal<Record<string, number>>({});

/** Takes a created picture as the preview of a concept. */
export async function choosePreview(id: string, creation: string, picture: number): Promise<void> {
    await ask(PUT("/v1/concepts/{id}/preview", { params: { path: { id } }, body: { creation, picture } }));
    changes.value = { ...changes.value, [id]: (changes.value[id] ?? 0) + 1 };
}

/** A sheet of labelled pictures is shown whole; one picture fills its place. */
const SHEET_RATIO = 1.6;

/** The preview of a concept, or that there is none. */
export function Preview({ concept }: { concept: ConceptView }) {
    const changed = changes.value[concept.id];
    const [sheet, setSheet] = useState(false);
    const [broken, setBroken] = useState<number | undefined | null>(null);
    if ((!concept.preview && !changed) || broken === changed) {
        return (
            <div class="concepts-preview none">
                <Icon name="pictures" size={28} />
                <span>{text.concepts.noPreview}</span>
            </div>
        );
    }
    return (
        <div class={`concepts-preview ${sheet ? "sheet" : ""}`}>
            <img
                src={`/v1/concepts/${encodeURIComponent(concept.id)}/preview${changed ? `?change=${changed}` : ""}`}
                alt={fill(text.concepts.previewOf, { name: titleOf(concept) })}
                loading="lazy"
                decoding="async"
                onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => setSheet(naturalWidth > naturalHeight * SHEET_RATIO)}
                onError={() => setBroken(changed)}
            />
        </div>
    );
}
