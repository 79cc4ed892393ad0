// A small copy of a picture.
import { useEffect, useState } from "preact/hooks";
import { Icon } from "../../parts/icon";
import { text } from "../../text";

/** A thumbnail, or that there is none. */
export function Thumb({ dataset, sha256, alt, kind = "thumb" }: { dataset: string; sha256: string; alt: string; kind?: string }) {
    const [broken, breaks] = useState(false);
    useEffect(() => breaks(false), [dataset, sha256]);
    if (broken) {
        return <span class={`${kind} missing`} role="img" aria-label={alt || text.new.pictures.missing}><Icon name="pictures" size={24} /></span>;
    }
    return <img class={kind} src={`/v1/datasets/${encodeURIComponent(dataset)}/thumbnails/${sha256}`} alt={alt} loading="lazy" decoding="async" draggable={false} onError={() => breaks(true)} />;
}
