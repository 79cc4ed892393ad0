// A concept's preview, small.
import type { ConceptView } from "../../api/schema";
import { Icon } from "../../parts/icon";
import { previewOf } from "./library";

/** Says nothing by itself: the name stands beside it. */
export function Thumb({ concept, large }: { concept: ConceptView | undefined; large?: boolean }) {
    const url = concept && previewOf(concept);
    return <span class={`create-thumb ${large ? "large" : ""}`}>{url ? <img src={url} alt="" loading="lazy" decoding="async" /> : <Icon name="pictures" />}</span>;
}
