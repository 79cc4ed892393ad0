// One picture of the grid.
import { useMemo } from "preact/hooks";
import type { PictureView } from "../../api/schema";
import { count, fill } from "../../format";
import { Button } from "../../parts/button";
import { Icon } from "../../parts/icon";
import { text } from "../../text";
import type { Part } from "./crop";
import type { Decide } from "./decide";
import type { Group } from "./findings";
import { Frame } from "./frame";
import { open } from "./opened";

/** What a tile needs to know. */
export interface TileProps {
    dataset: string;
    picture: PictureView;
    crop: Part | null;
    mask: number | undefined;
    remarks: readonly Group[];
    selected: boolean;
    at: number;
    onSelect: (at: number, selected: boolean, range: boolean) => void;
    decide: Decide;
}

/** A picture with what is decided and known about it; drawn anew only where that differs, since there may be hundreds. */
export function Tile(props: TileProps) {
    const { picture, crop, remarks, mask, selected, at, onSelect, decide } = props;
    const known = [...remarks.map(({ key }) => key), crop?.left, crop?.top, picture.used, picture.focus?.join(), picture.sha256].join("|");
    return useMemo(() => <Drawn {...props} />, [known, mask, selected, at, onSelect, decide]);
}

function Drawn({ dataset, picture, crop, mask, remarks, selected, at, onSelect, decide }: TileProps) {
    const { name, width, height, used, repeats, focus } = picture;
    const short = name.slice(name.lastIndexOf("/") + 1);
    const words = text.new.pictures;
    return (
        <li class={["tile", !used && "out", selected && "selected"].filter(Boolean).join(" ")}>
            <button type="button" class="tile-open" aria-label={fill(words.open, { name })} onClick={() => open(dataset, name)}>
                <Frame dataset={dataset} picture={picture} alt="" crop={used ? crop : null} mask={used ? mask : undefined} />
            </button>
            <label class="tile-select">
                <input type="checkbox" checked={selected} aria-label={fill(words.select, { name })} onClick={(event) => onSelect(at, event.currentTarget.checked, event.shiftKey)} />
            </label>
            <div class="tile-words">
                <span class="tile-name" title={name}>{short}</span>
                <Button kind="plain" little icon={used ? "close" : "add"} label={fill(used ? words.leaveOutOne : words.takeBackOne, { name })} onClick={() => decide([picture], { used: !used })} />
            </div>
            <div class="tile-badges">
                {!used && <span class="badge">{words.out}</span>}
                <span class="small soft number">{fill(words.size, { width, height })}</span>
                {repeats > 1 && <span class="badge">{fill(words.repeats, { n: repeats })}</span>}
                {picture.mask && <span class="badge">{words.masked}</span>}
                {focus && <span class="badge">{words.moved}</span>}
                {used && remarks.length > 0 && <Remarks remarks={remarks} />}
            </div>
        </li>
    );
}

function Remarks({ remarks }: { remarks: readonly Group[] }) {
    const worst = remarks[0];
    if (!worst) {
        return null;
    }
    const kind = worst.severity === "serious" ? "bad" : worst.severity === "warning" ? "warn" : "";
    const all = remarks.map(({ code }) => text.new.check.codes[code]).join(", ");
    return (
        <span class={`badge ${kind}`} title={all}>
            {kind && <Icon name="warn" size={12} />}
            {text.new.check.codes[worst.code]}
            {remarks.length > 1 && <> +{remarks.length - 1}<span class="hide-visually">{count(remarks.length, text.new.pictures.findings)}: {all}</span></>}
        </span>
    );
}
