// The picture of a concept.
import { useState } from "preact/hooks";
import { previewChanges, previewUrl } from "../../api/library";
import type { ConceptView } from "../../api/schema";
import { fill } from "../../format";
import { Icon } from "../../parts/icon";
import { text } from "../../text";
import { titleOf } from "./library";

/** A sheet of labelled pictures is shown whole; one picture fills its place. */
const SHEET_RATIO = 1.6;

/** The preview of a concept, or that there is none. */
export function Preview({ concept }: { concept: ConceptView }) {
    const changed = previewChanges(concept.id);
    const [sheet, setSheet] = useState(false);
    const [broken, setBroken] = useState(-1);
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
                src={previewUrl(concept.id)}
                alt={fill(text.concepts.previewOf, { name: titleOf(concept) })}
                loading="lazy"
                decoding="async"
                onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => setSheet(naturalWidth > naturalHeight * SHEET_RATIO)}
                onError={() => setBroken(changed)}
            />
        </div>
    );
}
