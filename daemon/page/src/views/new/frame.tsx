// A picture with what is cut off and what its mask covers dimmed.
import type { PictureView } from "../../api/schema";
import { useEffect, useState } from "preact/hooks";
import type { Part } from "./crop";
import { Thumb } from "./thumb";

/** A picture in its own proportions, as large as fits into what holds it; `mask` counts its masks' versions, or is left out. */
export function Frame({ dataset, picture, alt, crop, mask }: { dataset: string; picture: PictureView; alt: string; crop?: Part | null; mask?: number | undefined }) {
    const { width, height, sha256 } = picture;
    return (
        <span class="view" style={{ "--ratio": width / height }}>
            <Thumb dataset={dataset} sha256={sha256} alt={alt} />
            {mask !== undefined && <Mask dataset={dataset} sha256={sha256} version={mask} />}
            {crop && <span class="view-crop" style={{ left: percent(crop.left), top: percent(crop.top), width: percent(crop.width), height: percent(crop.height) }} />}
        </span>
    );
}

function percent(part: number): string {
    return `${100 * part}%`;
}

/** Nothing where there is none. */
function Mask({ dataset, sha256, version }: { dataset: string; sha256: string; version: number }) {
    const [none, set] = useState(false);
    useEffect(() => set(false), [sha256, version]);
    return none ? null : <img class="view-mask" src={`/v1/datasets/${dataset}/masks/${sha256}?${version}`} alt="" loading="lazy" draggable={false} onError={() => set(true)} />;
}
